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
#include <linux/compiler.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/nospec.h>
#define SYSVM_UNLIKELY(condition) unlikely(condition)
/* i, which is below n even when the check of it was mispredicted */
#define SYSVM_INDEX(i, n) array_index_nospec(i, n)
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>
#define SYSVM_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define SYSVM_INDEX(i, n) (i)
#endif

#include "../uapi/sysvm.h"

/* What the interpreter needs to know of a call's opcode, in one load. */
struct sysvm_call_op {
	__u16 nr;
	__u8 index;
	__u8 nargs;
	__u8 size; /* bytes; 1: short form */
	__u8 look; /* its arguments or its effects are checked: kernel engine */
	__u8 reserved[2];
};

/* A call about the name of a dirent (entries.c); its arguments are set. */
struct sysvm_entry {
	const struct sysvm_call_op *call;
	__u64 entry, next, end; /* addresses of the dirent, of the one after it, and past the last one */
	__u64 most;		/* calls, this one included, that may be made */
	__u16 kinds;		/* after which the instruction ends */
	/* Of a call that was made, and did not fail: */
	__u64 device; /* as st_dev */
	__u32 mode;
};

#ifdef SYSVM_FIXED_ENV
/*
 * One env for the whole program, known when it is compiled: its functions are called directly. It defines
 * struct sysvm_env, SYSVM_ARGS and the functions below (kmod/kernel_env.h).
 */
#include SYSVM_FIXED_ENV
#else
struct sysvm_env {
	/*
	 * Make the call with this call index (syscalls.inc). Returns what the kernel returned (-errno on
	 * failure). To stop the program before the call was made: set *stop to the status (FALLBACK, SIGNAL,
	 * YIELD) and return 0. To stop because the call itself asks to be restarted: set *stop to
	 * SYSVM_RESTART and return its -ERESTART*.
	 */
	long (*call)(struct sysvm_env *env, unsigned int index, const __u64 args[6], __u32 *stop);
	/* Copy n (1, 2, 4 or 8) bytes from or to a user address. Returns 0, or -EFAULT. */
	int (*load)(struct sysvm_env *env, __u64 address, void *to, unsigned int n);
	int (*store)(struct sysvm_env *env, __u64 address, const void *from, unsigned int n);
	/* Asked at backward jumps. Returns 0 to go on, or the status to stop with (SIGNAL, YIELD). */
	__u32 (*poll)(struct sysvm_env *env);
	__u64 args[6]; /* of the call that is being made */
	__u64 calls;   /* out: how many the last run made */
	__u32 stop;    /* of the run: the status that a call stopped it with, or 0 */
	__u32 nr;      /* of the call that is being made: the system call's number */
};

/*
 * Where the arguments of a call are put, in order from the first; the kernel's keep what earlier calls left
 * there.
 */
#define SYSVM_ARGS __u64

static inline SYSVM_ARGS *sysvm_env_args(struct sysvm_env *env)
{
	return env->args;
}

static inline void sysvm_put_arg(SYSVM_ARGS *args, unsigned int i, __u64 value)
{
	args[i] = value;
}

/* What call() says. */
static inline long sysvm_env_call(struct sysvm_env *env, const SYSVM_ARGS *args,
				  const struct sysvm_call_op *call, __u32 *stop)
{
	long result;
	int i;

	env->nr = call->nr;
	result = env->call(env, call->index, args, stop);
	for (i = 0; i < 6; i++) /* for the next call, which may have fewer */
		env->args[i] = 0;
	return result;
}

/* A result that needs a second look: *stop was set, or it is an error. */
#define SYSVM_MAY_HAVE_STOPPED(result, stop) ((stop) || (unsigned long)(result) >= (unsigned long)-4095L)

/*
 * An engine's own way to make a call about one of many names. True: the call was made, with this result.
 * False: nothing was done. At the end the engine releases what it kept from one name to the next.
 */
static inline void sysvm_env_entries_end(struct sysvm_env *env)
{
	(void)env;
}

static inline bool sysvm_env_entry(struct sysvm_env *env, struct sysvm_entry *entry, long *result)
{
	(void)env, (void)entry, (void)result;
	return false;
}

static inline int sysvm_env_load(struct sysvm_env *env, __u64 address, void *to, unsigned int n)
{
	return env->load(env, address, to, n);
}

static inline int sysvm_env_store(struct sysvm_env *env, __u64 address, const void *from, unsigned int n)
{
	return env->store(env, address, from, n);
}

static inline __u32 sysvm_env_poll(struct sysvm_env *env)
{
	return env->poll(env);
}

static inline __u64 sysvm_env_max_fuel(void)
{
	return SYSVM_FUEL_MAX;
}
#endif

#endif
