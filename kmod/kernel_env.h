/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel as the interpreter's env (vm/env.h): what is done for every call of a program stands here,
 * inline, so that a call costs little more than itself. What is rarely needed is in boundary.c and allow.c.
 *
 * A call is made on the task's own registers, those that the kernel saved at entry: they hold the inner
 * call's number and arguments while it runs, so whatever reads them (seccomp, security modules,
 * /proc/PID/syscall) sees what it would see of a plain call. They are restored when the run ends (run.c),
 * before the way out to user space reads them.
 */
#ifndef SYSVM_KERNEL_ENV_H
#define SYSVM_KERNEL_ENV_H

#include <linux/jiffies.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "boundary.h"
#include "dispatch.h"
#include "names.h"

extern uint sysvm_max_fuel; /* run.c; within bounds, set at load */

struct sysvm_env {
	struct pt_regs *regs;
	unsigned long deadline; /* jiffies */
	u64 calls;		/* out: how many the run made */
	u32 stop;		/* the status that a call stopped the run with, or 0; its thread's alone */
	struct sysvm_directory directory;
};

/* 0, the status to stop with, or SYSVM_JUDGED. Asked before every call and at every backward jump. */
static __always_inline u32 sysvm_env_look(struct sysvm_env *env)
{
	unsigned long now = jiffies;

	if (unlikely(time_after(now, env->deadline)))
		return SYSVM_YIELD;
	if (unlikely(READ_ONCE(current_thread_info()->syscall_work) | READ_ONCE(current->ptrace)) ||
	    unlikely(READ_ONCE(current_thread_info()->flags) & SYSVM_BOUNDARY_FLAGS))
		return sysvm_boundary_look(env);
	return 0;
}

static __always_inline u32 sysvm_env_poll(struct sysvm_env *env)
{
	u32 why = sysvm_env_look(env);

	return why == SYSVM_JUDGED ? 0 : why;
}

#define SYSVM_ARGS struct pt_regs

static __always_inline SYSVM_ARGS *sysvm_env_args(struct sysvm_env *env)
{
	return env->regs;
}

static __always_inline void sysvm_put_arg(SYSVM_ARGS *regs, unsigned int i, u64 value)
{
	switch (i) {
	case 0:
		regs->di = value;
		break;
	case 1:
		regs->si = value;
		break;
	case 2:
		regs->dx = value;
		break;
	case 3:
		regs->r10 = value;
		break;
	case 4:
		regs->r8 = value;
		break;
	case 5:
		regs->r9 = value;
		break;
	}
}

/* A program is stopped only with a result that looks like an error: all others need no second look. */
#define SYSVM_MAY_HAVE_STOPPED(result, stop) IS_ERR_VALUE(result)

/* stop is env->stop. */
static __always_inline long sysvm_env_call(struct sysvm_env *env, SYSVM_ARGS *regs,
					   const struct sysvm_call_op *call, u32 *stop)
{
	u32 why = sysvm_env_look(env);
	long result;

	regs->orig_ax = call->nr;
	if (unlikely(why) || unlikely(call->look))
		return sysvm_dispatch_slowly(env, call->index, why);
	result = sysvm_dispatch(regs, call->index);
	if (IS_ERR_VALUE(result))
		return sysvm_after_error(env, result);
	return result;
}

/* names.c has a short path for stat; statx is an ordinary call. */
static inline bool sysvm_env_entry(struct sysvm_env *env, struct sysvm_entry *entry, long *result)
{
	env->regs->orig_ax = entry->call->nr;
	return sysvm_name_stat(env, entry, result);
}

static inline void sysvm_env_entries_end(struct sysvm_env *env)
{
	sysvm_directory_leave(&env->directory);
}

static inline int sysvm_env_load(struct sysvm_env *env, u64 address, void *to, unsigned int n)
{
	u64 value;

	sysvm_forget_branches();
	if (n != sizeof(value)) /* Most loads are of a word, which needs none of the checks of an object. */
		return copy_from_user(to, u64_to_user_ptr(address), n) ? -EFAULT : 0;
	if (get_user(value, (u64 __user *)u64_to_user_ptr(address)))
		return -EFAULT;
	memcpy(to, &value, sizeof(value));
	return 0;
}

static inline int sysvm_env_store(struct sysvm_env *env, u64 address, const void *from, unsigned int n)
{
	u64 value;

	sysvm_forget_branches();
	if (n != sizeof(value))
		return copy_to_user(u64_to_user_ptr(address), from, n) ? -EFAULT : 0;
	memcpy(&value, from, sizeof(value));
	return put_user(value, (u64 __user *)u64_to_user_ptr(address));
}

static inline u64 sysvm_env_max_fuel(void)
{
	return sysvm_max_fuel;
}

#endif
