/* SPDX-License-Identifier: MIT */
/*
 * The few byte loops that plain C of this tree needs where it may run inside an application's system call:
 * general registers only, no call that another library could interpose.
 */
#ifndef SYSVM_RAW_BYTES_H
#define SYSVM_RAW_BYTES_H

#include <stddef.h>
#include <stdint.h>

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
