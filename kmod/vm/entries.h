/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Wide instructions over the names of a directory. */
#ifndef SYSVM_VM_ENTRIES_H
#define SYSVM_VM_ENTRIES_H

#include "env.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The instruction at `at` (verified), which has taken 1 fuel; fuel: what is left. If it stops before a name,
 * env->stop is the status, and the caller gives back the fuel that this name took. If it stops because a call
 * asks to be restarted, returns what that call returned.
 */
long sysvm_entries(struct sysvm_env *env, SYSVM_ARGS *args, volatile __u64 *r, const __u8 *at, __u64 *fuel);

#ifdef __cplusplus
}
#endif
#endif
