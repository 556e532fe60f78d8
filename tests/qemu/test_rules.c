// SPDX-License-Identifier: GPL-2.0
/*
 * Rules of the module that no other test would miss: each of these is here because scripts/check-mutations
 * took a rule out and nothing failed.
 */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>

/* Each opcode of one byte and of two: the module knows those of the table, and no others. */
static void no_opcode_has_code_but_the_tables(void)
{
	struct machine m = machine_open();

	for (unsigned int op = 0; op < 0x200; op++) {
		struct program p = { .code = { op }, .len = 40 };
		char message[100] = "";
		struct sysvm_define d = { .code = (uintptr_t)p.code, .code_len = p.len,
					  .message = (uintptr_t)message, .message_len = sizeof(message) };
		bool in_table = sysvm_opcode_lookup(op).size != 0, known;

		if (op == SYSVM_OP_EXTENDED || op == SYSVM_OP_GOON) /* no instructions by themselves */
			continue;
		if (op >= 0x100) {
			p.code[0] = SYSVM_OP_EXTENDED;
			p.code[1] = op & 0xff;
		}
		/* What stands behind it is no code, so it is refused in any case: here, or there. */
		CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &d), EINVAL);
		known = !(d.error_at == 0 && strstr(message, "unknown opcode"));
		if (known != in_table)
			FAIL("opcode %#x is %sin the table; the module says \"%s\"", op,
			     in_table ? "" : "not ", message);
	}
}

/* fadvise64 is a row of the table and a way into the machine. */
static void a_program_cannot_enter_the_machine_again(void)
{
	struct machine m = machine_open(), other = machine_open();
	struct program p = { 0 }, inner = { 0 };

	CALL(&inner, getppid, 1);
	finish(&inner);
	machine_load(&other, &inner);
	set(&p, 1, m.fd);
	set(&p, 2, other.fd);
	set(&p, 3, 5);
	set(&p, 4, SYSVM_PROC_PAGE);
	set(&p, 5, SYSVM_ADVICE_RUN);
	CALL_GO_ON(&p, fadvise64, 10, 1, 3, 4, 5);
	CALL_GO_ON(&p, fadvise64, 11, 2, 3, 4, 5);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ((int64_t)m.page->reg[10], -EBADF);
	CHECK_EQ((int64_t)m.page->reg[11], -EBADF);
	CHECK_EQ(other.page->runs, 0);
}

static void a_call_that_this_kernel_lacks_is_absent(void)
{
	struct machine m = machine_open();
	struct sysvm_query query;
	unsigned int absent = 0;

	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_QUERY, &query), 0);
	for (unsigned int i = 0; i < SYSVM_CALL_MAX; i++) {
		const struct sysvm_syscall_info *row = sysvm_syscall_by_index(i);
		struct program p = { 0 };

		if (!row || row->nr <= 450 || syscall(row->nr, -1, 0, 0, 0, 0, 0) != -1 || errno != ENOSYS)
			continue;
		absent++;
		CHECK_EQ(query.supported[i / 64] >> (i % 64) & 1, 0);
		EMIT(&p, SYSVM_OP_GOON);
		emit_call(&p, i);
		EMIT(&p, 9);
		for (unsigned int a = 0; a < row->nargs; a++)
			EMIT(&p, 1);
		finish(&p);
		machine_complete(&m, &p);
		CHECK_EQ((int64_t)m.page->reg[9], -ENOSYS);
	}
	printf("%u calls are absent\n", absent);
}

/*
 * On tmpfs, where a mapping holds the file that was opened. The last reference to an open file goes with its
 * mapping, and with it the lock: by work that waits for the way out.
 */
