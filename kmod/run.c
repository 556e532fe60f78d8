// SPDX-License-Identifier: GPL-2.0
/*
 * One entry: SYSVM_IOC_RUN finds the calling thread's page and the code, and runs the interpreter with the
 * kernel as its env, until the program ends or something wants it to stop.
 *
 * The page and what the caller points to are hostile: the code in a page is copied once, verified, and the
 * copy is run; a stored procedure was copied when it was defined. No lock is held while the program runs.
 *
 * A call that a signal interrupts asks the kernel for a restart (-ERESTARTSYS and its like). The run then
 * ends with that code: the kernel's own signal handling turns it into EINTR, or repeats this ioctl, which
 * goes on at the call, because the page says so and the sequence number is the same.
 *
 * Tested by tests/qemu/ (test_calls.c, test_signals.c, the case files on the kernel engine).
 */
#include <linux/file.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include <asm/unistd.h>

#include "boundary.h"
#include "context.h"
#include "hold.h"
#include "kernel_env.h"
#include "trace.h"
#include "vm/interp.c" /* The program's loop is part of the entry. */

uint sysvm_max_fuel = SYSVM_FUEL_MAX;
module_param_named(max_fuel, sysvm_max_fuel, uint, 0444);
MODULE_PARM_DESC(max_fuel, "instructions, hence calls, of one entry, at most 1048576 (1048576)");

/* The code in the page, copied and verified; or NULL, and the page says what is wrong with it. */
static noinline const struct sysvm_program *page_program(struct sysvm_thread_page *tpage, u64 seq)
{
	struct sysvm_page *mem = tpage->mem;
	u32 len = READ_ONCE(mem->code_len), error_at = 0;

	tpage->program = (struct sysvm_program){
		.code = tpage->code,
		.starts = tpage->starts,
		.len = len,
		.data_base = READ_ONCE(mem->data_base),
	};
	if (len <= SYSVM_PAGE_CODE_MAX) {
		bool refused;

		len = array_index_nospec(len, SYSVM_PAGE_CODE_MAX + 1);
		memcpy(tpage->code, mem->code, len);
		refused = sysvm_verify(tpage->code, len, tpage->starts, &error_at, NULL, 0);
		sysvm_forget_branches();
		if (!refused)
			return &tpage->program;
	}
	sysvm_set_stopped(mem, SYSVM_PROC_PAGE, seq, SYSVM_INVALID, error_at, EINVAL);
	return NULL;
}

/*
 * The kernel repeats an interrupted entry after the signal's handler. If the handler has used the page since,
 * the state to resume from is lost, and starting again would make calls twice.
 */
static inline bool lost_its_state(struct sysvm_thread_page *tpage, u64 seq)
{
	if (likely(tpage->interrupted != seq))
		return false;
	tpage->interrupted = 0;
	return READ_ONCE(tpage->mem->run_seq) != seq;
}

/* Runs the program on the task's registers, those of the plain call that brought us here; puts them back. */
static __always_inline int execute(struct sysvm_thread_page *tpage, const struct sysvm_program *program,
				   u32 proc, u64 seq, struct pt_regs *regs, unsigned long nr)
{
	unsigned long di = regs->di, si = regs->si, dx = regs->dx;
	unsigned long r10 = regs->r10, r8 = regs->r8, r9 = regs->r9;
	u32 status;

	trace_sysvm_run(proc, seq);
	tpage->env.deadline = jiffies + sysvm_entry_ticks;
	regs->ax = SYSVM_INSIDE;
	tpage->env.regs = regs;
	status = sysvm_interpret(tpage->mem, program, proc, seq, &tpage->env, &tpage->restart);
	sysvm_forget_branches(); /* The way out to user space has indirect branches. */
	regs->di = di;
	regs->si = si;
	regs->dx = dx;
	regs->r10 = r10;
	regs->r8 = r8;
	regs->r9 = r9;
	regs->orig_ax = nr;
	trace_sysvm_stop(proc, seq, status, tpage->env.calls);

	tpage->counters.calls += tpage->env.calls;
	tpage->counters.stops[status]++;
	if (likely(status != SYSVM_RESTART))
		return 0;
	tpage->interrupted = seq;
	return tpage->restart;
}

/*
 * nr: the system call that must have brought us here: it is neither a program of the machine nor another path
 * in the kernel.
 */
static noinline int enter(struct file *file, u64 seq, u32 proc, unsigned long nr)
{
	struct sysvm_context *context = file->private_data;
	struct pt_regs *regs = current_pt_regs();
	const struct sysvm_program *program;
	struct sysvm_procedure *procedure;
	struct sysvm_thread_page *tpage;
	int ret;

	if (unlikely(current->mm != context->mm))
		return -EPERM; /* An inherited or a passed descriptor. */
	if (unlikely(regs->ax != (unsigned long)-ENOSYS || regs->orig_ax != nr))
		return -EBADF;
	ret = sysvm_page_hold(file, context, proc, &tpage, &procedure);
	if (unlikely(ret))
		return ret;
	if (unlikely(lost_its_state(tpage, seq))) {
		ret = -EBUSY;
		goto out;
	}
	if (likely(procedure)) {
		atomic64_inc(&procedure->runs);
		program = &procedure->program;
	} else {
		ret = -ENOENT;
		if (proc != SYSVM_PROC_PAGE)
			goto out;
		ret = 0;
		program = page_program(tpage, seq);
		if (!program)
			goto out;
	}
	ret = execute(tpage, program, proc, seq, regs, nr);
out:
	sysvm_page_let_go(tpage);
	return ret;
}

long sysvm_run_ioctl(struct file *file, void __user *arg)
{
	struct sysvm_run run;

	if (copy_from_user(&run, arg, sizeof(run)))
		return -EFAULT;
	if (run.flags || !run.seq || run.reserved[0] || run.reserved[1])
		return -EINVAL;
	return enter(file, run.seq, run.proc, __NR_ioctl);
}

/*
 * posix_fadvise(fd, seq, proc, SYSVM_ADVICE_RUN): the shortest path to a driver's function with three
 * arguments. One reason is that no security module is asked (security_file_ioctl), so it exists only with the
 * parameter `fadvise`.
 */
int sysvm_run_fadvise(struct file *file, loff_t seq, loff_t proc, int advice)
{
	if (advice != SYSVM_ADVICE_RUN || !seq || proc != (u32)proc)
		return -EINVAL;
	return enter(file, seq, proc, __NR_fadvise64);
}
