// SPDX-License-Identifier: GPL-2.0
/*
 * What the module's programs may call and what they get: whole sequences in one entry, results as plain calls
 * give them, our own device and denied commands, stored procedures and their limits.
 */
#include "harness.h"

#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <termios.h>

static void open_fstat_read_close_in_one_entry(void)
{
	static const char path[] = "/tmp/calls-file", text[] = "what the file holds";
	struct machine m = machine_open();
	struct program p = { 0 };
	struct stat inside, outside;
	char buffer[64] = "";
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);

	CHECK_EQ(write(fd, text, sizeof(text)), sizeof(text));
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(stat(path, &outside), 0);

	set(&p, 10, AT_FDCWD);
	set(&p, 11, (uintptr_t)path);
	set(&p, 12, O_RDONLY);
	set(&p, 13, 0);
	set(&p, 14, (uintptr_t)&inside);
	set(&p, 15, (uintptr_t)buffer);
	set(&p, 16, sizeof(buffer));
	CALL(&p, openat, 20, 10, 11, 12, 13);
	CALL(&p, fstat, 21, 20, 14);
	CALL(&p, read, 22, 20, 15, 16);
	CALL(&p, read, 23, 20, 15, 16);
	CALL(&p, close, 24, 20);
	finish(&p);
	CHECK_EQ(machine_run_at_once(&m, &p), 0);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(m.page->calls, 5);
	CHECK_EQ(m.page->runs, 1);
	CHECK_EQ(m.page->reg[20], fd); /* the lowest free number, as ever */
	CHECK_EQ(m.page->reg[22], sizeof(text));
	CHECK_EQ(m.page->reg[23], 0);
	CHECK_EQ(m.page->reg[24], 0);
	CHECK(!strcmp(buffer, text));
	CHECK(inside.st_ino == outside.st_ino && inside.st_size == outside.st_size);
	CHECK_FAILS(close(fd), EBADF);
}

static void an_error_stops_at_its_call_and_go_on_does_not(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	uint32_t at;

	set(&p, 1, -1);
	CALL_GO_ON(&p, close, 2, 1);
	at = p.len;
	CALL(&p, close, 3, 1);
	finish(&p);
	CHECK_EQ(machine_run_at_once(&m, &p), 0);
	CHECK_EQ(m.page->status, SYSVM_ERROR);
	CHECK_EQ(m.page->error, EBADF);
	CHECK_EQ(m.page->pc, at);
	CHECK_EQ((int64_t)m.page->reg[2], -EBADF);
	CHECK_EQ((int64_t)m.page->reg[3], -EBADF);
}

static void kernel_addresses_are_faults(void)
{
	static const uint64_t bad[] = { 0, 0xffffffff81000000, 0xffff888000000000, 0x7ffffffff000,
					0x8000000000000000 };
	struct machine m = machine_open();

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct program load = { 0 }, store = { 0 }, call = { 0 };

		set(&load, 1, bad[i]);
		EMIT(&load, SYSVM_OP_LD64, 2, 1, 0, 0);
		finish(&load);
		CHECK_EQ(machine_run_at_once(&m, &load), 0);
		CHECK_EQ(m.page->status, SYSVM_FAULT);

		set(&store, 1, bad[i]);
		EMIT(&store, SYSVM_OP_ST64, 1, 2, 0, 0);
		finish(&store);
		CHECK_EQ(machine_run_at_once(&m, &store), 0);
		CHECK_EQ(m.page->status, SYSVM_FAULT);

		set(&call, 1, bad[i]);
		CALL(&call, uname, 2, 1);
		finish(&call);
		CHECK_EQ(machine_run_at_once(&m, &call), 0);
		CHECK_EQ(m.page->status, SYSVM_ERROR);
		CHECK_EQ(m.page->error, EFAULT);
	}
}

