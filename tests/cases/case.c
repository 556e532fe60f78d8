// SPDX-License-Identifier: MIT
/*
 * Reads the text of cases (the format is in case.h). One line at a time, one function for each kind of line;
 * every function takes what it needs from the line and says what it expected if that is not there.
 *
 * Tested by tests/cases/parser_test.sh and by the cases themselves.
 */
#include "case.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm.h"

static int fail(struct case_reader *r, const char *format, ...)
{
	int n = snprintf(r->message, sizeof(r->message), "%s:%u: ", r->file, r->line);
	va_list args;

	va_start(args, format);
	vsnprintf(r->message + n, sizeof(r->message) - n, format, args);
	va_end(args);
	return -1;
}

static void skip_space(struct case_reader *r)
{
	while (*r->p == ' ' || *r->p == '\t')
		r->p++;
}

static bool at_end(struct case_reader *r)
{
	skip_space(r);
	return *r->p == 0 || *r->p == '\n';
}

static void next_line(struct case_reader *r)
{
	while (*r->p && *r->p != '\n')
		r->p++;
	if (*r->p) {
		r->p++;
		r->line++;
	}
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
	       c == '.' || c == '-';
}

static int word(struct case_reader *r, char *to, size_t size, const char *expected)
{
	size_t n = 0;

	skip_space(r);
	while (is_word(r->p[n]))
		n++;
	if (!n || n >= size)
		return fail(r, "expected %s (at most %zu characters)", expected, size - 1);
	memcpy(to, r->p, n);
	to[n] = 0;
	r->p += n;
	return 0;
}

static bool take(struct case_reader *r, const char *s)
{
	size_t n = strlen(s);

	skip_space(r);
	if (strncmp(r->p, s, n) || (is_word(s[n - 1]) && is_word(r->p[n])))
		return false;
	r->p += n;
	return true;
}

static int expect(struct case_reader *r, const char *s)
{
	return take(r, s) ? 0 : fail(r, "expected '%s'", s);
}

static int number(struct case_reader *r, uint64_t *to)
{
	char *end;

	skip_space(r);
	errno = 0;
	*to = *r->p == '-' ? (uint64_t)strtoll(r->p, &end, 0) : strtoull(r->p, &end, 0);
	if (end == r->p || errno)
		return fail(r, "expected a number");
	r->p = end;
	return 0;
}

static int optional_number(struct case_reader *r, const char *key, int64_t *to)
{
	uint64_t n;

	if (!take(r, key))
		return 0;
	if (number(r, &n))
		return -1;
	*to = n;
	return 0;
}

static int value(struct case_reader *r, struct value *v)
{
	memset(v, 0, sizeof(*v));
	if (take(r, "_")) {
		v->any = true;
		return 0;
	}
	if (!take(r, "&"))
		return number(r, &v->number);
	if (word(r, v->area, sizeof(v->area), "the name of a memory area"))
		return -1;
	return take(r, "+") ? number(r, &v->number) : 0;
}

static int reg(struct case_reader *r, unsigned int *to)
{
	uint64_t n;

	skip_space(r);
	if (*r->p++ != 'r' || number(r, &n) || n >= SYSVM_NREGS)
		return fail(r, "expected a register r0 to r255");
	*to = n;
	return 0;
}

static int status(struct case_reader *r, uint32_t *to)
{
	char name[CASE_NAME_MAX];

	if (word(r, name, sizeof(name), "a status"))
		return -1;
	for (*to = SYSVM_IDLE; *to <= SYSVM_YIELD; ++*to)
		if (!strcmp(sysvm_status_name(*to), name))
			return 0;
	return fail(r, "expected a status, found '%s'", name);
}

static int put_byte(struct case_reader *r, struct test_case *c, unsigned char byte)
{
	if (c->used == CASE_MAX_BYTES)
		return fail(r, "more than %d bytes in one case", CASE_MAX_BYTES);
	c->bytes[c->used++] = byte;
	return 0;
}

