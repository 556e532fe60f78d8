// SPDX-License-Identifier: GPL-2.0
/*
 * What handlers may do to a program, and how a program may end: a handler that runs a machine of its own,
 * that jumps away, that comes ten thousand times a second; SIGKILL and SIGSTOP at any point. Each against the
 * same calls made plainly.
 */
#include "ways.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t handled;

static void every_us(void (*handler)(int), int flags, long us)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
	struct itimerval timer = { { 0, us }, { 0, us } };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void no_more_alarms(void)
{
	struct itimerval none = { 0 };

	CHECK_EQ(setitimer(ITIMER_REAL, &none, NULL), 0);
}

static int scratch_file(void)
{
	int fd = memfd_create("scratch", MFD_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

static long long size_of(int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return st.st_size;
}

/* ---- nested use ---- */

static struct sysvm_vm *handlers_vm;
static struct step handlers_steps[2];
static struct outcome handlers_outcome;
static int ends[2];

static void make_calls_and_feed(int signal)
{
	(void)signal;
	if (++handled != 3)
		return;
	make(handlers_vm, handlers_steps, 2, &handlers_outcome);
	CHECK_EQ(write(ends[1], "n", 1), 1);
}

static void nest(struct sysvm_vm *vm, struct outcome *out)
{
	char byte = 0;
	struct step steps[3] = { { SYSVM_CALL_umask, { 0111 } }, { 0 }, { SYSVM_CALL_umask, { 0222 } } };

	CHECK_EQ(pipe(ends), 0);
	steps[1] = (struct step){ SYSVM_CALL_read, { ends[0], (uintptr_t)&byte, 1 } };
	handlers_vm = vm ? new_machine() : NULL;
	handlers_steps[0] = (struct step){ SYSVM_CALL_umask, { 0333 } };
	handlers_steps[1] = (struct step){ SYSVM_CALL_lseek, { ends[0], 0, SEEK_CUR } };
	every_us(make_calls_and_feed, SA_RESTART, 100000); /* the third comes when read() waits */
	make(vm, steps, 3, out);
	no_more_alarms();
	out->other[0] = byte;
	out->other[1] = handlers_outcome.results[0];
	out->other[2] = handlers_outcome.results[1];
	out->other[3] = umask(0);
}

static void a_handler_may_run_a_machine_of_its_own(void)
{
	IN_BOTH_WAYS("nested", nest(vm, out));
}

/* ---- a handler that does not return ---- */

static sigjmp_buf back;
static int grows;

static void jump_away_once_it_has_written(int signal)
{
	(void)signal;
	if (size_of(grows) > handled) {
		handled = size_of(grows);
		siglongjmp(back, 1);
	}
}

/* A letter is written, then nothing can be read: each round ends by a jump out of the middle. */
static void jump(struct sysvm_vm *vm, struct outcome *out)
{
	struct step steps[3] = { { 0 }, { 0 }, { SYSVM_CALL_umask, { 0222 } } };
	volatile int rounds = 0;
	char byte = 0;

	grows = scratch_file();
	CHECK_EQ(pipe(ends), 0);
	steps[0] = (struct step){ SYSVM_CALL_write, { grows, (uintptr_t) "letter", 1 } };
	steps[1] = (struct step){ SYSVM_CALL_read, { ends[0], (uintptr_t)&byte, 1 } };
	every_us(jump_away_once_it_has_written, SA_RESTART, 10000);
	while (rounds < 8) {
		if (sigsetjmp(back, 1)) {
			rounds++;
			continue;
		}
		make(vm, steps, 3, out);
		FAIL("the read came back with %lld", (long long)out->results[1]);
	}
	no_more_alarms();
	/* And then the same program to its end: from its start. */
	CHECK_EQ(write(ends[1], "n", 1), 1);
	make(vm, steps, 3, out);
	out->other[0] = size_of(grows);
	out->other[1] = rounds;
	out->other[2] = byte;
	CHECK_EQ(out->other[0], 9);
}

static void a_handler_may_jump_out_of_a_run(void)
{
	IN_BOTH_WAYS("jump", jump(vm, out));
}

/* ---- a handler that comes all the time ---- */

static void count(int signal)
{
	(void)signal;
	handled++;
}

static long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/*
 * 10 kHz; where a signal alone costs a good part of 100 us (sanitizers, emulation) as often as leaves time
 * for more.
 */
static long interval(void)
{
	struct sigaction action = { .sa_handler = count };
	long start, each;

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	start = now_us();
	for (int i = 0; i < 200; i++)
		raise(SIGUSR1);
	each = (now_us() - start) / 200;
	return each * 4 > 100 ? each * 4 : 100;
}

#define ROUNDS 10000

/*
 * ROUNDS times: read a byte at a position, add it up, write the sum's lowest byte to another file. In the end
 * sum and file say whether a call was lost, made twice, or made with a register of before.
 */
static void add_up_plainly(int from, int to, uint64_t *sum)
{
	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint8_t byte, low;

		CHECK_EQ(pread(from, &byte, 1, i), 1);
		*sum += byte;
		low = *sum;
		CHECK_EQ(write(to, &low, 1), 1);
	}
}

static void add_up_in_the_machine(struct sysvm_vm *vm, int from, int to, uint64_t *sum)
{
	struct program p = { 0 };
	uint64_t buffer = 0;
	int err;

	set(&p, 1, from);
	set(&p, 2, to);
	set(&p, 3, (uintptr_t)&buffer);
	set(&p, 4, 1);
	set(&p, 5, 0);
	set(&p, 6, ROUNDS);
	set(&p, 7, 0);
	uint32_t loop = p.len;
	CALL(&p, pread64, 10, 1, 3, 4, 5);
	EMIT(&p, SYSVM_OP_LD8, 11, 3, 0, 0, SYSVM_OP_ADD, 7, 7, 11, SYSVM_OP_ST8, 3, 7, 0, 0);
	CALL(&p, write, 10, 2, 3, 4);
	EMIT(&p, SYSVM_OP_ADDI, 5, 5, 1, 0, 0, 0, SYSVM_OP_JB, 5, 6);
	int16_t distance = (int16_t)(loop - (p.len + 2));
	emit(&p, &distance, 2);
	finish(&p);
	load_into_page(vm, &p);
	err = sysvm_run_through(vm, SYSVM_PROC_PAGE, 100 * ROUNDS);
	if (err || sysvm_page(vm)->status != SYSVM_DONE)
		FAIL("run gave %d, status %u, pc %u, error %d", err, sysvm_page(vm)->status,
		     sysvm_page(vm)->pc, sysvm_page(vm)->error);
	*sum = sysvm_page(vm)->reg[7];
	CHECK_EQ(sysvm_page(vm)->reg[5], ROUNDS);
	CHECK_EQ(sysvm_page(vm)->calls, 2 * ROUNDS);
}

static void add_up(struct sysvm_vm *vm, int flags, struct outcome *out)
{
	int from = scratch_file(), to = scratch_file();
	uint64_t sum = 0, digest = 0;
	uint8_t written[ROUNDS];
	long us = interval();

	for (int i = 0; i < ROUNDS; i++) {
		uint8_t byte = i * 37 + 11;

		CHECK_EQ(write(from, &byte, 1), 1);
	}
	handled = 0;
	every_us(count, flags, us);
	if (vm)
		add_up_in_the_machine(vm, from, to, &sum);
	else
		add_up_plainly(from, to, &sum);
	no_more_alarms();
	printf("%s: a signal each %ld us, %d handled\n", vm ? "machine" : "plain", us, handled);
	CHECK(handled > 0);
	out->other[0] = sum;
	out->other[1] = size_of(to);
	CHECK_EQ(out->other[1], ROUNDS);
	CHECK_EQ(pread(to, written, ROUNDS, 0), ROUNDS);
	for (int i = 0; i < ROUNDS; i++)
		digest = digest * 31 + written[i];
	out->other[2] = digest;
}

static void ten_thousand_signals_a_second_change_no_result(void)
{
	IN_BOTH_WAYS("without SA_RESTART", add_up(vm, 0, out));
	IN_BOTH_WAYS("with SA_RESTART", add_up(vm, SA_RESTART, out));
}

#define BYTES 100

static void feed_slowly(int fd)
{
	for (int i = 0; i < BYTES; i++) {
		char byte = i;

		usleep(1000);
		CHECK_EQ(write(fd, &byte, 1), 1);
	}
}

/* Reads that wait, each interrupted many times: EINTR is tried again, as plain programs do. */
static void read_slowly(struct sysvm_vm *vm, int flags, struct outcome *out)
{
	uint8_t byte = 0;
	struct step step = { 0 };
	int interruptions = 0, status;
	pid_t feeder;

	CHECK_EQ(pipe(ends), 0);
	step = (struct step){ SYSVM_CALL_read, { ends[0], (uintptr_t)&byte, 1 } };
	feeder = fork();
	if (!feeder) {
		feed_slowly(ends[1]);
		_exit(0);
	}
	every_us(count, flags, interval());
	while (out->other[0] < BYTES) {
		make(vm, &step, 1, out);
		if (out->results[0] == -EINTR) {
			interruptions++;
			continue;
		}
		CHECK_EQ(out->results[0], 1);
		out->other[1] = out->other[1] * 31 + byte;
		out->other[0]++;
	}
	no_more_alarms();
	CHECK_EQ(waitpid(feeder, &status, 0), feeder);
	CHECK_EQ(status, 0);
	out->other[2] = interruptions > 0;
}

static void ten_thousand_signals_a_second_interrupt_reads_as_plain_ones(void)
{
	IN_BOTH_WAYS("without SA_RESTART", read_slowly(vm, 0, out));
	IN_BOTH_WAYS("with SA_RESTART", read_slowly(vm, SA_RESTART, out));
}

/* ---- SIGKILL and SIGSTOP ---- */

/* A letter to one file, then one to another, without end. */
static void write_to_both(struct sysvm_vm *vm, const int files[2], uint64_t *started)
{
	struct program p = { 0 };

	*started = 1;
	while (!vm) {
		CHECK_EQ(write(files[0], "a", 1), 1);
		CHECK_EQ(write(files[1], "b", 1), 1);
	}
	set(&p, 1, files[0]);
	set(&p, 2, files[1]);
	set(&p, 3, (uintptr_t) "a");
	set(&p, 4, 1);
	uint32_t loop = p.len;
	CALL(&p, write, 10, 1, 3, 4);
	CALL(&p, write, 10, 2, 3, 4);
	jump_back(&p, loop);
	load_into_page(vm, &p);
	sysvm_run_through(vm, SYSVM_PROC_PAGE, ~0ull);
	FAIL("status %u", sysvm_page(vm)->status);
}

static void end_at_some_point(struct sysvm_vm *vm, bool stop_first, struct outcome *out)
{
	int files[2] = { scratch_file(), scratch_file() };
	volatile uint64_t *started = shared_memory(4096);

	if (vm) /* the child makes one of its own */
		sysvm_exit(vm);
	for (int i = 0; i < 40; i++) {
		long long before = size_of(files[0]), sizes[2];
		int status;
		pid_t pid;

		CHECK_EQ(ftruncate(files[1], before), 0);
		CHECK_EQ(lseek(files[1], 0, SEEK_END), before);
		*started = 0;
		pid = fork();
		if (!pid)
			write_to_both(vm ? new_machine() : NULL, files, (uint64_t *)started);
		while (!*started)
			usleep(500);
		usleep(i * 311 % 5000);
		for (int stops = 0; stops < 5 * stop_first; stops++) {
			CHECK_EQ(kill(pid, SIGSTOP), 0);
			CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
			CHECK(WIFSTOPPED(status));
			for (int f = 0; f < 2; f++) {
				sizes[f] = size_of(files[f]);
				usleep(500);
				CHECK_EQ(size_of(files[f]), sizes[f]); /* it is stopped */
			}
			CHECK(sizes[0] == sizes[1] || sizes[0] == sizes[1] + 1);
			CHECK_EQ(kill(pid, SIGCONT), 0);
			usleep(i * 97 % 3000);
		}
		CHECK_EQ(kill(pid, SIGKILL), 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		sizes[0] = size_of(files[0]);
		sizes[1] = size_of(files[1]);
		if (sizes[0] != sizes[1] && sizes[0] != sizes[1] + 1)
			FAIL("%lld letters a, %lld letters b", sizes[0], sizes[1]);
		out->other[0] += sizes[0] > before; /* it came to something */
	}
	CHECK(out->other[0] > 30);
	out->other[0] = 0;
}

static void a_kill_at_any_point_ends_it_between_two_calls(void)
{
	IN_BOTH_WAYS("kill", end_at_some_point(vm, false, out));
}

static void a_stop_at_any_point_stops_it_between_two_calls(void)
{
	IN_BOTH_WAYS("stop", end_at_some_point(vm, true, out));
}

static const struct test tests[] = {
	TEST(a_handler_may_run_a_machine_of_its_own),
	TEST(a_handler_may_jump_out_of_a_run),
	TEST(ten_thousand_signals_a_second_change_no_result),
	TEST(ten_thousand_signals_a_second_interrupt_reads_as_plain_ones),
	TEST(a_kill_at_any_point_ends_it_between_two_calls),
	TEST(a_stop_at_any_point_stops_it_between_two_calls),
};
TEST_MAIN(tests)
