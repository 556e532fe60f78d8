// SPDX-License-Identifier: GPL-2.0
/*
 * The module parameter seccomp=1: a task with a filter keeps the machine, and each inner call gets from the
 * filter what the plain call would have got. Each test makes the call both ways under the same filter.
 */
#include "harness.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <time.h>

/* getppid gets this verdict, all else is allowed. */
static int set_filter(unsigned int verdict, unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, verdict),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };
	int ret;

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ret = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
	CHECK(ret >= 0);
	return ret;
}

/* getpid, then getppid, in one program. Returns what the last entry did. */
static int run_getppid(struct machine *m)
{
	struct program p = { 0 };

	CALL(&p, getpid, 1);
	CALL_GO_ON(&p, getppid, 2);
	CALL(&p, getuid, 3);
	finish(&p);
	m->page->reg[2] = 77;
	return machine_run_on(m, &p); /* waiting takes time */
}

static void expect_result(struct machine *m, int64_t result)
{
	CHECK_EQ(run_getppid(m), 0);
	CHECK_EQ(m->page->status, SYSVM_DONE);
	CHECK_EQ(m->page->reg[1], getpid());
	CHECK_EQ((int64_t)m->page->reg[2], result);
	CHECK_EQ(m->page->reg[3], getuid());
}

static void allowed_calls_are_made(void)
{
	struct machine m = machine_open();

	set_filter(SECCOMP_RET_ALLOW, 0);
	expect_result(&m, getppid());
	set_filter(SECCOMP_RET_LOG, 0);
	expect_result(&m, getppid());
}

/*
 * Sleeping makes the task look as if it had work to do on its way out (restartable sequences), and a run that
 * is judged has some queued itself. The entry's time may be over on a busy machine, so one of many is enough;
 * with the work taken for another's there is none.
 */
static void a_call_that_sleeps_does_not_end_a_run_that_is_judged(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	int to[2], from[2], done = 0;
	char byte = 0;

	CHECK(!pipe(to) && !pipe(from));
	if (!fork()) {
		close(to[1]);
		close(m.fd);
		while (read(to[0], &byte, 1) == 1)
			(void)!write(from[1], &byte, 1);
		_exit(0);
	}
	set_filter(SECCOMP_RET_ALLOW, 0);
	set(&p, 1, to[1]);
	set(&p, 2, (uintptr_t)&byte);
	set(&p, 3, 1);
	set(&p, 4, from[0]);
	CALL(&p, write, 10, 1, 2, 3);
	CALL(&p, read, 11, 4, 2, 3);
	CALL(&p, getpid, 12);
	finish(&p);
	machine_load(&m, &p);
	for (int i = 0; i < 50; i++) {
		m.page->reg[12] = 0;
		m.page->fuel = SYSVM_FUEL_MAX;
		CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, ++m.seq), 0);
		if (m.page->status == SYSVM_DONE) {
			CHECK_EQ(m.page->reg[12], getpid());
			done++;
			continue;
		}
		CHECK_EQ(m.page->status, SYSVM_YIELD);
		while (m.page->status != SYSVM_DONE)
			CHECK_EQ(machine_resume(&m), 0);
	}
	printf("%d of 50 runs in one entry\n", done);
	CHECK(done > 0);
}

static void an_errno_verdict_is_the_result(void)
{
	struct machine m = machine_open();

	set_filter(SECCOMP_RET_ERRNO | ENOTTY, 0);
	CHECK_FAILS(syscall(SYS_getppid), ENOTTY);
	expect_result(&m, -ENOTTY);
	expect_result(&m, -ENOTTY);
}