static int escape(struct case_reader *r, unsigned char *to)
{
	static const char from[] = "nt0\\\"", into[] = "\n\t\0\\\"";
	const char *at = *r->p ? strchr(from, *r->p) : NULL;
	char hex[3] = {0}, *end;

	if (at) {
		*to = into[at - from];
		r->p++;
		return 0;
	}
	if (*r->p != 'x' || !r->p[1] || !r->p[2])
		return fail(r, "expected \\n \\t \\0 \\\\ \\\" or \\xHH");
	memcpy(hex, r->p + 1, 2);
	*to = strtoul(hex, &end, 16);
	if (*end)
		return fail(r, "expected two hexadecimal digits");
	r->p += 3;
	return 0;
}

/* A quoted string; *bytes is terminated beyond *size. */
static int string(struct case_reader *r, struct test_case *c, const unsigned char **bytes, size_t *size)
{
	size_t start = c->used;

	if (expect(r, "\""))
		return -1;
	while (*r->p != '"') {
		unsigned char byte = *r->p;

		if (!byte || byte == '\n')
			return fail(r, "expected a closing \"");
		if (!strncmp(r->p, "$DIR", 4)) {
			const char *d;

			for (d = r->directory; *d; d++)
				if (put_byte(r, c, *d))
					return -1;
			r->p += 4;
			continue;
		}
		r->p++;
		if (byte == '\\' && escape(r, &byte))
			return -1;
		if (put_byte(r, c, byte))
			return -1;
	}
	r->p++;
	*bytes = c->bytes + start;
	*size = c->used - start;
	return put_byte(r, c, 0);
}

/* --- one function for each kind of line
 * ----------------------------------------------------------------------- */

/* Indented, blank, or a label. */
static bool is_program_line(const char *p)
{
	if (*p == ' ' || *p == '\t' || *p == '\n')
		return true;
	while (is_word(*p))
		p++;
	return *p == ':';
}

static int read_program(struct case_reader *r, struct test_case *c)
{
	size_t start = c->used;

	next_line(r);
	while (*r->p && is_program_line(r->p)) {
		while (*r->p && *r->p != '\n')
			if (put_byte(r, c, *r->p++))
				return -1;
		if (put_byte(r, c, '\n'))
			return -1;
		next_line(r);
	}
	c->program = (const char *)c->bytes + start;
	return put_byte(r, c, 0);
}

static int read_memory(struct case_reader *r, struct test_case *c, struct step *s)
{
	uint64_t size;

	if (word(r, s->name, sizeof(s->name), "the name of a memory area"))
		return -1;
	skip_space(r);
	if (*r->p == '"')
		return string(r, c, &s->bytes, &s->size);
	if (number(r, &size))
		return -1;
	s->bytes = c->bytes + c->used;
	s->size = size;
	while (size--)
		if (put_byte(r, c, 0))
			return -1;
	return 0;
}

static int read_call(struct case_reader *r, struct test_case *c, struct step *s)
{
	if (word(r, s->name, sizeof(s->name), "a system call") || expect(r, "("))
		return -1;
	while (!take(r, ")")) {
		if (s->nargs == 6 || (s->nargs && expect(r, ",")))
			return fail(r, "expected ',' or ')' and at most 6 arguments");
		if (value(r, &s->args[s->nargs++]))
			return -1;
	}
	if (take(r, "stops")) {
		if (status(r, &s->status))
			return -1;
		return at_end(r) ? 0 : value(r, &s->value);
	}
	if (expect(r, "=") || value(r, &s->value))
		return -1;
	if (!take(r, "writes"))
		return 0;
	return word(r, s->area, sizeof(s->area), "the name of a memory area")
		       ? -1
		       : string(r, c, &s->bytes, &s->size);
}

static int read_run(struct case_reader *r, struct step *s)
{
	int64_t fuel = CASE_DEFAULT_FUEL;

	s->pc = s->error = -1;
	if (optional_number(r, "fuel", &fuel) || expect(r, "=") || status(r, &s->status) ||
	    optional_number(r, "pc", &s->pc) || optional_number(r, "error", &s->error))
		return -1;
	s->number = fuel;
	return 0;
}

