/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest's test programs share: a table of tests of which one runs in each process, checks that say
 * what was expected, a machine (device and page), and a small assembler for programs written in C.
 *
 *   test_calls NAME      runs that test; exit status 0 if it passed
 */
#ifndef SYSVM_TESTS_QEMU_HARNESS_H
#define SYSVM_TESTS_QEMU_HARNESS_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uapi/syscalls.h"
#include "vm/opcodes.h"
#include "uapi/sysvm.h"

struct test {
	const char *name;
	void (*run)(void);
};

#define TEST(name) { #name, name }

#define FAIL(...) \
	do { \
		printf("%s:%d: ", __FILE_NAME__, __LINE__); \
		printf(__VA_ARGS__); \
		printf("\n"); \
		exit(1); \
	} while (0)

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			FAIL("expected %s (errno %d: %s)", #condition, errno, strerror(errno)); \
	} while (0)

#define CHECK_EQ(got, expected) \
	do { \
		long long got_ = (long long)(got), expected_ = (long long)(expected); \
		if (got_ != expected_) \
			FAIL("%s is %lld, expected %lld (%s)", #got, got_, expected_, #expected); \
	} while (0)

/* A call fails with this errno. */
#define CHECK_FAILS(call, error) \
	do { \
		errno = 0; \
		long long ret_ = (long long)(call); \
		if (ret_ != -1 || errno != (error)) \
			FAIL("%s gave %lld, errno %d (%s), expected -1, %s", #call, ret_, errno, \
			     strerror(errno), #error); \
	} while (0)

static inline int run_test(int argc, char **argv, const struct test *tests, size_t n)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	for (size_t i = 0; i < n && argc == 2; i++) {
		if (strcmp(argv[1], tests[i].name))
			continue;
		tests[i].run();
		return 0;
	}
	printf("usage: %s NAME, one of:\n", argv[0]);
	for (size_t i = 0; i < n; i++)
		printf("  %s\n", tests[i].name);
	return 2;
}

#define TEST_MAIN(tests) \
	int main(int argc, char **argv) \
	{ \
		return run_test(argc, argv, tests, sizeof(tests) / sizeof((tests)[0])); \
	}

/* ---- a machine ---- */

struct machine {
	int fd;
	struct sysvm_page *page;
	uint64_t seq;
};

/* Is there a second way in? (module parameter fadvise, on in the guest's tests) */
static inline bool machine_has_fadvise(int fd)
{
	static int has = -1;
	struct sysvm_query query;

	if (has < 0)
		has = !ioctl(fd, SYSVM_IOC_QUERY, &query) && query.features & SYSVM_FEATURE_FADVISE;
	return has;
}

static inline struct machine machine_open(void)
{
	struct machine m = { .fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC) };

	CHECK(m.fd >= 0);
	m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	CHECK(m.page != MAP_FAILED);
	return m;
}

/* The bare entry: 0, or -errno. */
static inline int machine_enter(struct machine *m, uint32_t proc, uint64_t seq)
{
	struct sysvm_run run = { .proc = proc, .seq = seq };

	/* By its two ways in turn: all tests hold for both. */
	if (seq % 2 || !machine_has_fadvise(m->fd))
		return ioctl(m->fd, SYSVM_IOC_RUN, &run) < 0 ? -errno : 0;
	return syscall(SYS_fadvise64, m->fd, seq, proc, SYSVM_ADVICE_RUN) < 0 ? -errno : 0;
}

/* Goes on where the page stopped. */
static inline int machine_resume(struct machine *m)
{
	return machine_enter(m, m->page->proc, m->seq);
}

/* ---- programs ---- */

struct program {
	uint32_t len;
	uint8_t code[SYSVM_PROC_CODE_MAX];
};

static inline void emit(struct program *p, const void *bytes, size_t n)
{
	if (p->len + n > sizeof(p->code))
		FAIL("program too long");
	memcpy(p->code + p->len, bytes, n);
	p->len += n;
}

static inline void emit_bytes(struct program *p, size_t n, const uint8_t *bytes)
{
	emit(p, bytes, n);
}
#define EMIT(p, ...) emit_bytes(p, sizeof((uint8_t[]){ __VA_ARGS__ }), (uint8_t[]){ __VA_ARGS__ })

static inline void set(struct program *p, uint8_t reg, uint64_t value)
{
	EMIT(p, SYSVM_OP_MOVI64, reg);
	emit(p, &value, 8);
}

/* dst = call(registers...); go_on: an error does not stop the program. */
static inline void emit_call(struct program *p, unsigned int index)
{
	uint8_t op[2];

	emit(p, op, sysvm_put_call_op(op, index));
}
#define CALL(p, name, ...) \
	do { \
		emit_call(p, SYSVM_CALL_##name); \
		EMIT(p, __VA_ARGS__); \
	} while (0)
#define CALL_GO_ON(p, name, ...) \
	do { \
		EMIT(p, SYSVM_OP_GOON); \
		CALL(p, name, __VA_ARGS__); \
	} while (0)

static inline void jump_back(struct program *p, uint32_t to)
{
	int16_t distance = (int16_t)(to - (p->len + 3));

	EMIT(p, SYSVM_OP_JMP);
	emit(p, &distance, 2);
}

static inline void finish(struct program *p)
{
	EMIT(p, SYSVM_OP_END);
}

static inline void machine_load(struct machine *m, const struct program *p)
{
	CHECK(p->len <= SYSVM_PAGE_CODE_MAX);
	memcpy(m->page->code, p->code, p->len);
	m->page->code_len = p->len;
	m->page->fuel = SYSVM_FUEL_MAX;
}

/* Loads the program into the page and enters once. */
static inline int machine_run(struct machine *m, const struct program *p)
{
	machine_load(m, p);
	return machine_enter(m, SYSVM_PROC_PAGE, ++m->seq);
}

/*
 * As machine_run, and entered again where time ended the entry, as everybody does: to a stop of another kind.
 */
static inline int machine_run_on(struct machine *m, const struct program *p)
{
	int ret = machine_run(m, p);

	while (!ret && m->page->status == SYSVM_YIELD)
		ret = machine_resume(m);
	return ret;
}

/* As machine_run, for what one entry does: run to its end and tried again where time ended the entry. */
static inline int machine_run_at_once(struct machine *m, const struct program *p)
{
	int ret = 0;

	for (int i = 0; i < 20; i++) {
		m->page->calls = 0;
		m->page->runs = 0;
		ret = machine_run(m, p);
		if (ret || m->page->status != SYSVM_YIELD)
			break;
		while (!ret && m->page->status == SYSVM_YIELD)
			ret = machine_enter(m, m->page->proc, m->seq);
	}
	return ret;
}

/* Runs it to its end, entering as often as the machine yields. */
static inline void machine_complete(struct machine *m, const struct program *p)
{
	int ret = machine_run_on(m, p);

	if (ret || m->page->status != SYSVM_DONE)
		FAIL("run gave %d, status %u, pc %u, error %d; expected 0 and DONE", ret, m->page->status,
		     m->page->pc, m->page->error);
}

/* A program's calls in a child process, so that what they do to it stays there. */
#define IN_CHILD(statement) \
	do { \
		int status_; \
		pid_t pid_ = fork(); \
		CHECK(pid_ >= 0); \
		if (!pid_) { \
			statement; \
			_exit(0); \
		} \
		CHECK_EQ(waitpid(pid_, &status_, 0), pid_); \
		CHECK_EQ(status_, 0); \
	} while (0)

#endif
