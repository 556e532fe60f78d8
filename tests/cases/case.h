/* SPDX-License-Identifier: MIT */
/*
 * The text of a case: a program, what it starts with, and what must come of it. Read by case.c, run by
 * runner.c on every engine. Plain C with libc only, so that the guest's static runner reads the same files.
 *
 * A file holds cases one after another. A line is a step; steps happen in order, for each case twice: with
 * the code in the page, and as a stored procedure. '#' starts a comment line. Lines of a program are indented
 * or labels, all others are neither.
 *
 *   case NAME...                     starts a case
 *   on scripted | on real            only on the scripted engine, or only on those that make calls (user,
 * kernel) program                          the lines that follow are the program (procedures/assemble.h) file
 * NAME "bytes"                real: a file in the scratch directory, written again for each run of the case
 *   memory AREA SIZE | "bytes"       memory that the program may use, zeroed or as given
 *   data "bytes"                     the data section
 *   reg rN = VALUE                   a number, &AREA or &AREA+N
 *   call NAME(VALUE, ...) = RESULT   scripted: the next call must be this one (_: any value) and returns this
 *       writes AREA "bytes"            ... and fills memory
 *   call NAME(VALUE, ...) stops STATUS [RESULT]
 *   poll N STATUS                    scripted: the Nth question at a backward jump, from now on, is answered
 * so run [fuel N] = STATUS [pc N] [error N] resume [fuel N] = STATUS [pc N] [error N] refused N "message"
 * instead of run: the verifier refuses byte N with this message expect rN OP VALUE               OP: = != <
 * >= (signed) expect memory AREA "bytes"       how the area begins expect insns|calls|runs|fuel N   since the
 * case began; fuel: what is left
 *
 * In strings: \n \t \0 \\ \" \xHH, and $DIR for the scratch directory.
 */
#ifndef SYSVM_TESTS_CASE_H
#define SYSVM_TESTS_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum step_kind {
	STEP_FILE,
	STEP_MEMORY,
	STEP_DATA,
	STEP_REG,
	STEP_CALL,
	STEP_POLL,
	STEP_RUN,
	STEP_RESUME,
	STEP_REFUSED,
	STEP_EXPECT_REG,
	STEP_EXPECT_MEMORY,
	STEP_EXPECT_COUNTER,
};

#define CASE_NAME_MAX 24
#define CASE_MAX_STEPS 64
#define CASE_MAX_BYTES 8192
#define CASE_DEFAULT_FUEL 1000

struct value {
	bool any;
	char area[CASE_NAME_MAX]; /* "": a plain number */
	uint64_t number;
};

struct step {
	enum step_kind kind;
	unsigned int line;
	char name[CASE_NAME_MAX]; /* file, area, system call or counter */
	char op[3];
	unsigned int reg;
	struct value value; /* of a register; the result of a call */
	struct value args[6];
	unsigned int nargs;
	const unsigned char *bytes; /* file, memory, data, what a call writes, expected memory */
	size_t size;
	char area[CASE_NAME_MAX]; /* what a call writes to */
	uint32_t status;	  /* run, resume, poll; of a call: 0 or how it stops */
	uint64_t number;	  /* fuel, poll count, counter, refused byte */
	int64_t pc, error;	  /* -1: not looked at */
	const char *message;
};

struct test_case {
	char name[128];
	bool scripted, real; /* the engines it is for */
	const char *program; /* terminated text */
	struct step steps[CASE_MAX_STEPS];
	size_t nsteps;
	unsigned char bytes[CASE_MAX_BYTES]; /* what the pointers above point to */
	size_t used;
};

struct case_reader {
	const char *file; /* for messages */
	const char *p;
	unsigned int line;
	const char *directory; /* $DIR */
	char message[256];
};

/* Start reading text (terminated, stays the caller's). */
void case_start(struct case_reader *r, const char *file, const char *text, const char *directory);
/* The next case: 1, 0 at the end, -1 and r->message ("jumps.case:12: expected ...") if the text is wrong. */
int case_next(struct case_reader *r, struct test_case *c);

#endif
