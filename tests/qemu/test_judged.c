// SPDX-License-Identifier: GPL-2.0
/*
 * Who may judge a process's calls sees all of them: with a seccomp filter, a tracer or a system call
 * tracepoint the machine makes no call itself, also when they come in the middle of a run.
 */
#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

static void expect_fallback(struct machine *m)
{
	struct program p = { 0 };

	CALL(&p, getpid, 1);
	finish(&p);
	m->page->calls = 0;
	m->page->fallbacks = 0;
	CHECK_EQ(machine_run_on(m, &p), 0);
	CHECK_EQ(m->page->status, SYSVM_FALLBACK);
	CHECK_EQ(m->page->pc, 0);
	CHECK_EQ(m->page->calls, 0);
	CHECK_EQ(m->page->fallbacks, 1);
}

static void expect_run(struct machine *m)
{
	struct program p = { 0 };

	CALL(&p, getpid, 1);
	finish(&p);
	machine_complete(m, &p);
	CHECK_EQ(m->page->reg[1], getpid());
}

/* Everything is allowed but getppid, which kills: run by the machine it would not. */
static void set_filter(unsigned int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter), 0);
}

static void a_seccomp_filter_makes_it_fall_back(void)
{
	struct machine m = machine_open();

	expect_run(&m);
	set_filter(0);
	expect_fallback(&m);
}

static void *set_filter_for_all(void *started)
{
	while (!__atomic_load_n((uint64_t *)started, __ATOMIC_ACQUIRE))
		sched_yield();
	set_filter(SECCOMP_FILTER_FLAG_TSYNC);
	return NULL;
}

/* The filter comes from another thread while the program runs: no getppid is made after it is in force. */
static void a_filter_set_in_the_middle_of_a_run_stops_it(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	pthread_t thread;
	uint64_t started = 0;

	CHECK_EQ(pthread_create(&thread, NULL, set_filter_for_all, &started), 0);
	set(&p, 3, (uintptr_t)&started);
	set(&p, 4, 1);
	CALL(&p, getppid, 1); /* one at least, however fast the thread is */
	EMIT(&p, SYSVM_OP_ST64, 3, 4, 0, 0);
	uint32_t loop = p.len;
	CALL(&p, getppid, 1);
	jump_back(&p, loop);
	CHECK_EQ(machine_run(&m, &p), 0);
	while (m.page->status != SYSVM_FALLBACK) {
		CHECK(m.page->status == SYSVM_YIELD || m.page->status == SYSVM_FUEL ||
		      m.page->status == SYSVM_SIGNAL);
		m.page->fuel = SYSVM_FUEL_MAX;
		CHECK_EQ(machine_resume(&m), 0);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(m.page->calls > 0);
	expect_fallback(&m);
}

static void a_tracer_makes_it_fall_back(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct machine m = machine_open();

		expect_run(&m);
		CHECK_EQ(ptrace(PTRACE_TRACEME, 0, 0, 0), 0);
		raise(SIGSTOP);
		expect_fallback(&m);
		raise(SIGSTOP);
		expect_run(&m); /* the tracer has left */
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(ptrace(PTRACE_SYSCALL, pid, 0, 0), 0);
	for (;;) {
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP)
			break;
		CHECK_EQ(ptrace(PTRACE_SYSCALL, pid, 0, 0), 0);
	}
	CHECK_EQ(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_EQ(close(fd), 0);
}

static void a_system_call_tracepoint_makes_it_fall_back(void)
{
	static const char enable[] = "/sys/kernel/tracing/events/raw_syscalls/sys_enter/enable";
	struct machine m = machine_open();

	expect_run(&m);
	write_file(enable, "1");
	expect_fallback(&m);
	write_file(enable, "0");
	expect_run(&m);
}

/* What `strace` shows of a program that tries the machine first and makes its calls plainly when told to. */
static void fall_back_to_a_plain_call(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };

	CALL(&p, getppid, 1);
	finish(&p);
	CHECK_EQ(machine_run_on(&m, &p), 0);
	if (m.page->status == SYSVM_FALLBACK)
		syscall(SYS_getppid);
}

static const struct test tests[] = {
	TEST(a_seccomp_filter_makes_it_fall_back),
	TEST(a_filter_set_in_the_middle_of_a_run_stops_it),
	TEST(a_tracer_makes_it_fall_back),
	TEST(a_system_call_tracepoint_makes_it_fall_back),
	TEST(fall_back_to_a_plain_call),
};
TEST_MAIN(tests)
