/* SPDX-License-Identifier: MIT */
/* Copying and comparing with general registers only; libc's own would use vector registers, which are live.
   */
#ifndef SYSVM_SHIM_BYTES_H
#define SYSVM_SHIM_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Any 8 bytes, anywhere; volatile stores keep the compiler from calling memcpy. */
typedef uint64_t __attribute__((may_alias, aligned(1))) bytes_word;
typedef uint64_t __attribute__((may_alias)) bytes_aligned_word;

#define BYTES_SLACK 7 /* bytes after a text in memory of ours that bytes_equal_words may read */

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

/* The same, eight at a time. Of b all n bytes are there; of a at least those up to the first difference, and
   BYTES_SLACK more. */
static inline int bytes_equal_words(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8)
		if (*(const bytes_word *)x != *(const bytes_word *)y)
			return 0;
	return bytes_equal(x, y, n);
}

/*
 * Bytes before the first 0, or `room` if there is none among the first `room` bytes. It reads aligned words,
 * which lie in a page with a byte that the caller knows to be there.
 */
__attribute__((no_sanitize_address)) static inline size_t bytes_length(const void *text, size_t room)
{
	const uint64_t ones = ~0ull / 255, highest = ones << 7;
	const size_t before = (uintptr_t)text & 7;
	const bytes_aligned_word *at = (const bytes_aligned_word *)((uintptr_t)text - before);
	uint64_t word, zero;
	size_t n = 0 - before;

	if (!room)
		return 0;
	word = *at | ((1ull << before * 8) - 1); /* what lies before the text is not 0 */
	while (!(zero = (word - ones) & ~word & highest)) {
		n += 8;
		if (n >= room)
			return room;
		word = *++at;
	}
	n += (size_t)__builtin_ctzll(zero) / 8;
	return n < room ? n : room;
}

/* `text` equals `ours`, a text with BYTES_SLACK; of `text` there are `room` bytes. */
static inline int bytes_same_within(const char *ours, const char *text, size_t room)
{
	const uint64_t ones = ~0ull / 255, highest = ones << 7;

	for (; room >= 8; ours += 8, text += 8, room -= 8) {
		const uint64_t word = *(const bytes_word *)ours;
		const uint64_t different = word ^ *(const bytes_word *)text;
		const uint64_t zero = (word - ones) & ~word & highest;

		if (zero) /* what is compared: up to the lowest 0, whose highest bit is the mark */
			return !(different & (zero ^ (zero - 1)));
		if (different)
			return 0;
	}
	for (; room && *ours == *text; ours++, text++, room--)
		if (!*ours)
			return 1;
	return 0;
}

static inline int bytes_same_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

#endif
