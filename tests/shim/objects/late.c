// SPDX-License-Identifier: MIT
/*
 * A library with data between two executable segments, as programs are laid out that were optimized after
 * linking.
 */
#include <sys/syscall.h>

static int counter = 1;

__attribute__((section(".late"), noinline, used)) long late_getpid(void)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "0"(SYS_getpid) : "rcx", "r11", "memory");
	return result;
}

int late_next(void)
{
	return ++counter;
}
