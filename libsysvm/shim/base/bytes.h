/* SPDX-License-Identifier: MIT */
/* Copying and comparing with general registers only; libc's own would use vector registers, which are live.
   */
#ifndef SYSVM_SHIM_BYTES_H
#define SYSVM_SHIM_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Any 8 bytes, anywhere; volatile stores keep the compiler from calling memcpy. */
typedef uint64_t __attribute__((may_alias, aligned(1))) bytes_word;

static inline void bytes_copy(void *to, const void *from, size_t n)
{
	if (n <= 256) { /* rep movs has a start-up cost of some 20 ns */
		unsigned char *d = to;
		const unsigned char *s = from;

		for (; n >= 32; n -= 32, d += 32, s += 32) {
			bytes_word a = *(const bytes_word *)s, b = *(const bytes_word *)(s + 8),
				   e = *(const bytes_word *)(s + 16), f = *(const bytes_word *)(s + 24);

			*(volatile bytes_word *)d = a;
			*(volatile bytes_word *)(d + 8) = b;
			*(volatile bytes_word *)(d + 16) = e;
			*(volatile bytes_word *)(d + 24) = f;
		}
		for (; n >= 8; n -= 8, d += 8, s += 8)
			*(volatile bytes_word *)d = *(const bytes_word *)s;
		for (; n; n--)
			*(volatile unsigned char *)d++ = *s++;
		return;
	}
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static inline void bytes_zero(void *to, size_t n)
{
	if (n <= 256) {
		unsigned char *d = to;

		for (; n >= 8; n -= 8, d += 8)
			*(volatile bytes_word *)d = 0;
		for (; n; n--)
			*(volatile unsigned char *)d++ = 0;
		return;
	}
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
}

static inline int bytes_equal(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	while (n--)
		if (*x++ != *y++)
			return 0;
	return 1;
}

static inline int bytes_same_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

#endif