static void arguments_are_those_of_the_inner_call(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	/* lseek is allowed, but not with whence 7 in the third argument and 9 in the second. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 9, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), 0);
	set(&p, 1, -1);
	set(&p, 2, 9);
	set(&p, 3, 7);
	set(&p, 4, 8);
	CALL_GO_ON(&p, lseek, 10, 1, 2, 3);
	CALL_GO_ON(&p, lseek, 11, 1, 4, 3);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ((int64_t)m.page->reg[10], -EXDEV);
	CHECK_EQ((int64_t)m.page->reg[11], -EBADF);
}

/* Nobody traces: the kernel answers ENOSYS. */
static void a_trace_verdict_without_a_tracer_is_ENOSYS(void)
{
	struct machine m = machine_open();

	set_filter(SECCOMP_RET_TRACE, 0);
	CHECK_FAILS(syscall(SYS_getppid), ENOSYS);
	expect_result(&m, -ENOSYS);
}

static void killing_the_process_ends_it_as_the_plain_call_does(void)
{
	for (int inside = 0; inside < 2; inside++) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			struct machine m = machine_open();

			set_filter(SECCOMP_RET_KILL_PROCESS, 0);
			if (inside)
				run_getppid(&m);
			else
				syscall(SYS_getppid);
			_exit(1);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

static struct machine threads_machine;
static int thread_went_on;

static void *be_killed(void *unused)
{
	struct machine m = { .fd = threads_machine.fd };
	struct program *p = calloc(1, sizeof(*p));
	struct sysvm_define d = { 0 };

	(void)unused;
	m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	CHECK(m.page != MAP_FAILED);
	CALL(p, getppid, 1);
	finish(p);
	d.code = (uintptr_t)p->code;
	d.code_len = p->len;
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_DEFINE, &d), 0);
	set_filter(SECCOMP_RET_KILL_THREAD, 0);
	m.page->fuel = 100;
	machine_enter(&m, d.proc, 2);
	thread_went_on = 1;
	return NULL;
}

/*
 * The thread ends inside the entry, by do_exit(): the file, the page and the procedure that its run held are
 * let go, and the reference that the system call itself had taken. the_module_can_be_removed_and_loaded_again
 * sees what is left.
 */
static void killing_one_thread_leaves_the_others_and_nothing_held(void)
{
	threads_machine = machine_open();
	for (int i = 0; i < 20; i++) {
		pthread_t thread;
		struct timespec pause = { 0, 20000000 };

		CHECK_EQ(pthread_create(&thread, NULL, be_killed, NULL), 0);
		pthread_detach(thread);
		nanosleep(&pause, NULL);
	}
	CHECK_EQ(thread_went_on, 0);
	expect_result(&threads_machine, getppid());
}

static volatile int trapped;
static siginfo_t trap_info;

static void on_trap(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;

	(void)signal;
	trapped++;
	trap_info = *info;
	c->uc_mcontext.gregs[REG_RAX] = 4711; /* what a sandbox's handler does: it answers the call itself */
}

static void a_trap_is_left_to_the_plain_call(void)
{
	struct machine m = machine_open();
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	CHECK_EQ(sigaction(SIGSYS, &action, NULL), 0);
	set_filter(SECCOMP_RET_TRAP | 5, 0);
	CHECK_EQ(run_getppid(&m), 0);
	CHECK_EQ(m.page->status, SYSVM_FALLBACK);
	CHECK_EQ(m.page->reg[1], getpid());
	CHECK_EQ(m.page->reg[2], 77);
	CHECK_EQ(trapped, 0);
	CHECK_EQ(syscall(SYS_getppid), 4711); /* the plain call, as the library makes it */
	CHECK_EQ(trapped, 1);
	CHECK_EQ(trap_info.si_syscall, SYS_getppid);
	CHECK_EQ(trap_info.si_errno, 5);
}

static void *supervise(void *listener)
{
	int fd = (int)(intptr_t)listener;

	for (int i = 0; i < 3; i++) {
		struct seccomp_notif request = { 0 };
		struct seccomp_notif_resp response = { 0 };

		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &request) < 0)
			return (void *)1;
		if (request.data.nr != SYS_getppid)
			return (void *)2;
		response.id = request.id;
		if (i == 0)
			response.val = 1234;
		else if (i == 1)
			response.error = -EDOM;
		else
			response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0)
			return (void *)3;
	}
	return NULL;
}