static void own_device_is_not_open_to_a_program(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	int spare = dup(2);

	set(&p, 1, m.fd);
	set(&p, 2, spare);
	set(&p, 3, O_CLOEXEC);
	set(&p, 4, F_DUPFD);
	set(&p, 5, 0);
	set(&p, 6, TCGETS);
	set(&p, 7, SYSVM_PAGE_SIZE);
	set(&p, 8, PROT_READ | PROT_WRITE);
	set(&p, 9, MAP_SHARED);
	CALL_GO_ON(&p, close, 20, 1);
	CALL_GO_ON(&p, dup, 21, 1);
	CALL_GO_ON(&p, dup2, 22, 2, 1);
	CALL_GO_ON(&p, dup3, 23, 2, 1, 3);
	CALL_GO_ON(&p, fcntl, 24, 1, 4, 5);
	CALL_GO_ON(&p, ioctl, 25, 1, 6, 5);
	CALL_GO_ON(&p, mmap, 26, 5, 7, 8, 9, 1, 5);
	CALL_GO_ON(&p, dup2, 27, 1, 2);
	finish(&p);
	machine_complete(&m, &p);
	for (int reg = 20; reg <= 27; reg++)
		CHECK_EQ((int64_t)m.page->reg[reg], -EBADF);
	machine_complete(&m, &p); /* and it is still ours */
}

/* A program must not get into the machine again, and an unknown ioctl can be anything. */
static void denied_commands_are_left_to_user_space(void)
{
	struct machine m = machine_open(), other = machine_open();
	static const uint64_t ioctls[] = {
		SYSVM_IOC_RUN, SYSVM_IOC_DEFINE, SYSVM_IOC_UNDEFINE, SYSVM_IOC_QUERY, 0x12345678, TIOCSTI, 0
	};
	static const uint64_t fcntls[] = { F_NOTIFY, F_SETLEASE, F_SETSIG, F_SETOWN, 9999 };
	struct sysvm_run run = { .proc = SYSVM_PROC_PAGE, .seq = 7 };

	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]) + sizeof(fcntls) / sizeof(fcntls[0]); i++) {
		struct program p = { 0 };
		bool is_ioctl = i < sizeof(ioctls) / sizeof(ioctls[0]);
		uint32_t at;

		set(&p, 1, other.fd);
		set(&p, 2, is_ioctl ? ioctls[i] : fcntls[i - sizeof(ioctls) / sizeof(ioctls[0])]);
		set(&p, 3, (uintptr_t)&run);
		at = p.len;
		emit_call(&p, is_ioctl ? SYSVM_CALL_ioctl : SYSVM_CALL_fcntl);
		EMIT(&p, 4, 1, 2, 3);
		finish(&p);
		CHECK_EQ(machine_run_on(&m, &p), 0);
		CHECK_EQ(m.page->status, SYSVM_FALLBACK);
		CHECK_EQ(m.page->pc, at);
	}
}

static void allowed_commands_work(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	struct termios termios;
	int fd = open("/tmp/allowed", O_CREAT | O_RDWR, 0600);

	set(&p, 1, fd);
	set(&p, 2, F_GETFL);
	set(&p, 3, F_SETFD);
	set(&p, 4, FD_CLOEXEC);
	set(&p, 5, F_DUPFD_CLOEXEC);
	set(&p, 6, 100);
	set(&p, 7, TCGETS);
	set(&p, 8, (uintptr_t)&termios);
	CALL(&p, fcntl, 20, 1, 2, 4);
	CALL(&p, fcntl, 21, 1, 3, 4);
	CALL(&p, fcntl, 22, 1, 5, 6);
	CALL_GO_ON(&p, ioctl, 23, 1, 7, 8);
	CALL(&p, close, 24, 22);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ(m.page->reg[20], fcntl(fd, F_GETFL));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(m.page->reg[22], 100);
	CHECK_EQ((int64_t)m.page->reg[23], -ENOTTY);
}

/*
 * close() finishes a pipe's end on the way to user space on older kernels: without help the read waits for
 * ever.
 */
static void closing_a_pipe_then_reading_it_sees_the_end(void)
{
	struct machine m = machine_open();
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
	machine_complete(&m, &p);
	CHECK_EQ(m.page->reg[6], 0);
}

static void dup2_over_a_pipe_closes_it_at_once(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	int ends[2];
	char byte;

	CHECK_EQ(pipe(ends), 0);
	set(&p, 1, ends[0]);
	set(&p, 2, ends[1]);
	set(&p, 3, (uintptr_t)&byte);
	set(&p, 4, 1);
	CALL(&p, dup2, 5, 1, 2);
	CALL(&p, read, 6, 1, 3, 4);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ(m.page->reg[6], 0);
}

static int define(struct machine *m, const struct program *p, struct sysvm_define *define)
{
	define->code = (uintptr_t)p->code;
	define->code_len = p->len;
	return ioctl(m->fd, SYSVM_IOC_DEFINE, define);
}

