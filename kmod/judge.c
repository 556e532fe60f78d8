// SPDX-License-Identifier: GPL-2.0
/*
 * Seccomp for inner calls. Without the module parameter `seccomp` a task with a filter makes no inner call at
 * all (its programs stop with FALLBACK), which is right and, in containers, useless: every task there has a
 * filter. With it, the kernel's own function is asked about each inner call, with the call's number and
 * arguments in the task's own registers, as for a plain call. What comes out of it, by the filter's verdict:
 *
 *   ALLOW, LOG    the call is made ERRNO         its result is that error TRACE         there is no tracer
 *   (else we would not be here): the result is ENOSYS, as for a plain call USER_NOTIF    the supervisor sees
 *   the inner call, and answers it or lets it go on; a signal ends the wait KILL_PROCESS  the fatal signal is
 *   pending: the run ends KILL_THREAD   the thread ends here and now, inside: its task work (page.c) releases
 *   what the run holds TRAP          a handler would find our registers in place of the application's. The
 *   signal is taken back
 *                 and the program stops with FALLBACK: the plain call that follows is trapped as it should be
 *
 * All that is right for a call that the application makes, and wrong for one that it may never make: a trap
 * unblocks SIGSYS and resets its action before anybody can take the signal back, a kill kills, a supervisor
 * sees. So the programs of a context that runs ahead (SYSVM_CONTEXT_AHEAD) stop before a call that the
 * filters do not plainly allow: whatever its arguments are. The kernel itself works out which calls those are
 * when a filter is set (since 5.11).
 *
 * While a filter is asked, a supervisor or a new tracer may change the call, and a filter or tracer may
 * arrive that was not asked. Then the program stops, and the plain call is judged anew.
 *
 * Strict mode needs no care: it allows neither of the two ways into the machine. A filter that checks the
 * instruction pointer sees that of the entry.
 *
 * Tested by tests/qemu/test_seccomp.c.
 */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <linux/seccomp.h>
#include <linux/string.h>
#include <linux/version.h>
#include <asm/unistd.h>

#include "boundary.h"
#include "context.h"
#include "dispatch.h"
#include "judge.h"
#include "kernel_env.h"

static bool seccomp;
module_param(seccomp, bool, 0644);
MODULE_PARM_DESC(seccomp,
		 "ask a task's seccomp filters about each inner call, instead of leaving all to user space");

bool sysvm_may_judge(unsigned long work)
{
	return READ_ONCE(seccomp) && work == SYSCALL_WORK_SECCOMP &&
	       current->seccomp.mode == SECCOMP_MODE_FILTER && sysvm_can_judge;
}

/* A task's own filter does not go away while it runs. */
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

/*
 * How seccomp.c's own struct seccomp_filter begins, which holds the calls that it and all filters below it
 * plainly allow. It has begun so since 5.19; tests/qemu/filter_layout.c compares it with the kernel's type
 * information, and on a kernel newer than those it was run on nothing counts as plainly allowed. The kernel
 * is asked all the same: a wrong guess allows nothing.
 */
struct filter_start {
	refcount_t refs, users;
	bool log, wait_killable_recv;
	DECLARE_BITMAP(plainly_allowed, NR_syscalls);
};

#define FILTER_START_IS_KNOWN                                                                        \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(5, 19, 0) && LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0))

static bool guessed_wrong; /* the kernel has refused what is plainly allowed; never goes back */

/* The filter is the task's own: it stays while the task lives, below any that is set later. */
static bool is_plainly_allowed(unsigned long nr)
{
	const struct filter_start *filter = (const struct filter_start *)READ_ONCE(current->seccomp.filter);

	return FILTER_START_IS_KNOWN && !READ_ONCE(guessed_wrong) && filter && nr < NR_syscalls &&
	       test_bit(nr, filter->plainly_allowed);
}

/* The call as a tracer may change it. */
struct call {
	unsigned long nr, args[6];
};

static struct call call_of(const struct pt_regs *regs)
{
	return (struct call){ regs->orig_ax,
			      { regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9 } };
}

bool sysvm_judge(struct sysvm_env *env, long *result, u32 *stop)
{
	struct sysvm_thread_page *tpage = container_of(env, struct sysvm_thread_page, env);
	const struct sysvm_context *context = tpage->file->private_data;
	struct pt_regs *regs = env->regs;
	struct call asked = call_of(regs), allowed;
	unsigned long nr = asked.nr;
	bool ahead = READ_ONCE(context->ahead);
	bool permitted;

	*result = 0;
	/* A trap that is pending already (blocked) could not be told from one that is set now. */
	if ((ahead && !is_plainly_allowed(nr)) || is_trapped() || !sysvm_page_release_at_exit(tpage)) {
		*stop = SYSVM_FALLBACK;
		return false;
	}
	regs->ax = -ENOSYS;
	sysvm_forget_branches();
	permitted = sysvm_filters_permit();
	*result = regs->ax;
	regs->ax = SYSVM_INSIDE;
	if (permitted) {
		allowed = call_of(regs);
		if (!memcmp(&allowed, &asked, sizeof(asked)) && !sysvm_boundary_has_news())
			return true;
		*stop = SYSVM_FALLBACK;
		*result = 0;
		return false;
	}
	if (ahead && !xchg(&guessed_wrong, true))
		pr_warn("sysvm: struct seccomp_filter is not as known: nothing runs ahead under filters\n");
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
