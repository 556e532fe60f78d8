/* SPDX-License-Identifier: MIT */
#ifndef SYSVM_SHIM_RIDE_H
#define SYSVM_SHIM_RIDE_H

#include <stdbool.h>

#include "libsysvm/shim/base/call.h"

/* Makes the call after the late closes, and renews what is outstanding after it. True: made, call->result is
   set. */
bool ride(struct shim_call *call, bool renew);

#endif
