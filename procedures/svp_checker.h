/* SPDX-License-Identifier: MIT */
/*
 * What the parts of svp_check share: the file being checked, and messages that name the place. Private to
 * svp.c, svp_contents.c and svp_lists.c.
 */
#ifndef SYSVM_SVP_CHECKER_H
#define SYSVM_SVP_CHECKER_H

#include <linux/errno.h>

#include "procedures/svp.h"
#include "vm/text.h"

struct checker {
	const unsigned char *base;
	size_t size;
	struct svp *out;
	struct sysvm_text message;
	uint32_t proc; /* being checked */
};

/* svp_contents.c: 0, or -EINVAL with the message written */
__attribute__((visibility("hidden"))) int svp_check_contents(struct checker *c);
/* svp_lists.c: the same; c->out is filled */
__attribute__((visibility("hidden"))) int svp_check_lists(struct checker *c);

static inline struct sysvm_text *put(struct checker *c, const char *s)
{
	sysvm_text_str(&c->message, s);
	return &c->message;
}

static inline int refuse(struct checker *c, const char *what)
{
	put(c, what);
	return -EINVAL;
}

/* "what 7, expected at most 5" */
static inline int refuse_number(struct checker *c, const char *what, uint64_t found, const char *expected,
				uint64_t number)
{
	sysvm_text_uint(put(c, what), found);
	sysvm_text_uint(put(c, expected), number);
	return -EINVAL;
}

/* "procedure 3 (open-read)" */
static inline void put_proc(struct checker *c)
{
	sysvm_text_uint(put(c, "procedure "), c->proc);
	put(c, " (");
	put(c, c->out->strings + c->out->procs[c->proc].name);
	put(c, ")");
}

static inline int refuse_proc(struct checker *c, const char *what)
{
	put_proc(c);
	put(c, ": ");
	return refuse(c, what);
}

/* "procedure 3 (open-read), follower 2: " */
static inline int refuse_row(struct checker *c, const char *row, uint32_t n, const char *what)
{
	put_proc(c);
	put(c, ", ");
	sysvm_text_uint(put(c, row), n);
	put(c, ": ");
	return refuse(c, what);
}

static inline int refuse_arg(struct checker *c, const char *row, uint32_t n, uint32_t arg, const char *what)
{
	refuse_row(c, row, n, "argument ");
	sysvm_text_uint(&c->message, arg);
	put(c, ": ");
	return refuse(c, what);
}

#endif
