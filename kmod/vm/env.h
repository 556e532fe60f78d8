/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the machine needs from the world around it. kmod/vm/ knows neither kernel nor libc: it sees this file.
 *
 * The interpreter never makes a call, touches user memory or asks the time itself; it asks its env. Engines:
 * user (libsysvm/engine_user.c), kernel (kmod/), scripted (tests).
 */
#ifndef SYSVM_VM_ENV_H
#define SYSVM_VM_ENV_H

#ifdef __KERNEL__
#include <linux/nospec.h>
#include <linux/string.h>
#include <linux/types.h>
/* An index that stays in range under misprediction too; user space has nothing to hide from itself. */
#define SYSVM_NOSPEC(index, size) array_index_nospec(index, size)
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>
#define SYSVM_NOSPEC(index, size) (index)
#endif

#include "../uapi/sysvm.h"

struct sysvm_env {
	/*
	 * Make the call with this call index (syscalls.inc). Returns what the kernel returned (-errno on failure).
	 * To stop the program before the call was made: set *stop to the status (FALLBACK, SIGNAL, YIELD) and return 0.
	 * To stop because the call itself asks to be restarted: set *stop to SYSVM_RESTART and return its -ERESTART*.
	 */
	long (*call)(struct sysvm_env *env, unsigned int index, const __u64 args[6], __u32 *stop);
	/* Copy n (1, 2, 4 or 8) bytes from or to a user address. Returns 0, or -EFAULT. */
	int (*load)(struct sysvm_env *env, __u64 address, void *to, unsigned int n);
	int (*store)(struct sysvm_env *env, __u64 address, const void *from, unsigned int n);
	/* Asked at backward jumps. Returns 0 to go on, or the status to stop with (SIGNAL, YIELD). */
	__u32 (*poll)(struct sysvm_env *env);
};

#endif