static void a_stored_procedure_runs_with_its_data(void)
{
	static const char data[] = "........abcdefgh";
	struct machine m = machine_open();
	struct program p = { 0 };
	struct sysvm_define d = { .data_base = (uintptr_t)data };

	EMIT(&p, SYSVM_OP_DATA, 1, 8, 0, SYSVM_OP_LD64, 2, 1, 0, 0);
	EMIT(&p, SYSVM_OP_ADDI, 3, 7, 1, 0, 0, 0, SYSVM_OP_END);
	CHECK_EQ(define(&m, &p, &d), 0);
	memset(p.code, 0, sizeof(p.code)); /* it is the kernel's copy that runs */
	m.page->reg[7] = 41;
	m.page->fuel = 100;
	CHECK_EQ(machine_enter(&m, d.proc, 1), 0);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(m.page->proc, d.proc);
	CHECK_EQ(m.page->fuel, 96);
	CHECK(!memcmp(&m.page->reg[2], "abcdefgh", 8));
	CHECK_EQ(m.page->reg[3], 42);

	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_UNDEFINE, &d.proc), 0);
	CHECK_EQ(machine_enter(&m, d.proc, 2), -ENOENT);
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_UNDEFINE, &d.proc), ENOENT);
}

static void the_verifiers_message_reaches_the_caller(void)
{
	struct machine m = machine_open();
	struct program p = { .code = { SYSVM_OP_MOV, 1, 2, 0xff }, .len = 4 };
	char message[100];
	struct sysvm_define d = { .message = (uintptr_t)message, .message_len = sizeof(message) };

	memset(message, 'x', sizeof(message));
	CHECK_FAILS(define(&m, &p, &d), EINVAL);
	CHECK_EQ(d.error_at, 3);
	CHECK(!strcmp(message, "byte 3: unknown opcode 0xff"));
	d.message_len = 7; /* cut, and closed */
	CHECK_FAILS(define(&m, &p, &d), EINVAL);
	CHECK(!strcmp(message, "byte 3"));

	memcpy(m.page->code, p.code, p.len);
	m.page->code_len = p.len;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 1), 0);
	CHECK_EQ(m.page->status, SYSVM_INVALID);
	CHECK_EQ(m.page->pc, 3);
}

static void procedures_are_limited_in_number_and_bytes(void)
{
	struct machine m = machine_open(), n = machine_open();
	struct program small = { .code = { SYSVM_OP_END }, .len = 1 };
	struct program *large = calloc(1, sizeof(*large));
	struct sysvm_define d = { 0 };
	struct sysvm_query query;
	uint32_t i;

	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_QUERY, &query), 0);
	for (i = 0; i < query.max_procs; i++)
		CHECK_EQ(define(&m, &small, &d), 0);
	CHECK_FAILS(define(&m, &small, &d), ENOSPC);
	i = 17;
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_UNDEFINE, &i), 0);
	CHECK_EQ(define(&m, &small, &d), 0);
	CHECK_EQ(d.proc, 17);

	large->len = query.max_code;
	memset(large->code, SYSVM_OP_END, large->len);
	for (i = 0; i < (1 << 20) / query.max_code; i++)
		CHECK_EQ(define(&n, large, &d), 0);
	CHECK_FAILS(define(&n, small.len ? &small : large, &d), ENOSPC);
	d.code_len = query.max_code + 1;
	CHECK_FAILS(ioctl(n.fd, SYSVM_IOC_DEFINE, &d), E2BIG);
}

/* A call that this kernel does not have: the plain one fails alike. */
static bool is_newer(long nr)
{
	return nr > 450 && syscall(nr, -1, 0, 0, 0, 0, 0) == -1 && errno == ENOSYS;
}

static void every_row_of_the_table_is_bound_here(void)
{
	struct machine m = machine_open();
	struct sysvm_query query;
	int missing = 0;

	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_QUERY, &query), 0);
	CHECK_EQ(query.abi, SYSVM_ABI_VERSION);
	CHECK_EQ(query.page_size, SYSVM_PAGE_SIZE);
#define SYSVM_SYSCALL(nr, name, index, ...) \
	if (index >= 0 && !(query.supported[(index & 255) / 64] >> ((index & 255) % 64) & 1) && \
	    !is_newer(nr)) { \
		printf("not bound: %s\n", #name); \
		missing++; \
	}
#include "uapi/syscalls.inc"
	CHECK_EQ(missing, 0);
}