static int read_expect(struct case_reader *r, struct test_case *c, struct step *s)
{
	static const char *const ops[] = {"=", "!=", "<", ">="};
	size_t i;

	if (take(r, "memory")) {
		s->kind = STEP_EXPECT_MEMORY;
		return word(r, s->name, sizeof(s->name), "the name of a memory area")
			       ? -1
			       : string(r, c, &s->bytes, &s->size);
	}
	skip_space(r);
	if (r->p[0] == 'r' && r->p[1] >= '0' && r->p[1] <= '9') {
		s->kind = STEP_EXPECT_REG;
		if (reg(r, &s->reg))
			return -1;
		for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
			if (take(r, ops[i])) {
				strcpy(s->op, ops[i]);
				return value(r, &s->value);
			}
		}
		return fail(r, "expected = != < or >=");
	}
	s->kind = STEP_EXPECT_COUNTER;
	return word(r, s->name, sizeof(s->name), "memory, a register or a counter") ? -1
										    : number(r, &s->number);
}

static int read_refused(struct case_reader *r, struct test_case *c, struct step *s)
{
	const unsigned char *bytes;
	size_t size;

	if (number(r, &s->number) || string(r, c, &bytes, &size))
		return -1;
	s->message = (const char *)bytes;
	return 0;
}

static int read_step(struct case_reader *r, struct test_case *c)
{
	struct step *s = &c->steps[c->nsteps];
	uint64_t count;

	if (c->nsteps == CASE_MAX_STEPS)
		return fail(r, "more than %d steps in one case", CASE_MAX_STEPS);
	memset(s, 0, sizeof(*s));
	s->line = r->line;
	c->nsteps++;
	if (take(r, "file")) {
		s->kind = STEP_FILE;
		return word(r, s->name, sizeof(s->name), "a file name") ? -1
									: string(r, c, &s->bytes, &s->size);
	}
	if (take(r, "memory")) {
		s->kind = STEP_MEMORY;
		return read_memory(r, c, s);
	}
	if (take(r, "data")) {
		s->kind = STEP_DATA;
		return string(r, c, &s->bytes, &s->size);
	}
	if (take(r, "reg")) {
		s->kind = STEP_REG;
		return reg(r, &s->reg) || expect(r, "=") ? -1 : value(r, &s->value);
	}
	if (take(r, "call")) {
		s->kind = STEP_CALL;
		return read_call(r, c, s);
	}
	if (take(r, "poll")) {
		s->kind = STEP_POLL;
		if (number(r, &count))
			return -1;
		s->number = count;
		return status(r, &s->status);
	}
	if (take(r, "run")) {
		s->kind = STEP_RUN;
		return read_run(r, s);
	}
	if (take(r, "resume")) {
		s->kind = STEP_RESUME;
		return read_run(r, s);
	}
	if (take(r, "refused")) {
		s->kind = STEP_REFUSED;
		return read_refused(r, c, s);
	}
	if (take(r, "expect"))
		return read_expect(r, c, s);
	return fail(r, "expected a step (see case.h)");
}

void case_start(struct case_reader *r, const char *file, const char *text, const char *directory)
{
	*r = (struct case_reader){.file = file, .p = text, .line = 1, .directory = directory};
}

static void skip_blank(struct case_reader *r)
{
	while (*r->p && (at_end(r) || *r->p == '#'))
		next_line(r);
}

static int read_line(struct case_reader *r, struct test_case *c)
{
	if (take(r, "program"))
		return read_program(r, c);
	if (take(r, "on")) {
		c->real = take(r, "real");
		c->scripted = !c->real && take(r, "scripted");
		if (!c->real && !c->scripted)
			return fail(r, "expected scripted or real");
	} else if (read_step(r, c)) {
		return -1;
	}
	if (!at_end(r))
		return fail(r, "expected the end of the line");
	next_line(r);
	return 0;
}

int case_next(struct case_reader *r, struct test_case *c)
{
	size_t n = 0;

	skip_blank(r);
	if (!*r->p)
		return 0;
	if (!take(r, "case"))
		return fail(r, "expected 'case'");
	*c = (struct test_case){.scripted = true, .real = true};
	skip_space(r);
	while (r->p[n] && r->p[n] != '\n')
		n++;
	if (!n || n >= sizeof(c->name))
		return fail(r, "expected a name of 1 to %zu characters", sizeof(c->name) - 1);
	memcpy(c->name, r->p, n);
	next_line(r);
	for (skip_blank(r); *r->p && strncmp(r->p, "case ", 5); skip_blank(r))
		if (read_line(r, c))
			return -1;
	if (!c->program)
		return fail(r, "the case '%s' has no program", c->name);
	return 1;
}
