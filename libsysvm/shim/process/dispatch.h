/* SPDX-License-Identifier: MIT */
/* What each call means for the process. */
#ifndef SYSVM_SHIM_DISPATCH_H
#define SYSVM_SHIM_DISPATCH_H

#include "libsysvm/shim/base/call.h"

void dispatch_init(void);

/* For entry.S. The verdict is an enum shim_verdict or one of slots.h. */
int shim_dispatch(struct shim_call *call);
void shim_after(struct shim_call *call, int verdict);

#endif