/* Which call a row makes is not taken on trust: these can be told apart by what they return. */
static void rows_make_the_call_they_are_named_after(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	char cwd[4096];

	CALL(&p, getpid, 20);
	CALL(&p, getppid, 21);
	CALL(&p, gettid, 22);
	CALL(&p, getuid, 23);
	CALL(&p, geteuid, 24);
	set(&p, 1, 0123);
	CALL(&p, umask, 25, 1);
	CALL(&p, umask, 26, 25);
	set(&p, 2, (uintptr_t)cwd);
	set(&p, 3, sizeof(cwd));
	CALL(&p, getcwd, 27, 2, 3);
	finish(&p);
	CHECK_EQ(setreuid(1234, 0), 0);
	machine_complete(&m, &p);
	CHECK_EQ(m.page->reg[20], getpid());
	CHECK_EQ(m.page->reg[21], getppid());
	CHECK_EQ(m.page->reg[22], gettid());
	CHECK_EQ(m.page->reg[23], 1234);
	CHECK_EQ(m.page->reg[24], 0);
	CHECK_EQ(m.page->reg[26], 0123);
	CHECK_EQ(m.page->reg[27], strlen(getcwd(NULL, 0)) + 1);
}

/* A system call's number, then its result; and its arguments, before and after. */
struct registers {
	uint64_t ax, di, si, dx, r10, r8, r9;
};

static struct registers after_call(struct registers r)
{
	register uint64_t r10 __asm__("r10") = r.r10, r8 __asm__("r8") = r.r8, r9 __asm__("r9") = r.r9;

	__asm__ volatile("syscall"
			 : "+a"(r.ax), "+D"(r.di), "+S"(r.si), "+d"(r.dx), "+r"(r10), "+r"(r8), "+r"(r9)
			 :
			 : "rcx", "r11", "memory");
	r.r10 = r10;
	r.r8 = r8;
	r.r9 = r9;
	return r;
}

/* The inner calls have used them all. */
static void registers_are_put_back(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };

	set(&p, 1, 0);
	set(&p, 2, 4096);
	set(&p, 3, PROT_READ);
	set(&p, 4, MAP_PRIVATE | MAP_ANONYMOUS);
	set(&p, 5, 12345);
	set(&p, 6, 8192);
	CALL(&p, mmap, 7, 1, 2, 3, 4, 5, 6);
	finish(&p);
	for (int by_ioctl = 0; by_ioctl < 2; by_ioctl++) {
		struct sysvm_run run = { .proc = SYSVM_PROC_PAGE, .seq = ++m.seq };
		struct registers was = { SYS_fadvise64, m.fd, run.seq, SYSVM_PROC_PAGE, SYSVM_ADVICE_RUN,
					 0x8888888888888888, 0x9999999999999999 };
		struct registers is;

		if (by_ioctl) {
			was.ax = SYS_ioctl;
			was.si = SYSVM_IOC_RUN;
			was.dx = (uintptr_t)&run;
			was.r10 = 0x1010101010101010;
		}
		machine_load(&m, &p);
		do
			is = after_call(was);
		while (m.page->status == SYSVM_YIELD);
		CHECK_EQ(is.ax, 0);
		CHECK_EQ(m.page->status, SYSVM_DONE);
		CHECK_EQ(munmap((void *)m.page->reg[7], 4096), 0);
		CHECK_EQ(is.di, was.di);
		CHECK_EQ(is.si, was.si);
		CHECK_EQ(is.dx, was.dx);
		CHECK_EQ(is.r10, was.r10);
		CHECK_EQ(is.r8, was.r8);
		CHECK_EQ(is.r9, was.r9);
	}
}

static const struct test tests[] = {
	TEST(registers_are_put_back),
	TEST(open_fstat_read_close_in_one_entry),
	TEST(an_error_stops_at_its_call_and_go_on_does_not),
	TEST(kernel_addresses_are_faults),
	TEST(own_device_is_not_open_to_a_program),
	TEST(denied_commands_are_left_to_user_space),
	TEST(allowed_commands_work),
	TEST(closing_a_pipe_then_reading_it_sees_the_end),
	TEST(dup2_over_a_pipe_closes_it_at_once),
	TEST(a_stored_procedure_runs_with_its_data),
	TEST(the_verifiers_message_reaches_the_caller),
	TEST(procedures_are_limited_in_number_and_bytes),
	TEST(every_row_of_the_table_is_bound_here),
	TEST(rows_make_the_call_they_are_named_after),
};
TEST_MAIN(tests)