static void a_supervisor_answers_an_inner_call(void)
{
	struct machine m = machine_open();
	pthread_t thread;
	void *result;
	int listener = set_filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);

	CHECK_EQ(pthread_create(&thread, NULL, supervise, (void *)(intptr_t)listener), 0);
	expect_result(&m, 1234);
	expect_result(&m, -EDOM);
	CHECK_EQ(run_getppid(&m), 0);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK(m.page->reg[2] != 1234 && (int64_t)m.page->reg[2] >= 0);
	CHECK_EQ(pthread_join(thread, &result), 0);
	CHECK_EQ((intptr_t)result, 0);
}

/* ---- what runs ahead ---- */

static void run_ahead(struct machine *m, unsigned int flags)
{
	struct sysvm_context_settings settings = { .flags = flags };

	CHECK_EQ(ioctl(m->fd, SYSVM_IOC_CONTEXT, &settings), 0);
}

/*
 * getpid is made, which is plainly allowed; then the program stops before getppid, and has changed nothing.
 */
static void expect_stop_before_getppid(struct machine *m)
{
	m->page->calls = 0;
	CHECK_EQ(run_getppid(m), 0);
	CHECK_EQ(m->page->status, SYSVM_FALLBACK);
	CHECK_EQ(m->page->calls, 1);
	CHECK_EQ(m->page->reg[1], getpid());
	CHECK_EQ(m->page->reg[2], 77);
}

/* Nothing of what a filter does to the application may come from a call that it has not made. */
static void what_runs_ahead_stops_before_what_is_not_plainly_allowed(void)
{
	static const unsigned int verdicts[] = {
		SECCOMP_RET_LOG,  SECCOMP_RET_TRACE,	   SECCOMP_RET_ERRNO | ENOTTY,
		SECCOMP_RET_TRAP, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS
	};

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		IN_CHILD({
			struct machine m = machine_open();

			run_ahead(&m, SYSVM_CONTEXT_AHEAD);
			set_filter(verdicts[i], 0);
			expect_stop_before_getppid(&m);
			set_filter(SECCOMP_RET_ALLOW, 0); /* a later one cannot allow it */
			expect_stop_before_getppid(&m);
		});
}

static void what_runs_ahead_makes_what_is_plainly_allowed(void)
{
	struct machine m = machine_open();

	run_ahead(&m, SYSVM_CONTEXT_AHEAD);
	set_filter(SECCOMP_RET_ALLOW, 0);
	expect_result(&m, getppid());
	set_filter(SECCOMP_RET_ERRNO | ENOTTY, 0);
	expect_stop_before_getppid(&m);
	run_ahead(&m, 0); /* the same by a program that is the application's own */
	expect_result(&m, -ENOTTY);
}

/* A trap unblocks SIGSYS and resets its action before anybody can take it back. */
static void a_trap_of_what_runs_ahead_leaves_SIGSYS_as_it_was(void)
{
	struct machine m = machine_open();
	struct sigaction action = { .sa_handler = SIG_IGN };
	sigset_t set, blocked;

	run_ahead(&m, SYSVM_CONTEXT_AHEAD);
	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_EQ(sigaction(SIGSYS, &action, NULL), 0);
	set_filter(SECCOMP_RET_TRAP, 0);
	expect_stop_before_getppid(&m);
	CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &blocked), 0);
	CHECK(sigismember(&blocked, SIGSYS));
	CHECK_EQ(sigaction(SIGSYS, NULL, &action), 0);
	CHECK(action.sa_handler == SIG_IGN);
}

