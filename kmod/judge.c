// SPDX-License-Identifier: GPL-2.0
/*
 * Seccomp for inner calls. Without the module parameter `seccomp` a task with a filter makes no inner call at all (its
 * programs stop with FALLBACK), which is right and, in containers, useless: every task there has a filter. With it, the
 * kernel's own function is asked about each inner call, with the call's number and arguments in the task's own
 * registers, as for a plain call. What comes out of it, by the filter's verdict:
 *
 *   ALLOW, LOG    the call is made
 *   ERRNO         its result is that error
 *   TRACE         nobody traces (else we would not be here): its result is ENOSYS, as for a plain call
 *   USER_NOTIF    the supervisor sees the inner call, and answers it or lets it go on; a signal ends the wait
 *   KILL_PROCESS  the fatal signal is pending: the run ends
 *   KILL_THREAD   the thread ends here and now, inside: what the run holds is released by its task work (page.c)
 *   TRAP          a handler would find our registers in place of the application's. The signal is taken back and the
 *                 program stops with FALLBACK: the plain call that follows is trapped as it should be
 *
 * Strict mode is left alone: it allows neither of the ways into the machine. A filter that looks at the instruction
 * pointer sees that of the entry.
 *
 * Tested by tests/qemu/test_seccomp.c.
 */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/seccomp.h>
#include <linux/version.h>

#include "context.h"
#include "dispatch.h"
#include "judge.h"
#include "kernel_env.h"

static bool seccomp;
module_param(seccomp, bool, 0644);
MODULE_PARM_DESC(seccomp, "ask a task's seccomp filters about each inner call, instead of leaving all to user space");

bool sysvm_may_judge(unsigned long work)
{
	return READ_ONCE(seccomp) && work == SYSCALL_WORK_SECCOMP && current->seccomp.mode == SECCOMP_MODE_FILTER &&
	       sysvm_kernel.secure_computing && sysvm_kernel.task_work_cancel;
}

/* A task's own does not go away under it. */
static struct sighand_struct *own_sighand(void)
{
	return rcu_dereference_protected(current->sighand, true);
}

/* A SIGSYS of this thread's own is pending. */
static bool is_trapped(void)
{
	bool pending;

	spin_lock_irq(&own_sighand()->siglock);
	pending = sigismember(&current->pending.signal, SIGSYS);
	spin_unlock_irq(&own_sighand()->siglock);
	return pending;
}

static void take_back_trap(void)
{
	kernel_siginfo_t info;
	enum pid_type type;
	sigset_t all_others;

	siginitsetinv(&all_others, sigmask(SIGSYS));
	spin_lock_irq(&own_sighand()->siglock);
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	dequeue_signal(current, &all_others, &info, &type);
#else
	dequeue_signal(&all_others, &info, &type);
#endif
	spin_unlock_irq(&own_sighand()->siglock);
}

bool sysvm_judge(struct sysvm_env *env, long *result, u32 *stop)
{
	struct pt_regs *regs = env->regs;
	unsigned long nr = regs->orig_ax;
	int skip;

	*result = 0;
	/* A trap that waits already (blocked) could not be told from one that is set now. */
	if (is_trapped() || !sysvm_page_release_at_exit(container_of(env, struct sysvm_thread_page, env))) {
		*stop = SYSVM_FALLBACK;
		return false;
	}
	regs->ax = -ENOSYS;
	skip = sysvm_kernel.secure_computing(NULL);
	*result = regs->ax;
	regs->ax = SYSVM_INSIDE;
	if (!skip)
		return true;
	if (fatal_signal_pending(current) || current->seccomp.mode != SECCOMP_MODE_FILTER) {
		*stop = SYSVM_SIGNAL;
		*result = 0;
	} else if (*result == nr && is_trapped()) {
		take_back_trap();
		*stop = SYSVM_FALLBACK;
		*result = 0;
	}
	return false;
}