static void what_munmap_leaves_undone_is_done_before_the_next_call(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	int first = open("/dev/shm/left-undone", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	int second = open("/dev/shm/left-undone", O_RDWR | O_CLOEXEC);
	void *map;

	CHECK_EQ(ftruncate(first, 4096), 0);
	CHECK_EQ(flock(first, LOCK_EX), 0);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, first, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(close(first), 0);
	set(&p, 1, (uintptr_t)map);
	set(&p, 2, 4096);
	set(&p, 3, second);
	set(&p, 4, LOCK_EX);
	CALL(&p, munmap, 10, 1, 2);
	CALL(&p, flock, 11, 3, 4);
	finish(&p);
	alarm(10);
	machine_complete(&m, &p);
	CHECK_EQ(m.page->reg[11], 0);
	unlink("/dev/shm/left-undone");
}

/* What close() leaves is done in place: it costs no entry, if time does not end it. */
static void closing_a_pipe_takes_no_second_entry(void)
{
	struct machine m = machine_open();

	for (int i = 0; i < 20; i++) {
		struct program p = { 0 };
		int ends[2];
		char byte;

		CHECK_EQ(pipe(ends), 0);
		set(&p, 1, ends[0]);
		set(&p, 2, ends[1]);
		set(&p, 3, (uintptr_t)&byte);
		set(&p, 4, 1);
		CALL(&p, close, 5, 2);
		CALL(&p, read, 6, 1, 3, 4);
		finish(&p);
		CHECK_EQ(machine_run(&m, &p), 0);
		CHECK_EQ(close(ends[0]), 0);
		if (m.page->status == SYSVM_DONE)
			return;
		CHECK_EQ(m.page->status, SYSVM_YIELD);
	}
	FAIL("20 programs of two calls took a second entry each");
}

static void ignore(int signal)
{
	(void)signal;
}

/* Time and signals are looked at where a program jumps back, so also where it makes no call. */
static void a_loop_without_calls_is_looked_at(void)
{
	struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	struct machine m = machine_open();
	struct program p = { 0 };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
	jump_back(&p, 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(machine_run(&m, &p), 0);
		if (m.page->status == SYSVM_SIGNAL || m.page->status == SYSVM_YIELD)
			return;
		CHECK_EQ(m.page->status, SYSVM_FUEL);
	}
	FAIL("50 entries of 1048576 jumps each, and none ended before its fuel");
}

/* ---- address spaces ---- */

/* The kernel uses the memory of an address space that is gone for the next one. */
static void a_context_kept_over_many_execs_is_of_no_use(void)
{
	const char *fd = getenv("SYSVM_TEST_FD"), *rounds = getenv("SYSVM_TEST_ROUNDS");
	struct machine m = { .fd = fd ? atoi(fd) : open("/dev/sysvm", O_RDWR) };
	int left = rounds ? atoi(rounds) : 20;
	char text[16];

	if (fd)
		CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 1), -EPERM);
	if (!left)
		return;
	snprintf(text, sizeof(text), "%d", m.fd);
	setenv("SYSVM_TEST_FD", text, 1);
	snprintf(text, sizeof(text), "%d", left - 1);
	setenv("SYSVM_TEST_ROUNDS", text, 1);
	execl("/proc/self/exe", "test_rules", "a_context_kept_over_many_execs_is_of_no_use", NULL);
	FAIL("exec: %s", strerror(errno));
}

/* ---- pages ---- */

static void *take_a_page(void *fd)
{
	return mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *(int *)fd, 0);
}

static void *enter(void *fd)
{
	struct machine m = { .fd = *(int *)fd };

	return (void *)(intptr_t)machine_enter(&m, SYSVM_PROC_PAGE, 1);
}

/* Also when the kernel uses the memory of the dead thread's struct pid for the next one. */
static void no_later_thread_inherits_a_page(void)
{
	int fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	pthread_t threads[20];
	void *result;

	for (int round = 0; round < 20; round++) {
		CHECK_EQ(pthread_create(&threads[0], NULL, take_a_page, &fd), 0);
		CHECK_EQ(pthread_join(threads[0], &result), 0);
		CHECK(result != MAP_FAILED);
		usleep(20000); /* a grace period */
		for (int i = 0; i < 20; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, enter, &fd), 0);
		for (int i = 0; i < 20; i++) {
			CHECK_EQ(pthread_join(threads[i], &result), 0);
			CHECK_EQ((intptr_t)result, -ENXIO);
		}
	}
}

