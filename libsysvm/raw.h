/* SPDX-License-Identifier: MIT */
/*
 * Raw system calls and the few byte loops that libsysvm needs: no errno, no cancellation point, no symbol
 * that another library could interpose, no vector register. The shim compiles these files into itself and
 * runs them inside the application's system calls.
 */
#ifndef SYSVM_RAW_H
#define SYSVM_RAW_H

#include <stddef.h>
#include <stdint.h>

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

/* Words, anywhere in memory; volatile stores, so that the compiler does not make library calls of the loops.
 */
typedef uint64_t __attribute__((may_alias, aligned(1))) raw_word;

static inline void raw_copy(void *to, const void *from, size_t n)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (n > 256) { /* below that, the start-up cost of rep movs is higher than the loop's */
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
		return;
	}
	for (; n >= 8; n -= 8, t += 8, f += 8)
		*(volatile raw_word *)t = *(const raw_word *)f;
	for (; n; n--)
		*(volatile unsigned char *)t++ = *f++;
}

static inline void raw_zero(void *to, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

static inline int raw_equal(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *p = a, *q = b;

	while (n--)
		if (*p++ != *q++)
			return 0;
	return 1;
}

#endif
