// SPDX-License-Identifier: MIT
/*
 * The code around a call with random arguments (arguments.c): they are loaded, the call is made in its short
 * or its full form, and what is of this run alone is taken out of its result.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>

#include "calls.h"

/* Numbers and times of files. */
static void find_volatile(struct call *c)
{
	unsigned int i;

	for (i = 0; i < c->row->nargs; i++) {
		const struct sysvm_arg_info *info = &c->row->arg[i];

		if (info->kind == SYSVM_KIND_OUTS && info->param == 144 && !c->volatile_words)
			c->volatile_words = 0x7f03; /* dev, ino; blocks, times */
		if (info->kind == SYSVM_KIND_OUTS && info->param == 256)
			c->volatile_words = 0xffffffffu & ~(1u << 0 | 1u << 2 | 1u << 3 | 1u << 5);
		if (c->volatile_words && !c->volatile_at &&
		    (info->kind == SYSVM_KIND_OUTS || info->kind == SYSVM_KIND_OUT)) {
			c->volatile_at = c->arg[i].v;
			c->fixed |= 1u << i;
		}
	}
}

static void load_argument(struct call *c, unsigned int to, const struct argument *a)
{
	switch (a->how) {
	case VALUE:
		put_value(c->p, c->s, to, a->v, c->random);
		break;
	case CONSTANT:
		put_insn(c->p, c->s, SYSVM_OP_DATA, to, 0, 0);
		put(c->s, a->v, 2);
		break;
	case REGISTER:
		put_insn(c->p, c->s, SYSVM_OP_MOV, to, a->v, 0);
		break;
	}
}

static void put_before(struct call *c)
{
	unsigned int i;

	if (c->length_at) { /* of eight bytes: some lengths are 32 bits, some 64 */
		put_value(c->p, c->s, R_SCRATCH, c->length_at, c->random);
		put_value(c->p, c->s, R_SCRATCH + 1, c->length, c->random);
		put_memory(c->p, c->s, SYSVM_OP_ST64, R_SCRATCH, R_SCRATCH + 1, 0);
	}
	if (c->row->index != SYSVM_CALL_recvmsg)
		return;
	put_value(c->p, c->s, R_SCRATCH, c->arg[1].v, c->random);
	put_insn(c->p, c->s, SYSVM_OP_DATA, R_SCRATCH + 1, 0, 0);
	put(c->s, constant(C_MSGS, next(c->random)), 2);
	for (i = 0; i < sizeof(struct msghdr); i += 8) {
		put_memory(c->p, c->s, SYSVM_OP_LD64, R_SCRATCH + 2, R_SCRATCH + 1, i);
		put_memory(c->p, c->s, SYSVM_OP_ST64, R_SCRATCH, R_SCRATCH + 2, i);
	}
}

/* The call itself; returns our register that has its result. */
static unsigned int put_call(struct call *c)
{
	bool is_short = next(c->random) % 4 == 0 && c->row->index < SHORT_CALLS;
	unsigned int i, to = c->row->result == SYSVM_RESULT_FD && next(c->random) % 4
				     ? R_FD + next(c->random) % R_FDS
				     : R_VALUE + next(c->random) % R_VALUES;

	for (i = 0; i < c->row->nargs; i++)
		load_argument(c, is_short ? i : R_ARGUMENT + i, &c->arg[i]);
	if (next(c->random) % 8)
		put(c->s, SYSVM_OP_GOON, 1);
	if (c->row->index >= SHORT_CALLS)
		put(c->s, SYSVM_OP_EXTENDED | c->row->index << 8, 2);
	else
		put(c->s, (is_short ? SYSVM_OP_CALL_SHORT : SYSVM_OP_CALL_FULL) + c->row->index, 1);
	if (is_short)
		return 0;
	put(c->s, c->p->map[to], 1);
	for (i = 0; i < c->row->nargs; i++)
		put(c->s, c->p->map[R_ARGUMENT + i], 1);
	return to;
}

/* A loop over directory entries: numbers of files and positions become zero. */
static void put_dirents_loop(struct call *c, unsigned int result)
{
	struct statement *s = c->s;
	unsigned int entry = R_SCRATCH, end = R_SCRATCH + 1, len = R_SCRATCH + 2;
	unsigned int loop, skip;

	put_insn(c->p, s, SYSVM_OP_JNEG, result, 0, 0);
	skip = s->len;
	put(s, 0, 2);
	put_value(c->p, s, entry, c->dirents, c->random);
	put_insn(c->p, s, SYSVM_OP_ADD, end, entry, result);
	put_insn(c->p, s, SYSVM_OP_JMP, 0, 0, 0);
	put(s, 0, 2); /* to the test below */
	loop = s->len;
	put_memory(c->p, s, SYSVM_OP_ST64, entry, R_ZERO, 0);
	put_memory(c->p, s, SYSVM_OP_ST64, entry, R_ZERO, 8);
	put_memory(c->p, s, SYSVM_OP_LD16, len, entry, 16);
	put_insn(c->p, s, SYSVM_OP_ADD, entry, entry, len);
	s->bytes[loop - 2] = s->len - loop;
	put_insn(c->p, s, SYSVM_OP_JB, entry, end, 0);
	put(s, (uint64_t)((int)loop - (int)(s->len + 2)), 2);
	s->bytes[skip] = s->len - (skip + 2);
}

static void put_after(struct call *c, unsigned int result)
{
	unsigned int i;

	if (c->minus)
		put_insn(c->p, c->s, SYSVM_OP_SUB, result, result, c->minus);
	if (c->dirents)
		put_dirents_loop(c, result);
	if (!c->volatile_words)
		return;
	put_value(c->p, c->s, R_SCRATCH, c->volatile_at, c->random);
	for (i = 0; i < 64; i++)
		if (c->volatile_words >> i & 1)
			put_memory(c->p, c->s, SYSVM_OP_ST64, R_SCRATCH, R_ZERO, 8 * i);
}

bool generate_call(struct program *p, struct statement *s, uint64_t *random, unsigned int index)
{
	struct call c = {.p = p, .s = s, .random = random, .row = sysvm_syscall_by_index(index)};

	if (!c.row || c.row->index != (int)index) /* a gap in the table */
		return false;
	if (!choose_arguments(&c))
		return false;
	find_volatile(&c);
	disturb_arguments(&c);
	put_before(&c);
	put_after(&c, put_call(&c));
	return true;
}
