// SPDX-License-Identifier: GPL-2.0
/*
 * One entry: SYSVM_IOC_RUN finds the calling thread's page and the code, and lets the interpreter loose with the
 * kernel as its env, until the program ends or something wants it to stop.
 *
 * The page and what the caller points to are hostile: the code in a page is copied once, verified, and the copy is
 * run; a stored procedure was copied when it was defined. No lock is held while the program runs.
 *
 * A call that a signal interrupts asks the kernel for a restart (-ERESTARTSYS and its like). The run then ends with
 * that code: the kernel's own signal handling turns it into EINTR, or repeats this ioctl, which goes on at the call,
 * because the page says so and the sequence number is the same.
 *
 * Tested by tests/qemu/ (test_module.c, the case files on the kernel engine).
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "boundary.h"
#include "context.h"
#include "dispatch.h"
#include "uapi/syscalls.h"

struct run {
	struct sysvm_env env;
	struct sysvm_boundary boundary;
};

static long result_of_interruption(long result, u32 *stop)
{
	switch (result) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
		if (signal_pending(current)) {
			*stop = SYSVM_RESTART;
			return result;
		}
		return -EINTR; /* No signal: nobody would turn the code into anything, and it is not for user space. */
	case -ERESTART_RESTARTBLOCK:
		return -EINTR; /* Its restart would not come back here. No row returns it. */
	}
	return result;
}

static long run_call(struct sysvm_env *env, unsigned int index, const __u64 args[6], __u32 *stop)
{
	struct run *run = container_of(env, struct run, env);
	long result;

	*stop = sysvm_boundary_check(&run->boundary);
	if (*stop)
		return 0;
	switch (sysvm_allow(index, args)) {
	case SYSVM_ALLOWED:
		break;
	case SYSVM_NOT_A_DESCRIPTOR:
		return -EBADF;
	case SYSVM_NOT_HERE:
		*stop = SYSVM_FALLBACK;
		return 0;
	}
	result = sysvm_dispatch(index, args);
	switch (index) {
	case SYSVM_CALL_close:
	case SYSVM_CALL_dup2:
	case SYSVM_CALL_dup3:
		sysvm_boundary_after_close();
	}
	return result_of_interruption(result, stop);
}

static int run_load(struct sysvm_env *env, __u64 address, void *to, unsigned int n)
{
	return copy_from_user(to, u64_to_user_ptr(address), n) ? -EFAULT : 0;
}

static int run_store(struct sysvm_env *env, __u64 address, const void *from, unsigned int n)
{
	return copy_to_user(u64_to_user_ptr(address), from, n) ? -EFAULT : 0;
}

static __u32 run_poll(struct sysvm_env *env)
{
	return sysvm_boundary_check(&container_of(env, struct run, env)->boundary);
}

static long execute(struct sysvm_thread_page *tpage, const struct sysvm_program *program, u32 proc, u64 seq)
{
	struct run run = {
		.env = { .call = run_call, .load = run_load, .store = run_store, .poll = run_poll },
	};
	long restart = 0;

	sysvm_boundary_init(&run.boundary);
	if (sysvm_execute(tpage->mem, program, proc, seq, &run.env, &restart) != SYSVM_RESTART)
		return 0;
	tpage->interrupted = seq;
	return restart;
}

static long run_page_code(struct sysvm_thread_page *tpage, u64 seq)
{
	struct sysvm_page *mem = tpage->mem;
	struct sysvm_program program = {
		.code = tpage->code,
		.starts = tpage->starts,
		.len = READ_ONCE(mem->code_len),
		.data_base = READ_ONCE(mem->data_base),
	};
	u32 error_at;

	if (program.len > SYSVM_PAGE_CODE_MAX) {
		sysvm_set_stopped(mem, SYSVM_PROC_PAGE, seq, SYSVM_INVALID, 0, EINVAL);
		return 0;
	}
	memcpy(tpage->code, mem->code, program.len);
	if (sysvm_verify(tpage->code, program.len, tpage->starts, &error_at, NULL, 0)) {
		sysvm_set_stopped(mem, SYSVM_PROC_PAGE, seq, SYSVM_INVALID, error_at, EINVAL);
		return 0;
	}
	return execute(tpage, &program, SYSVM_PROC_PAGE, seq);
}

static long run_procedure(struct sysvm_context *context, struct sysvm_thread_page *tpage, u32 number, u64 seq)
{
	struct sysvm_procedure *procedure = sysvm_procedure_get(context, number);
	struct sysvm_program program;
	long ret;

	if (!procedure)
		return -ENOENT;
	program = (struct sysvm_program){
		.code = procedure->code,
		.starts = procedure->starts,
		.len = procedure->len,
		.data_base = procedure->data_base,
	};
	ret = execute(tpage, &program, number, seq);
	sysvm_procedure_put(procedure);
	return ret;
}

/*
 * The kernel repeats an interrupted ioctl after the signal's handler. If the handler has used the page meanwhile, the
 * state to go on from is lost, and to start again would make calls twice.
 */
static bool lost_its_state(struct sysvm_thread_page *tpage, u64 seq)
{
	if (tpage->interrupted != seq)
		return false;
	tpage->interrupted = 0;
	return READ_ONCE(tpage->mem->run_seq) != seq;
}

long sysvm_run_ioctl(struct sysvm_context *context, struct file *file, void __user *arg)
{
	struct sysvm_thread_page *tpage;
	struct sysvm_run run;
	long ret;

	if (copy_from_user(&run, arg, sizeof(run)))
		return -EFAULT;
	if (run.flags || !run.seq || run.reserved[0] || run.reserved[1])
		return -EINVAL;
	tpage = sysvm_page_get(context);
	if (!tpage)
		return -ENXIO;
	/* ioctl() of a process with one thread only borrows the file, and the program may close it. */
	get_file(file);
	ret = -EBUSY;
	if (test_and_set_bit_lock(0, &tpage->busy))
		goto out_put;
	if (!lost_its_state(tpage, run.seq)) {
		if (run.proc == SYSVM_PROC_PAGE)
			ret = run_page_code(tpage, run.seq);
		else
			ret = run_procedure(context, tpage, run.proc, run.seq);
	}
	clear_bit_unlock(0, &tpage->busy);
out_put:
	sysvm_page_put(tpage);
	fput(file);
	return ret;
}
