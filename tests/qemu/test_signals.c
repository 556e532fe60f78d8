// SPDX-License-Identifier: GPL-2.0
/*
 * Signals, time and fuel: a program in the machine is interrupted where a plain one would be, ends when it is
 * killed, and goes on from its page when it was stopped.
 */
#include "harness.h"

#include <signal.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t handled;

static void count_signal(int signal)
{
	(void)signal;
	handled++;
}

static void catch_alarm(int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
}

static void alarm_in(long first_us, long then_us)
{
	struct itimerval timer = { { then_us / 1000000, then_us % 1000000 },
				   { first_us / 1000000, first_us % 1000000 } };

	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* getppid, then a read from a pipe that has nothing. */
static uint32_t blocking_read(struct program *p, int fd, void *to)
{
	uint32_t at;

	set(p, 1, fd);
	set(p, 2, (uintptr_t)to);
	set(p, 3, 1);
	CALL(p, getppid, 4);
	at = p->len;
	CALL(p, read, 5, 1, 2, 3);
	CALL(p, getpid, 6);
	finish(p);
	return at;
}

static int feed_fd;

/*
 * Runs it with an alarm in its read: getppid, read, getpid, in one entry but for the restart. Tried again
 * where time ended the entry: the signal would no longer find the read.
 */
static int run_with_alarm_in_read(struct machine *m, char *byte, uint32_t *at)
{
	int ret = 0;

	for (int i = 0; i < 20; i++) {
		struct program p = { 0 };
		int ends[2];

		CHECK_EQ(pipe(ends), 0);
		feed_fd = ends[1];
		*at = blocking_read(&p, ends[0], byte);
		m->page->calls = 0;
		m->page->runs = 0;
		handled = 0;
		alarm_in(50000, 0);
		ret = machine_run(m, &p);
		if (ret || m->page->status != SYSVM_YIELD)
			break;
		alarm_in(0, 0);
	}
	return ret;
}

static void an_interrupted_read_gives_EINTR(void)
{
	struct machine m = machine_open();
	uint32_t at;
	char byte;

	catch_alarm(0);
	CHECK_EQ(run_with_alarm_in_read(&m, &byte, &at), -EINTR);
	CHECK_EQ(handled, 1);
	CHECK_EQ(m.page->status, SYSVM_RESTART);
	CHECK_EQ(m.page->pc, at);
	CHECK_EQ(m.page->error, EINTR);
	CHECK_EQ(m.page->calls, 1);

	/* Whoever wants to may go on: the call is made again. */
	CHECK_EQ(write(feed_fd, "x", 1), 1);
	do
		CHECK_EQ(machine_resume(&m), 0);
	while (m.page->status == SYSVM_YIELD);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(m.page->reg[5], 1);
	CHECK_EQ(m.page->calls, 3);
}

static void feed(int signal)
{
	(void)signal;
	handled++;
	CHECK_EQ(write(feed_fd, "y", 1), 1);
}

/* The kernel repeats the ioctl itself, and it goes on at the read: getppid is made once. */
static void SA_RESTART_goes_on_where_it_was(void)
{
	struct sigaction action = { .sa_handler = feed, .sa_flags = SA_RESTART };
	struct machine m = machine_open();
	char byte = 0;
	uint32_t at;

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(run_with_alarm_in_read(&m, &byte, &at), 0);
	CHECK_EQ(handled, 1);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(m.page->calls, 3);
	CHECK_EQ(m.page->runs, 2);
	CHECK_EQ(m.page->reg[5], 1);
	CHECK_EQ(byte, 'y');
}

static struct machine *handlers_machine;
static struct program handlers_program;

static void run_in_handler(int signal)
{
	(void)signal;
	handled++;
	machine_complete(handlers_machine, &handlers_program);
}

/*
 * A handler that uses the page takes the interrupted run's state away; starting again would make its calls
 * twice.
 */
static void a_restart_after_the_page_was_used_is_refused(void)
{
	struct sigaction action = { .sa_handler = run_in_handler, .sa_flags = SA_RESTART };
	struct machine m = machine_open();
	uint32_t at;
	char byte;

	finish(&handlers_program);
	handlers_machine = &m;
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(run_with_alarm_in_read(&m, &byte, &at), -EBUSY);
	CHECK_EQ(handled, 1);
	CHECK_EQ(m.page->calls, 1);
	machine_complete(&m, &handlers_program); /* the page is as good as ever */
}

static void stale_state_is_not_taken_up_by_a_new_run(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };

	EMIT(&p, SYSVM_OP_ADDI, 1, 1, 1, 0, 0, 0, SYSVM_OP_ADDI, 1, 1, 1, 0, 0, 0, SYSVM_OP_END);
	machine_load(&m, &p);
	m.page->fuel = 1;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 1), 0);
	CHECK_EQ(m.page->status, SYSVM_FUEL);
	CHECK_EQ(m.page->reg[1], 1);
	m.page->fuel = 100;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 2), 0);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(m.page->reg[1], 3); /* from the start: 1 + 2 */
}