/* Not copied by fork, not grown by mremap, not dumped; may not be made executable. */
static void the_mapping_says_so(void)
{
	struct machine m = machine_open();
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512], start[32];
	bool here = false;

	snprintf(start, sizeof(start), "%lx-", (unsigned long)m.page);
	while (fgets(line, sizeof(line), smaps)) {
		here |= !strncmp(line, start, strlen(start));
		if (!here || strncmp(line, "VmFlags:", 8))
			continue;
		printf("%s", line);
		for (const char *flag = "dc\0de\0dd\0"; *flag; flag += 3)
			if (!strstr(line, flag))
				FAIL("no %s among the flags of the mapping", flag);
		CHECK(!strstr(line, " me") && !strstr(line, " ex"));
		return;
	}
	FAIL("the page is not in smaps");
}

/* A program that rewrites its own code meanwhile runs on as it was verified. */
static void it_is_a_copy_of_the_page_that_runs(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };

	set(&p, 1, 0);
	set(&p, 2, SYSVM_OP_END);
	EMIT(&p, SYSVM_OP_ST8, 1, 2, 0, 0);
	uint64_t target = (uintptr_t)m.page->code + p.len;
	memcpy(&p.code[2], &target, 8); /* of the first set() */
	EMIT(&p, SYSVM_OP_MOVI8, 3, 77);
	finish(&p);
	m.page->reg[3] = 0;
	machine_complete(&m, &p);
	CHECK_EQ(m.page->code[p.len - 4], SYSVM_OP_END);
	CHECK_EQ(m.page->reg[3], 77);
}

/* A pc to resume at that is not one; a proc that is not the one that was stopped. */
static void a_resume_is_of_the_program_that_stopped(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	struct sysvm_define d = { .code = (uintptr_t)p.code };

	EMIT(&p, SYSVM_OP_ADDI, 1, 1, 1, 0, 0, 0, SYSVM_OP_ADDI, 1, 1, 1, 0, 0, 0, SYSVM_OP_END);
	d.code_len = p.len;
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_DEFINE, &d), 0);
	machine_load(&m, &p);
	m.page->fuel = 1;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 1), 0);
	CHECK_EQ(m.page->status, SYSVM_FUEL);
	m.page->fuel = 100;
	CHECK_EQ(machine_enter(&m, d.proc, 1), 0); /* another program: from its start */
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(m.page->reg[1], 3);
}

/*
 * No test by itself: scripts/check-mutations takes out the rule that to a program its device is not open, and
 * sees that the run still holds the file; then takes out that, too. The device is closed from inside, the
 * page is gone before; what is left is looked at while the program runs.
 */
static void get_rid_of_the_device_in_mid_run(void)
{
	int contexts = open("/sys/kernel/debug/sysvm/contexts", O_RDONLY | O_CLOEXEC);
	static char view[65536];
	uint64_t length = 0;
	char mine[64];

	CHECK(contexts >= 0);
	for (int i = 0; i < 20 && !length; i++) { /* time may end the entry before its last call */
		struct machine m = machine_open();
		struct program p = { 0 };

		set(&p, 1, (uintptr_t)m.page);
		set(&p, 2, SYSVM_PAGE_SIZE);
		set(&p, 3, m.fd);
		set(&p, 4, contexts);
		set(&p, 5, (uintptr_t)view);
		set(&p, 6, sizeof(view) - 1);
		set(&p, 7, 0);
		set(&p, 8, (uintptr_t)&length);
		CALL(&p, munmap, 10, 1, 2);
		CALL(&p, close, 10, 3);
		CALL(&p, pread64, 10, 4, 5, 6, 7);
		EMIT(&p, SYSVM_OP_ST64, 8, 10, 0, 0);
		finish(&p);
		CHECK_EQ(machine_run(&m, &p), 0);
	}
	snprintf(mine, sizeof(mine), "context pid=%d ", getpid());
	if (!length)
		FAIL("no program came to its end");
	if (!strstr(view, mine))
		FAIL("the context was gone in mid-run:\n%s", view);
}

