/* SPDX-License-Identifier: MIT */
/* The process goes plain. */
#ifndef SYSVM_SHIM_PLAIN_H
#define SYSVM_SHIM_PLAIN_H

#include <stdbool.h>
#include "libsysvm/shim/base/call.h"

void plain_stop(enum shim_reason reason); /* ahead_stop, and plain from now on */

/* Until the parent of a vfork returns, its child is plain but for the calls that change the parent, too. */
void plain_watch_child(bool on);

#endif
