/* SPDX-License-Identifier: MIT */
/* The shortest way to the next record. */
#ifndef SYSVM_SHIM_AT_ONCE_H
#define SYSVM_SHIM_AT_ONCE_H

#include <stdbool.h>

#include "libsysvm/shim/base/call.h"

/* Answered from the next record. False: nothing has been done, and the rules decide. */
bool at_once(struct shim_call *call);

#endif