/* ---- pages that are gone, while their run waits ---- */

#define PIPES 16
#define PIPE_BYTES (1 << 20)

static int wait_ends[2];
static volatile int waiting_tid;

static void *wait_without_page(void *unused)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	char byte;

	(void)unused;
	set(&p, 1, wait_ends[0]);
	set(&p, 2, (uintptr_t)&byte);
	set(&p, 3, 1);
	set(&p, 4, (uintptr_t)m.page);
	set(&p, 5, SYSVM_PAGE_SIZE);
	CALL(&p, munmap, 10, 4, 5);
	CALL(&p, read, 10, 1, 2, 3);
	for (int reg = 20; reg < 120; reg++)
		set(&p, reg, 0x123456789abcdef);
	finish(&p);
	waiting_tid = gettid();
	machine_run(&m, &p);
	return NULL;
}

static char state_of(pid_t tid)
{
	char path[64], text[256] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	end = strrchr(text, ')');
	return end ? end[2] : 'X';
}

/*
 * Its registers are written after the wait: to a page that is still its own, or to what somebody else has
 * there now. A pipe's pages come from where the module's do.
 */
static void a_page_is_the_runs_until_its_end(void)
{
	static unsigned char bytes[PIPE_BYTES];
	int pipes[PIPES][2];
	pthread_t thread;

	for (int i = 0; i < PIPES; i++) {
		CHECK_EQ(pipe(pipes[i]), 0);
		CHECK_EQ(fcntl(pipes[i][1], F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
	}
	for (int round = 0; round < 5; round++) {
		CHECK_EQ(pipe(wait_ends), 0);
		waiting_tid = 0;
		CHECK_EQ(pthread_create(&thread, NULL, wait_without_page, NULL), 0);
		while (!waiting_tid || (state_of(waiting_tid) != 'S' && state_of(waiting_tid) != 'X'))
			usleep(1000);
		usleep(100000); /* grace periods */
		memset(bytes, 0xa5, PIPE_BYTES);
		for (int i = 0; i < PIPES; i++)
			CHECK_EQ(write(pipes[i][1], bytes, PIPE_BYTES), PIPE_BYTES);
		CHECK_EQ(write(wait_ends[1], "x", 1), 1);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		for (int i = 0; i < PIPES; i++) {
			CHECK_EQ(read(pipes[i][0], bytes, PIPE_BYTES), PIPE_BYTES);
			for (int at = 0; at < PIPE_BYTES; at++)
				if (bytes[at] != 0xa5)
					FAIL("the run wrote %#x to a page that was not its own any more",
					     bytes[at]);
		}
	}
}

/* ---- signals that a call raises ---- */

static volatile int calls_when_handled;
static struct machine *pipes_machine;

static void note_calls(int signal)
{
	(void)signal;
	calls_when_handled = pipes_machine->page->calls;
}

/*
 * SIGPIPE is there when write() comes back: its handler runs before the next call, without anything else to
 * stop for.
 */
static void a_signal_that_a_call_raises_is_taken_before_the_next(void)
{
	struct sigaction action = { .sa_handler = note_calls };
	struct machine m = machine_open();
	int ends[2];

	pipes_machine = &m;
	CHECK_EQ(sigaction(SIGPIPE, &action, NULL), 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(close(ends[0]), 0);
	for (int i = 0; i < 20; i++) {
		struct program p = { 0 };

		set(&p, 1, ends[1]);
		set(&p, 2, (uintptr_t) "x");
		set(&p, 3, 1);
		CALL_GO_ON(&p, write, 4, 1, 2, 3);
		for (int n = 0; n < 10; n++)
			CALL(&p, getppid, 5);
		finish(&p);
		m.page->calls = 0;
		CHECK_EQ(machine_run(&m, &p), 0);
		while (m.page->status == SYSVM_SIGNAL || m.page->status == SYSVM_YIELD)
			CHECK_EQ(machine_resume(&m), 0);
		CHECK_EQ(m.page->status, SYSVM_DONE);
		CHECK_EQ((int64_t)m.page->reg[4], -EPIPE);
		CHECK_EQ(calls_when_handled, 1);
		CHECK_EQ(m.page->calls, 11);
	}
}

/* ---- rows whose function has another name: there may be an old one of theirs ---- */

static void rows_make_the_call_of_today(void)
{
	static const char path[] = "/dev/shm/of-today";
	struct machine m = machine_open();
	struct program p = { 0 };
	struct stat by_path = { 0 }, by_link = { 0 }, by_fd = { 0 }, expected;
	struct utsname name = { 0 }, expected_name;
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600), ends[2];
	uint64_t offset = 5ull << 30; /* beyond 32 bits */
	char bytes[3];

	CHECK_EQ(pwrite(fd, "abc", 3, offset), 3);
	CHECK_EQ(pipe(ends), 0);
	set(&p, 1, (uintptr_t)path);
	set(&p, 2, (uintptr_t)&by_path);
	set(&p, 3, (uintptr_t)&by_link);
	set(&p, 4, (uintptr_t)&by_fd);
	set(&p, 5, fd);
	set(&p, 6, (uintptr_t)&name);
	set(&p, 7, ends[1]);
	set(&p, 8, (uintptr_t)&offset);
	set(&p, 9, 3);
	CALL(&p, stat, 20, 1, 2);
	CALL(&p, lstat, 21, 1, 3);
	CALL(&p, fstat, 22, 5, 4);
	CALL(&p, uname, 23, 6);
	CALL(&p, sendfile, 24, 7, 5, 8, 9);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ(fstat(fd, &expected), 0);
	expected.st_atim = by_path.st_atim = by_link.st_atim = by_fd.st_atim = (struct timespec){ 0 };
	CHECK(!memcmp(&by_path, &expected, sizeof(expected)));
	CHECK(!memcmp(&by_link, &expected, sizeof(expected)));
	CHECK(!memcmp(&by_fd, &expected, sizeof(expected)));
	CHECK_EQ(uname(&expected_name), 0);
	CHECK(!memcmp(&name, &expected_name, sizeof(name)));
	CHECK_EQ(m.page->reg[24], 3);
	CHECK_EQ(offset, (5ull << 30) + 3);
	CHECK_EQ(read(ends[0], bytes, 3), 3);
	CHECK(!memcmp(bytes, "abc", 3));
	unlink(path);
}

static const struct test tests[] = {
	{ "get_rid_of_the_device_in_mid_run", get_rid_of_the_device_in_mid_run },
	TEST(no_opcode_has_code_but_the_tables),
	TEST(a_program_cannot_enter_the_machine_again),
	TEST(a_call_that_this_kernel_lacks_is_absent),
	TEST(what_munmap_leaves_undone_is_done_before_the_next_call),
	TEST(closing_a_pipe_takes_no_second_entry),
	TEST(a_loop_without_calls_is_looked_at),
	TEST(a_context_kept_over_many_execs_is_of_no_use),
	TEST(no_later_thread_inherits_a_page),
	TEST(the_mapping_says_so),
	TEST(it_is_a_copy_of_the_page_that_runs),
	TEST(a_resume_is_of_the_program_that_stopped),
	TEST(a_page_is_the_runs_until_its_end),
	TEST(a_signal_that_a_call_raises_is_taken_before_the_next),
	TEST(rows_make_the_call_of_today),
};
TEST_MAIN(tests)