static void no_supervisor_sees_what_runs_ahead(void)
{
	struct machine m = machine_open();
	int listener;

	run_ahead(&m, SYSVM_CONTEXT_AHEAD);
	listener = set_filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	expect_stop_before_getppid(&m); /* and does not wait for ever */
	struct pollfd ready = { .fd = listener, .events = POLLIN };
	CHECK_EQ(poll(&ready, 1, 0), 0);
}

static void what_a_context_is_has_no_other_flags(void)
{
	struct machine m = machine_open();
	struct sysvm_context_settings settings = { .flags = 2 };

	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_CONTEXT, &settings), EINVAL);
	settings.flags = 0;
	for (int i = 0; i < 3; i++) {
		settings.reserved[i] = 1;
		CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_CONTEXT, &settings), EINVAL);
		settings.reserved[i] = 0;
	}
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_CONTEXT, NULL), EFAULT);
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_CONTEXT, &settings), 0);
}

/* ---- a tracer that comes while a filter is asked ---- */

static volatile struct shared_with_tracer {
	int asked, attached, let_go;
	uint32_t status;
	uint64_t calls, result;
} *shared;

/* Lets the call go on, but not before a tracer is there. */
static void *supervise_for_tracer(void *listener)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_resp response = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

	CHECK_EQ(ioctl((int)(intptr_t)listener, SECCOMP_IOCTL_NOTIF_RECV, &request), 0);
	response.id = request.id;
	shared->asked = 1;
	while (!shared->attached)
		sched_yield();
	CHECK_EQ(ioctl((int)(intptr_t)listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
	return NULL;
}

static void be_traced_while_a_filter_is_asked(void)
{
	struct machine m = machine_open();
	int listener = set_filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, supervise_for_tracer, (void *)(intptr_t)listener), 0);
	CHECK_EQ(run_getppid(&m), 0);
	shared->status = m.page->status;
	shared->calls = m.page->calls;
	shared->result = m.page->reg[2];
	while (!shared->let_go)
		sched_yield();
}

/*
 * A tracer attaches while the machine asks the filter: what it could change (the call, as
 * PTRACE_EVENT_SECCOMP lets it) or wants to see is no longer what was looked at. The call is left to user
 * space, where it is judged, and seen, anew.
 */
static void a_tracer_that_comes_while_a_filter_is_asked_gets_the_call(void)
{
	int status;
	pid_t pid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	pid = fork();
	if (!pid) {
		be_traced_while_a_filter_is_asked();
		_exit(0);
	}
	while (!shared->asked)
		sched_yield();
	CHECK_EQ(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL), 0);
	shared->attached = 1;
	shared->let_go = 1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(shared->status, SYSVM_FALLBACK);
	CHECK_EQ(shared->calls, 1); /* getpid */
	CHECK_EQ(shared->result, 77);
}

static const struct test tests[] = {
	TEST(allowed_calls_are_made),
	TEST(a_call_that_sleeps_does_not_end_a_run_that_is_judged),
	TEST(an_errno_verdict_is_the_result),
	TEST(arguments_are_those_of_the_inner_call),
	TEST(a_trace_verdict_without_a_tracer_is_ENOSYS),
	TEST(killing_the_process_ends_it_as_the_plain_call_does),
	TEST(killing_one_thread_leaves_the_others_and_nothing_held),
	TEST(a_trap_is_left_to_the_plain_call),
	TEST(a_supervisor_answers_an_inner_call),
	TEST(what_runs_ahead_stops_before_what_is_not_plainly_allowed),
	TEST(what_runs_ahead_makes_what_is_plainly_allowed),
	TEST(a_trap_of_what_runs_ahead_leaves_SIGSYS_as_it_was),
	TEST(no_supervisor_sees_what_runs_ahead),
	TEST(what_a_context_is_has_no_other_flags),
	TEST(a_tracer_that_comes_while_a_filter_is_asked_gets_the_call),
};
TEST_MAIN(tests)
