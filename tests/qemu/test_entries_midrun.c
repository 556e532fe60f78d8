// SPDX-License-Identifier: GPL-2.0
/*
 * stat_entries while something happens to its task: time, signals, a filter, a tracer. It stops before the
 * next name, what was made until then is whole, and nothing is made twice.
 */
#include "entries.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>

/* f0 to f99, again and again. */
static struct names many_names(unsigned int count)
{
	struct names n = { 0 };

	while (n.count < count) {
		char name[16];

		snprintf(name, sizeof(name), "f%zu", n.count % 100);
		names_add(&n, name);
	}
	return n;
}

static void check_many(const struct record *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (records[i].result || records[i].stat.st_size != 1000 * (long)(i % 100))
			FAIL("record %zu has result %lld and size %lld, expected 0 and %zu", i,
			     (long long)records[i].result, (long long)records[i].stat.st_size,
			     1000 * (i % 100));
}

static void a_hundred_thousand_names_take_as_many_entries_as_their_time(void)
{
	struct machine m = machine_open();
	int fd = fresh_directory(100);
	struct names n = many_names(100000);

	check_many(entries_run(&m, fd, AT_SYMLINK_NOFOLLOW, &n), n.count);
	CHECK_EQ(m.page->calls, n.count);
	CHECK_EQ(short_calls(), n.count);
	CHECK(m.page->runs > 1);
}

static volatile unsigned int handled;

static void count_signal(int signal)
{
	(void)signal;
	handled++;
}

static void signals_are_taken_between_names(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	struct itimerval timer = { { 0, 300 }, { 0, 300 } };
	struct machine m = machine_open();
	int fd = fresh_directory(100);
	struct names n = many_names(100000);
	struct record *records;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	records = entries_run(&m, fd, AT_SYMLINK_NOFOLLOW, &n);
	timer = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &timer, NULL);
	check_many(records, n.count);
	CHECK_EQ(m.page->calls, n.count); /* each once */
	CHECK(handled > 10);
}

static void allow_all(unsigned int flags)
{
	struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
	struct sock_fprog filter = { 1, &allow };

	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter), 0);
}

/* What was made before the stop is whole, and nothing was made after it. */
static void check_stopped(struct machine *m, const struct names *n, const struct record *records)
{
	size_t made = (m->page->reg[R_RECORD] - (uintptr_t)records) / STRIDE;

	CHECK_EQ(m->page->status, SYSVM_FALLBACK);
	CHECK_EQ(m->page->pc, 0);
	CHECK_EQ(m->page->calls, made);
	CHECK_EQ(short_calls(), made);
	CHECK(made < n->count);
	check_many(records, made);
	CHECK_EQ(records[made].result, 0); /* untouched */
	CHECK_EQ(records[made].stat.st_nlink, 0);
}

static void a_filter_stops_it_before_the_first_name(void)
{
	struct program p = entries_program(false, 0);
	struct machine m = machine_open();
	int fd = fresh_directory(100);
	struct names n = many_names(10);
	struct record *records = pages(STRIDE * (n.count + 1));

	allow_all(0);
	machine_load(&m, &p);
	entries_set(&m, fd, AT_SYMLINK_NOFOLLOW, &n, records, STRIDE * n.count);
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, ++m.seq), 0);
	CHECK_EQ(m.page->reg[R_RECORD], (uintptr_t)records);
	check_stopped(&m, &n, records);
}

static struct machine *volatile watched;
static volatile uint64_t begin_at;

static void wait_until_it_runs(void)
{
	while (__atomic_load_n(&watched->page->reg[R_RECORD], __ATOMIC_RELAXED) < begin_at + 20 * STRIDE)
		;
}

static void *set_a_filter_for_all(void *arg)
{
	(void)arg;
	CHECK_EQ(unshare(CLONE_FILES), 0); /* so that the other's table is his alone */
	wait_until_it_runs();
	allow_all(SECCOMP_FILTER_FLAG_TSYNC);
	return NULL;
}

/* Enters until it stops for another reason than time. */
static struct record *run_until_it_stops(struct machine *m, int fd, const struct names *n)
{
	struct program p = entries_program(false, 0);
	struct record *records = pages(STRIDE * (n->count + 1));

	memset(records, 0, STRIDE * (n->count + 1)); /* no page faults in the run */
	machine_load(m, &p);
	entries_set(m, fd, AT_SYMLINK_NOFOLLOW, n, records, STRIDE * n->count);
	begin_at = (uintptr_t)records;
	watched = m;
	CHECK_EQ(machine_enter(m, SYSVM_PROC_PAGE, ++m->seq), 0);
	while (m->page->status == SYSVM_YIELD || m->page->status == SYSVM_SIGNAL)
		CHECK_EQ(machine_resume(m), 0);
	return records;
}

static void a_filter_set_in_mid_run_stops_it_before_the_next_name(void)
{
	struct machine m = machine_open();
	int fd = fresh_directory(100);
	struct names n = many_names(RECORDS_MOST);
	pthread_t other;

	watched = &m;
	begin_at = ~0ull / 2;
	CHECK_EQ(pthread_create(&other, NULL, set_a_filter_for_all, NULL), 0);
	usleep(100000); /* its table is its own now */
	check_stopped(&m, &n, run_until_it_stops(&m, fd, &n));
	CHECK_EQ(pthread_join(other, NULL), 0);
}

static void a_tracer_that_comes_in_mid_run_stops_it_before_the_next_name(void)
{
	struct machine m = machine_open();
	int fd = fresh_directory(100), status;
	struct names n = many_names(RECORDS_MOST);
	struct record *records;
	pid_t tracer, me = getpid();
	int *turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	tracer = fork();
	if (!tracer) {
		while (!__atomic_load_n(turn, __ATOMIC_ACQUIRE))
			;
		usleep(2000);
		CHECK_EQ(ptrace(PTRACE_SEIZE, me, 0, 0), 0);
		while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != 2)
			usleep(1000);
		_exit(0); /* which detaches */
	}
	__atomic_store_n(turn, 1, __ATOMIC_RELEASE);
	records = run_until_it_stops(&m, fd, &n);
	check_stopped(&m, &n, records);
	__atomic_store_n(turn, 2, __ATOMIC_RELEASE);
	CHECK_EQ(waitpid(tracer, &status, 0), tracer);
	do
		CHECK_EQ(machine_resume(&m), 0);
	while (m.page->status == SYSVM_YIELD || m.page->status == SYSVM_SIGNAL);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	check_many(records, n.count);
	CHECK_EQ(m.page->calls, n.count);
}

static const struct test tests[] = {
	TEST(a_hundred_thousand_names_take_as_many_entries_as_their_time),
	TEST(signals_are_taken_between_names),
	TEST(a_filter_stops_it_before_the_first_name),
	TEST(a_filter_set_in_mid_run_stops_it_before_the_next_name),
	TEST(a_tracer_that_comes_in_mid_run_stops_it_before_the_next_name),
};

TEST_MAIN(tests)