static void spent_fuel_stops_and_resumes(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	int entries = 1;

	/* r1 counts to 1000: 1 + 2 * 1000 + 1 instructions */
	set(&p, 2, 1000);
	EMIT(&p, SYSVM_OP_ADDI, 1, 1, 1, 0, 0, 0, SYSVM_OP_JB, 1, 2, (uint8_t)-12, 0xff, SYSVM_OP_END);
	machine_load(&m, &p);
	m.page->fuel = 100;
	m.seq = 9;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, m.seq), 0);
	while (m.page->status == SYSVM_FUEL || m.page->status == SYSVM_YIELD) {
		if (m.page->status == SYSVM_FUEL) {
			CHECK_EQ(m.page->fuel, 0);
			m.page->fuel = 100;
		}
		CHECK_EQ(machine_resume(&m), 0);
		CHECK(++entries < 1000);
	}
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(m.page->reg[1], 1000);
	CHECK_EQ(m.page->insns, 2002);
	CHECK(entries >= 21);
}

static void fuel_is_capped(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };

	jump_back(&p, 0);
	machine_load(&m, &p);
	m.page->fuel = ~0ull;
	m.seq = 1;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, m.seq), 0);
	CHECK(m.page->status == SYSVM_FUEL || m.page->status == SYSVM_YIELD);
	CHECK(m.page->fuel < SYSVM_FUEL_MAX);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/*
 * What the module was told, 5 ms; a tick more or less, and an emulated processor that may itself be waiting.
 */
static void one_entry_lasts_milliseconds(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	uint64_t best = ~0ull, start, bound;
	int allowed = open("/sys/module/sysvm/parameters/entry_ms", O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	CHECK(read(allowed, text, sizeof(text) - 1) > 0);
	bound = (15 + atoi(text)) * 1000000ull;
	CALL(&p, getpid, 1);
	jump_back(&p, 0);
	for (int i = 0; i < 200 && best >= bound; i++) {
		start = now_ns();
		CHECK_EQ(machine_run(&m, &p), 0);
		CHECK_EQ(m.page->status, SYSVM_YIELD);
		if (now_ns() - start < best)
			best = now_ns() - start;
	}
	printf("shortest entry: %llu us\n", (unsigned long long)best / 1000);
	CHECK(best < bound);
}

static void a_handler_runs_between_instructions(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	uint64_t end = now_ns() + 500000000;
	int stopped = 0, ret;

	CALL(&p, getppid, 1);
	EMIT(&p, SYSVM_OP_ADDI, 2, 2, 1, 0, 0, 0);
	jump_back(&p, 0);
	catch_alarm(SA_RESTART);
	alarm_in(3000, 3000);
	ret = machine_run(&m, &p);
	while (now_ns() < end) {
		CHECK_EQ(ret, 0);
		if (m.page->status == SYSVM_SIGNAL)
			stopped++;
		else
			CHECK(m.page->status == SYSVM_YIELD || m.page->status == SYSVM_FUEL);
		m.page->fuel = SYSVM_FUEL_MAX;
		ret = machine_resume(&m);
	}
	alarm_in(0, 0);
	printf("%d signals handled, %d entries stopped for one, %llu rounds\n", handled, stopped,
	       (unsigned long long)m.page->reg[2]);
	CHECK(handled > 10);
	CHECK(stopped > 0 && stopped <= handled); /* on a busy host most entries end by time */
	/* Nothing was lost or made twice by stopping. */
	CHECK(m.page->calls == m.page->reg[2] || m.page->calls == m.page->reg[2] + 1);
}

static void a_killed_endless_program_ends(void)
{
	struct timespec pause = { 0, 100000000 };
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct machine m = machine_open();
		struct program p = { 0 };

		CALL(&p, getppid, 1);
		jump_back(&p, 0);
		machine_run(&m, &p);
		for (;;) {
			m.page->fuel = SYSVM_FUEL_MAX;
			machine_resume(&m);
		}
	}
	nanosleep(&pause, NULL);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void a_killed_waiting_program_ends(void)
{
	struct timespec pause = { 0, 100000000 };
	int status, ends[2];
	pid_t pid;

	CHECK_EQ(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		struct machine m = machine_open();
		struct program p = { 0 };
		char byte;

		blocking_read(&p, ends[0], &byte);
		machine_run(&m, &p);
		while (m.page->status == SYSVM_YIELD)
			machine_resume(&m);
		_exit(1);
	}
	nanosleep(&pause, NULL);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void SIGPIPE_of_an_inner_write_is_delivered(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	struct sigaction action = { .sa_handler = count_signal };
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(close(ends[0]), 0);
	CHECK_EQ(sigaction(SIGPIPE, &action, NULL), 0);
	set(&p, 1, ends[1]);
	set(&p, 2, (uintptr_t)"x");
	set(&p, 3, 1);
	CALL(&p, write, 4, 1, 2, 3);
	finish(&p);
	CHECK_EQ(machine_run_on(&m, &p), 0);
	CHECK_EQ(m.page->status, SYSVM_ERROR);
	CHECK_EQ(m.page->error, EPIPE);
	CHECK_EQ(handled, 1);
}

static const struct test tests[] = {
	TEST(an_interrupted_read_gives_EINTR),
	TEST(SA_RESTART_goes_on_where_it_was),
	TEST(a_restart_after_the_page_was_used_is_refused),
	TEST(stale_state_is_not_taken_up_by_a_new_run),
	TEST(spent_fuel_stops_and_resumes),
	TEST(fuel_is_capped),
	TEST(one_entry_lasts_milliseconds),
	TEST(a_handler_runs_between_instructions),
	TEST(a_killed_endless_program_ends),
	TEST(a_killed_waiting_program_ends),
	TEST(SIGPIPE_of_an_inner_write_is_delivered),
};
TEST_MAIN(tests)
