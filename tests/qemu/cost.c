// SPDX-License-Identifier: GPL-2.0
/*
 * What the machine costs, counted in instructions: under QEMU's -icount shift=0 the time stamp counter counts
 * exactly what the processor executes, kernel and user alike, so a difference of two reads is the length of
 * the path between them. No time is measured: emulation says nothing about it.
 *
 *   guest_cost            prints "name instructions", one on a line; bench/kernel_cost reads it
 *
 * Each figure is the minimum of many rounds (a timer's interrupt only ever adds). Costs of one call and of
 * one instruction are differences between programs that differ in nothing else.
 */
#include "harness.h"

#include <sys/syscall.h>
#include <sys/stat.h>

#define ROUNDS 300
#define CALLS 32

static inline uint64_t count(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline long enter(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return ret;
}

/* The length of `statement`, without that of reading the counter. */
#define LENGTH_OF(result, statement) \
	do { \
		uint64_t best_ = ~0ull, start_, took_; \
		for (int round_ = 0; round_ < ROUNDS; round_++) { \
			start_ = count(); \
			statement; \
			took_ = count() - start_; \
			if (took_ < best_) \
				best_ = took_; \
		} \
		(result) = best_ - nothing; \
	} while (0)

static uint64_t nothing;

static uint32_t define(struct machine *m, const struct program *p)
{
	struct sysvm_define d = { .code = (uintptr_t)p->code, .code_len = p->len };

	CHECK_EQ(ioctl(m->fd, SYSVM_IOC_DEFINE, &d), 0);
	return d.proc;
}

static uint64_t length_of_run(struct machine *m, uint32_t proc)
{
	uint64_t length;

	LENGTH_OF(length, {
		m->page->fuel = SYSVM_FUEL_MAX;
		enter(SYS_fadvise64, m->fd, ++m->seq, proc, SYSVM_ADVICE_RUN);
	});
	CHECK_EQ(m->page->status, SYSVM_DONE);
	return length;
}

static void print(const char *name, double instructions)
{
	printf("%s %.2f\n", name, instructions);
}

int main(void)
{
	struct machine m = machine_open();
	struct program empty = { 0 }, adds = { 0 }, calls = { 0 }, fstats = { 0 }, reads = { 0 };
	uint64_t none, getppid_plain, fstat_plain, read_plain, run, ioctl_run, page_run;
	struct stat st;
	char buffer[64];
	int fd = open("/tmp/cost", O_CREAT | O_RDWR | O_TRUNC, 0600);

	CHECK_EQ(ftruncate(fd, 4096), 0);
	for (int i = 0; i < ROUNDS; i++) { /* what reading the counter itself takes */
		uint64_t start = count(), took = count() - start;

		if (!i || took < nothing)
			nothing = took;
	}
	LENGTH_OF(none, enter(9999, 0, 0, 0, 0));
	LENGTH_OF(getppid_plain, enter(SYS_getppid, 0, 0, 0, 0));
	LENGTH_OF(fstat_plain, enter(SYS_fstat, fd, (long)&st, 0, 0));
	LENGTH_OF(read_plain, enter(SYS_read, fd, (long)buffer, 0, 0));
	print("entry", none);
	print("getppid", getppid_plain);
	print("fstat", fstat_plain);
	print("read0", read_plain);

	m.page->reg[1] = fd;
	m.page->reg[2] = (uintptr_t)&st;
	m.page->reg[3] = 0;
	for (int i = 0; i < CALLS; i++) {
		EMIT(&adds, SYSVM_OP_ADD, 4, 5, 6);
		CALL(&calls, getppid, 7);
		CALL(&fstats, fstat, 7, 1, 2);
		CALL(&reads, read, 7, 1, 2, 3);
	}
	finish(&empty);
	finish(&adds);
	finish(&calls);
	finish(&fstats);
	finish(&reads);
	run = length_of_run(&m, define(&m, &empty));
	print("run", run);
	LENGTH_OF(ioctl_run,
		  enter(SYS_ioctl, m.fd, SYSVM_IOC_RUN, (long)&(struct sysvm_run){ .seq = ++m.seq }, 0));
	print("run_by_ioctl", ioctl_run);
	print("insn", (double)(length_of_run(&m, define(&m, &adds)) - run) / CALLS);
	print("inner_getppid", (double)(length_of_run(&m, define(&m, &calls)) - run) / CALLS);
	print("inner_fstat", (double)(length_of_run(&m, define(&m, &fstats)) - run) / CALLS);
	print("inner_read0", (double)(length_of_run(&m, define(&m, &reads)) - run) / CALLS);
	machine_load(&m, &empty);
	page_run = length_of_run(&m, SYSVM_PROC_PAGE);
	print("page_run", page_run);
	machine_load(&m, &calls);
	print("page_run_32_getppid", length_of_run(&m, SYSVM_PROC_PAGE));
	return 0;
}
