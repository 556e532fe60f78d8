// SPDX-License-Identifier: GPL-2.0
/*
 * Between two calls a plain program is in user space, and on its way there the kernel does what it must:
 * delivers signals, runs deferred work, lets others run. For a program in the machine this is checked here
 * instead, before every call and at every backward jump, and the program leaves when there is something to
 * do.
 *
 * - A seccomp filter, tracer, auditor or system call tracepoint judges calls where they enter the kernel,
 *   which inner calls do not: with any of them set on the task, the program stops and user space makes the
 *   calls plainly. Checked before every call, because in the middle of a run another thread can set a filter
 *   for all, and a tracer can attach.
 * - A signal stops it where a plain program would have taken it.
 * - close() leaves the last part of its work to the return to user space on kernels before 6.6 (a pipe's
 *   reader sees the end of file only then): that is done in place.
 * - One entry lasts about 5 ms: cond_resched() does nothing on preemptible kernels, and some parts of the
 *   kernel wait until each task has been in user space.
 *
 * Tested by tests/qemu/ (test_judged.c, test_midrun.c, test_observed.c, test_seccomp.c).
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>

#include "boundary.h"
#include "context.h"
#include "dispatch.h"
#include "judge.h"
#include "kernel_env.h"
#include "uapi/sysvm.h"

static ushort entry_ms = 5;
module_param(entry_ms, ushort, 0444);
MODULE_PARM_DESC(entry_ms, "milliseconds that one entry may last, 1 to 100 (5)");

unsigned long sysvm_entry_ticks __ro_after_init;

void __init sysvm_boundary_init(void)
{
	/* Left when the deadline's tick is over, so one tick less: 4-8 ms at 250 Hz. */
	unsigned long ticks = msecs_to_jiffies(clamp_t(unsigned int, entry_ms, 1, 100));

	sysvm_entry_ticks = ticks > 1 ? ticks - 1 : 1;
}

/*
 * Work of others: a run under a filter has queued something itself, in case its task ends inside (page.c). It
 * is recognised by its address, and read only if it is ours, which nobody else removes.
 */
static bool has_task_work(const struct sysvm_env *env)
{
	const struct callback_head *own = &container_of(env, struct sysvm_thread_page, env)->at_exit;
	const struct callback_head *first = READ_ONCE(current->task_works);

	return first && (first != own || READ_ONCE(own->next));
}

/*
 * TIF_NOTIFY_RESUME alone says little: with restartable sequences, which the C library uses, every call that
 * slept raises it, and they matter only at the return to user space itself.
 */
static bool has_work_on_return(const struct sysvm_env *env)
{
#ifdef CONFIG_MEMCG
	if (READ_ONCE(current->memcg_nr_pages_over_high))
		return true;
#endif
	return has_task_work(env);
}

bool sysvm_boundary_has_news(void)
{
	return READ_ONCE(current->ptrace) ||
	       READ_ONCE(current_thread_info()->syscall_work) != SYSCALL_WORK_SECCOMP;
}

/*
 * Something may want this task to stop, or did a moment ago. Let others run first: one of them may attach to
 * it.
 */
noinline u32 sysvm_boundary_look(const struct sysvm_env *env)
{
	unsigned long work;
	unsigned long flags;

	sysvm_forget_branches();
	cond_resched();
	work = READ_ONCE(current_thread_info()->syscall_work);
	if (READ_ONCE(current->ptrace) || (work && !sysvm_may_judge(work)))
		return SYSVM_FALLBACK;
	if (signal_pending(current))
		return SYSVM_SIGNAL;
	flags = READ_ONCE(current_thread_info()->flags);
	if (flags & (_TIF_PATCH_PENDING | _TIF_UPROBE))
		return SYSVM_YIELD;
	if (flags & _TIF_NOTIFY_RESUME && has_work_on_return(env))
		return SYSVM_YIELD;
	return work ? SYSVM_JUDGED : 0;
}

/* After a call that may have closed a file. Holds nothing. */
void sysvm_boundary_after_close(void)
{
	if (task_work_pending(current))
		sysvm_run_task_work();
}
