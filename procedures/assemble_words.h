/* SPDX-License-Identifier: MIT */
/*
 * The words of the assembler's text: where it stands in it, registers, numbers, and messages that quote what
 * was found. Private to assemble.c, whose business is what the words mean.
 */
#ifndef SYSVM_ASSEMBLE_WORDS_H
#define SYSVM_ASSEMBLE_WORDS_H

#include <errno.h>

#include "procedures/assemble.h"
#include "vm/text.h"
#include "vm/vm.h"

struct label {
	const char *name;
	size_t len;
	unsigned int line;
	uint32_t at;
};

struct assembler {
	const char *p; /* next character of the text */
	unsigned int line;
	int pass;
	uint8_t *code;
	size_t capacity;
	size_t at;
	struct label labels[SYSVM_ASM_LABELS];
	size_t nlabels;
	struct sysvm_text message;
};

static inline int is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static inline int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline int is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}

static inline void skip_space(struct assembler *a)
{
	while (is_space(*a->p))
		a->p++;
	if (*a->p == ';')
		while (*a->p && *a->p != '\n')
			a->p++;
}

static inline int at_line_end(struct assembler *a)
{
	skip_space(a);
	return *a->p == 0 || *a->p == '\n';
}

static inline size_t word_length(const char *p)
{
	size_t n = 0;

	while (is_word(p[n]))
		n++;
	return n;
}

static inline void put_quoted(struct assembler *a, const char *s, size_t n)
{
	sysvm_text_char(&a->message, '\'');
	while (n--)
		sysvm_text_char(&a->message, *s++);
	sysvm_text_char(&a->message, '\'');
}

static inline int fail(struct assembler *a, const char *what)
{
	sysvm_text_str(&a->message, "line ");
	sysvm_text_uint(&a->message, a->line);
	sysvm_text_str(&a->message, ": ");
	sysvm_text_str(&a->message, what);
	return -EINVAL;
}

static inline int fail_expected(struct assembler *a, const char *what)
{
	size_t n;

	skip_space(a);
	fail(a, "expected ");
	sysvm_text_str(&a->message, what);
	sysvm_text_str(&a->message, ", found ");
	if (at_line_end(a)) {
		sysvm_text_str(&a->message, "the end of the line");
	} else {
		n = word_length(a->p);
		put_quoted(a, a->p, n ? n : 1);
	}
	return -EINVAL;
}

static inline int expect(struct assembler *a, char c)
{
	char what[] = {'\'', c, '\'', 0};

	skip_space(a);
	if (*a->p != c)
		return fail_expected(a, what);
	a->p++;
	return 0;
}

static inline int emit(struct assembler *a, uint64_t value, unsigned int bytes)
{
	if (bytes > a->capacity - a->at) {
		fail(a, "more than ");
		sysvm_text_uint(&a->message, a->capacity);
		sysvm_text_str(&a->message, " bytes of code");
		return -EINVAL;
	}
	while (bytes--) {
		a->code[a->at++] = value & 0xff;
		value >>= 8;
	}
	return 0;
}

static inline int parse_reg(struct assembler *a, uint8_t *reg)
{
	unsigned int value = 0;
	size_t n, i;

	skip_space(a);
	n = word_length(a->p);
	if (n < 2 || n > 4 || a->p[0] != 'r')
		return fail_expected(a, "a register (r0 to r255)");
	for (i = 1; i < n; i++) {
		if (!is_digit(a->p[i]))
			return fail_expected(a, "a register (r0 to r255)");
		value = 10 * value + (a->p[i] - '0');
	}
	if (value > 255)
		return fail_expected(a, "a register (r0 to r255)");
	a->p += n;
	*reg = value;
	return 0;
}

static inline int digit_of(char c, unsigned int base)
{
	int d = is_digit(c)              ? c - '0'
		: (c >= 'a' && c <= 'f') ? c - 'a' + 10
		: (c >= 'A' && c <= 'F') ? c - 'A' + 10
					 : 99;

	return d < (int)base ? d : -1;
}

/* A number of so many bits, in the signed range, the unsigned one, or either. */
static inline int parse_number(struct assembler *a, unsigned int bits, int is_signed, int is_unsigned,
			       uint64_t *value)
{
	uint64_t limit_up =
		is_unsigned ? (bits == 64 ? UINT64_MAX : (1ull << bits) - 1) : (1ull << (bits - 1)) - 1;
	uint64_t limit_down = is_signed ? 1ull << (bits - 1) : 0;
	int negative = 0, fits = 1;
	unsigned int base = 10;
	const char *start;
	uint64_t v = 0;

	skip_space(a);
	start = a->p;
	if (*a->p == '-' || *a->p == '+')
		negative = *a->p++ == '-';
	if (a->p[0] == '0' && (a->p[1] == 'x' || a->p[1] == 'X')) {
		base = 16;
		a->p += 2;
	}
	if (digit_of(*a->p, base) < 0) {
		a->p = start;
		return fail_expected(a, "a number");
	}
	for (; digit_of(*a->p, base) >= 0; a->p++) {
		unsigned int d = digit_of(*a->p, base);

		if (v > (UINT64_MAX - d) / base)
			fits = 0;
		else
			v = v * base + d;
	}
	if (is_word(*a->p)) {
		a->p = start;
		return fail_expected(a, "a number");
	}
	if (!fits || v > (negative ? limit_down : limit_up)) {
		fail(a, "");
		put_quoted(a, start, a->p - start);
		sysvm_text_str(&a->message, " does not fit, expected ");
		if (limit_down)
			sysvm_text_char(&a->message, '-');
		sysvm_text_uint(&a->message, limit_down);
		sysvm_text_str(&a->message, " to ");
		sysvm_text_uint(&a->message, limit_up);
		return -EINVAL;
	}
	*value = negative ? 0 - v : v;
	return 0;
}

#endif
