// SPDX-License-Identifier: GPL-2.0
/*
 * A seccomp filter that another thread sets for all in the middle of a run: no call is made behind it.
 */
#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static volatile uint64_t calls_made, calls_when_set;

static void *set_filter_for_all(void *unused)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog filter = { 1, code };

	(void)unused;
	while (calls_made < 100)
		usleep(500);
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter), 0);
	calls_when_set = calls_made;
	return NULL;
}

/* But for one, which may be under way. */
static void no_call_is_made_once_a_filter_is_in_force(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, set_filter_for_all, NULL), 0);
	set(&p, 1, (uintptr_t)&calls_made);
	set(&p, 2, 0);
	uint32_t loop = p.len;
	CALL(&p, getppid, 10);
	EMIT(&p, SYSVM_OP_ADDI, 2, 2, 1, 0, 0, 0, SYSVM_OP_ST64, 1, 2, 0, 0);
	jump_back(&p, loop);
	CHECK_EQ(machine_run(&m, &p), 0);
	while (m.page->status != SYSVM_FALLBACK) {
		m.page->fuel = SYSVM_FUEL_MAX;
		CHECK_EQ(machine_resume(&m), 0);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	if (calls_made > calls_when_set + 1)
		FAIL("%llu calls were made, expected %llu and one at most",
		     (unsigned long long)calls_made, (unsigned long long)calls_when_set);
}

static void *set_filter_between_two_bytes(void *pipes)
{
	int *ends = pipes;
	char byte;

	CHECK_EQ(read(ends[0], &byte, 1), 1);
	calls_made = 100; /* at once */
	set_filter_for_all(NULL);
	CHECK_EQ(write(ends[3], &byte, 1), 1);
	return NULL;
}

/*
 * Exit status 0: the call behind the one that waited was not made, 3: it was, 2: the entry's time was over,
 * which says nothing.
 */
static int wait_for_a_filter(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	pthread_t thread;
	int ends[4];
	char byte = 0;

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(ends + 2), 0);
	CHECK_EQ(pthread_create(&thread, NULL, set_filter_between_two_bytes, ends), 0);
	set(&p, 1, ends[1]);
	set(&p, 2, ends[2]);
	set(&p, 3, (uintptr_t)&byte);
	set(&p, 4, 1);
	CALL(&p, write, 5, 1, 3, 4);
	CALL(&p, read, 6, 2, 3, 4);
	CALL(&p, getppid, 10);
	finish(&p);
	CHECK_EQ(machine_run(&m, &p), 0);
	if (m.page->status == SYSVM_DONE)
		return 3;
	CHECK(m.page->status == SYSVM_FALLBACK || m.page->status == SYSVM_YIELD);
	return m.page->status == SYSVM_FALLBACK && m.page->calls == 2 ? 0 : 2;
}

/* A process has its filter for ever, so each round is another's. */
static void a_filter_set_while_a_call_waits_stops_the_next(void)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			_exit(wait_for_a_filter());
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 1);
		if (WEXITSTATUS(status) == 3)
			FAIL("getppid was made within, with a filter in force");
		if (WEXITSTATUS(status) == 0)
			return;
	}
	FAIL("expected FALLBACK behind two calls, got none in 20 rounds");
}

static const struct test tests[] = {
	TEST(no_call_is_made_once_a_filter_is_in_force),
	TEST(a_filter_set_while_a_call_waits_stops_the_next),
};
TEST_MAIN(tests)
