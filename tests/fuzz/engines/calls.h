/* SPDX-License-Identifier: MIT */
/* A call in the making, between its arguments (arguments.c) and the code that makes it (calls.c). */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include "fuzz.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

struct argument {
	enum { VALUE, CONSTANT, REGISTER } how;
	uint64_t v;
};

struct call {
	struct program *p;
	struct statement *s;
	uint64_t *random;
	const struct sysvm_syscall_info *row;
	struct argument arg[6];
	unsigned int fixed;	    /* bit i: argument i stays as it is */
	uint64_t length_at, length; /* a number to be put into memory before the call, or 0 */
	unsigned int minus;	    /* our register to be taken from the result, or 0 */
	/* What to write zeros over afterwards: bit n, word n of the memory at this address. */
	uint64_t volatile_at, volatile_words;
	uint64_t dirents; /* buffer of directory entries: their numbers are to be taken out */
};

#define SHORT_CALLS (SYSVM_OP_CALL_SHORT - 2 - SYSVM_OP_CALL_FULL) /* calls with an opcode of one byte */

/* Chooses the call's arguments. False: that call is not for us. */
bool choose_arguments(struct call *c);
/* Now and then something else: what nobody expects. What must stay is in c->fixed. */
void disturb_arguments(struct call *c);

#endif
