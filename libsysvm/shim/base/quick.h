/* SPDX-License-Identifier: MIT */
/*
 * What entry.S reads: it serves the plainest staged answers itself, without C. This struct and the signal
 * counter are the only state of the ahead half that more than one file writes; each member names its writer.
 * The offsets are for the assembler; quick.c and known/rules.c check them.
 */
#ifndef SYSVM_SHIM_QUICK_H
#define SYSVM_SHIM_QUICK_H

/* struct quick */
#define QUICK_NEXT 0
#define QUICK_BUSY_SP 16
#define QUICK_LOG_SIGNALS 24
#define QUICK_LOG_CLOCK 32
#define QUICK_CLOCK 48
#define QUICK_AGE_NS 56
#define QUICK_STACK_LOW 64
#define QUICK_STACK_HIGH 72
#define QUICK_WRITE_LOW 80
#define QUICK_WRITE_HIGH 88

/* struct clock_words */
#define CLOCK_SECONDS 0
#define CLOCK_NANOSECONDS 8

/* struct staged */
#define STAGED_RULE 8
#define STAGED_MINUS_NR 16
#define STAGED_ARG 24
#define STAGED_RESULT 72
#define STAGED_FROM 80
#define STAGED_LENGTH 88
#define STAGED_TO_MAX 96
#define STAGED_OUT 104
#define STAGED_POSITION 112
#define STAGED_SIZE 120

/* struct follower_rule (known/rules.h) */
#define FOLLOWER_EXACT 48

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"

struct svp_follower;
struct follower_rule;

/* Coarse monotonic time as the kernel keeps it for the vDSO. */
struct clock_words {
	uint64_t seconds, nanoseconds;
};

/* An answer that a run has staged: the result and the bytes of one call that the application may make next.
   */
struct staged {
	const struct svp_follower *follower; /* entry.S reads all but the first two */
	struct follower_rule *rule;
	uint64_t minus_nr;  /* 0 - the call's number; STAGED_NEVER: not for entry.S, or the end of the log */
	/* what the code used, for REG, CONST and COUNT; for entry.S also where a string is */
	uint64_t arg[6];
	int64_t result;
	const unsigned char *from; /* staged bytes */
	uint64_t size;	    /* of them */
	uint64_t to_max;    /* highest address that the kernel would accept for the buffer */
	uint64_t out;	    /* which argument is the buffer */
	int64_t *position;  /* what the result is added to: a descriptor's, or a word that nobody reads */
};
#define STAGED_NEVER (1ull << 62)

struct quick {
	/* log.c: answers [next, end) are outstanding, and end->minus_nr is always */
	struct staged *volatile next;
	struct staged *end;	      /*   STAGED_NEVER */
	uint64_t busy_sp;     /* ahead.c: stack pointer of the call in progress, 0: none */
	uint64_t log_signals; /* log.c: shim_signals when the run began that made the answers */
	struct clock_words log_clock; /* log.c: when they were made */
	const volatile struct clock_words *clock; /* clock.c: the kernel's words; never null */
	uint64_t age_ns;		/* ahead.c: how long an answer is fresh */
	/* memory.c: the main stack, as far down as it may grow; 0, 0: not known */
	uint64_t stack_low, stack_high;
	uint64_t write_low, write_high; /* memory.c: the range of writable memory that was asked for last */
};
extern struct quick quick;

/* Counted up by the stubs that signal handlers are entered through (process/stubs.S). */
extern volatile uint64_t shim_signals;

/*
 * A machine run takes some 900 bytes of stack. The main stack has them; an alternate signal stack may be as
 * small as the application dared. On any other stack, calls may be answered, but nothing is run.
 */
static inline bool quick_on_main_stack(const struct shim_call *c)
{
	return c->sp >= quick.stack_low && c->sp < quick.stack_high;
}

#endif
#endif
