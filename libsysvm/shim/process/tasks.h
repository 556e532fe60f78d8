/* SPDX-License-Identifier: MIT */
/* New tasks and the end of this one. */
#ifndef SYSVM_SHIM_TASKS_H
#define SYSVM_SHIM_TASKS_H

#include "libsysvm/shim/base/call.h"

int tasks_fork(struct shim_call *call);
int tasks_vfork(struct shim_call *call);
int tasks_clone(struct shim_call *call);
int tasks_clone3(struct shim_call *call);
int tasks_exit(struct shim_call *call);
void tasks_after_fork(int64_t result);

#endif
