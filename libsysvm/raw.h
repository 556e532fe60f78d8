/* SPDX-License-Identifier: MIT */
/*
 * Raw system calls: no errno, no cancellation point, no symbol that another library could interpose, no
 * vector register. The shim compiles these files into itself and runs them inside the application's system
 * calls.
 */
#ifndef SYSVM_RAW_H
#define SYSVM_RAW_H

#include <stdint.h>

#include "procedures/raw_bytes.h"

static inline long raw_call6(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
			     uint64_t a5)
{
	register uint64_t r10 __asm__("r10") = a3;
	register uint64_t r8 __asm__("r8") = a4;
	register uint64_t r9 __asm__("r9") = a5;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a0), "S"(a1), "d"(a2), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static inline long raw_call3(long nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a0), "S"(a1), "d"(a2)
			 : "rcx", "r11", "memory");
	return result;
}

static inline int raw_failed(long result)
{
	return (unsigned long)result >= (unsigned long)-4095L;
}

#endif
