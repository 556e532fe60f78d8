// SPDX-License-Identifier: GPL-2.0
/*
 * A program that makes a known number of system calls: no C library, so nothing but what stands here.
 *
 *   1000 getppid, fork, in the child 100 getppid and exit, wait, exit: 1104 entries
 *
 * With an argument it also opens /dev/sysvm, maps its page and makes 200 calls in the machine: open, mmap and
 * ioctl, three entries more, and one for each time that the machine yields. Its exit status is then the
 * number of ioctls. guest.entries_are_counted_exactly and guest.inner_calls_are_no_entries compare with what
 * guest_count says.
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/wait.h>

#include "uapi/syscalls.h"
#include "uapi/sysvm.h"
#include "vm/opcodes.h"

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static void leave(int status)
{
	call(__NR_exit_group, status, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

static void use_the_machine(void)
{
	struct sysvm_run run = { .proc = SYSVM_PROC_PAGE, .seq = 1 };
	int entries = 0;
	long fd = call(__NR_open, (long)"/dev/sysvm", O_RDWR, 0, 0, 0, 0);
	struct sysvm_page *page =
		(void *)call(__NR_mmap, 0, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int i;

	if (fd < 0 || (long)page < 0)
		leave(102);
	for (i = 0; i < 200; i++) {
		page->code[2 * i] = SYSVM_OP_CALL_FULL + SYSVM_CALL_getppid;
		page->code[2 * i + 1] = 1;
	}
	page->code[2 * i] = SYSVM_OP_END;
	page->code_len = 2 * i + 1;
	page->fuel = 1000;
	do {
		if (call(__NR_ioctl, fd, SYSVM_IOC_RUN, (long)&run, 0, 0, 0))
			leave(100);
		entries++;
	} while (page->status == SYSVM_YIELD);
	leave(page->status == SYSVM_DONE && page->calls == 200 ? entries : 101);
}

__attribute__((used)) static void start(long argc)
{
	long pid;
	int i;

	for (i = 0; i < 1000; i++)
		call(__NR_getppid, 0, 0, 0, 0, 0, 0);
	pid = call(__NR_fork, 0, 0, 0, 0, 0, 0);
	if (pid == 0) {
		for (i = 0; i < 100; i++)
			call(__NR_getppid, 0, 0, 0, 0, 0, 0);
		leave(0);
	}
	call(__NR_wait4, pid, 0, 0, 0, 0, 0);
	if (argc > 1)
		use_the_machine();
	leave(0);
}

__asm__(".globl _start\n_start:\n\tmov (%rsp), %rdi\n\tand $-16, %rsp\n\tcall start\n");
