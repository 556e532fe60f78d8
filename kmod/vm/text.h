/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Messages put together without libc or kernel: text is cut at the buffer's size and always terminated.
 *
 * Used by the disassembler, the verifier and svp.c. Tested through their messages.
 */
#ifndef SYSVM_VM_TEXT_H
#define SYSVM_VM_TEXT_H

#include "env.h"

struct sysvm_text {
	char *to; /* may be NULL if size is 0 */
	size_t size;
	size_t len; /* without the closing 0; what was cut is not counted */
};

static inline struct sysvm_text sysvm_text_start(char *to, size_t size)
{
	struct sysvm_text t = {to, size, 0};

	if (size)
		to[0] = 0;
	return t;
}

static inline void sysvm_text_char(struct sysvm_text *t, char c)
{
	if (t->len + 1 >= t->size)
		return;
	t->to[t->len++] = c;
	t->to[t->len] = 0;
}

static inline void sysvm_text_str(struct sysvm_text *t, const char *s)
{
	while (*s)
		sysvm_text_char(t, *s++);
}

static inline void sysvm_text_uint(struct sysvm_text *t, __u64 value)
{
	char digits[20];
	int n = 0;

	do {
		digits[n++] = '0' + value % 10;
		value /= 10;
	} while (value);
	while (n)
		sysvm_text_char(t, digits[--n]);
}

static inline void sysvm_text_int(struct sysvm_text *t, __s64 value)
{
	if (value < 0) {
		sysvm_text_char(t, '-');
		sysvm_text_uint(t, 0 - (__u64)value);
	} else {
		sysvm_text_uint(t, value);
	}
}

static inline void sysvm_text_hex8(struct sysvm_text *t, __u8 value)
{
	static const char digits[] = "0123456789abcdef";

	sysvm_text_str(t, "0x");
	sysvm_text_char(t, digits[value >> 4]);
	sysvm_text_char(t, digits[value & 15]);
}

#endif
