/* SPDX-License-Identifier: MIT */
/* What each system call means for answers that are outstanding, and what each follower means when it is
   compared. */
#ifndef SYSVM_SHIM_RULES_H
#define SYSVM_SHIM_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* system call numbers below this have rules; others are made, and what is outstanding is dropped */
#define RULES 512

enum rule {
	RULE_SILENT = 1,  /* carries no news: what is outstanding survives it */
	RULE_TRIGGER = 2, /* some procedure has it as a trigger */
	RULE_CLOSE = 4,
	RULE_WATCH = 8,	  /* its result changes what is known */
	RULE_ANSWER = 16, /* some procedure of mode answer names it */
	RULE_RIDE = 32,	  /* may be made by the machine after a late close */
	RULE_KEEP = 64,	  /* some follower of it has a kept path */
	RULE_READS = 128, /* only reads, never waits, and --relaxed=age was given */
};

void rules_reset(bool relaxed_age);
void rules_add(uint64_t nr, enum rule rule);
uint8_t rules_of(uint64_t nr);
bool rules_memory(uint64_t nr); /* it changes mappings: memory.c follows it, descriptors.c does not */

enum undo { UNDO_NONE, UNDO_SEEK, UNDO_CLOSE, UNDO_CLOEXEC, UNDO_NEVER };

/* What the table of system calls says about a follower, looked up once; one for each svp_follower of the
   file. */
struct follower_rule {
	uint64_t mask[6];  /* the bits of each argument that must be equal: those that the kernel uses */
	uint64_t exact[6]; /* the same for entry.S, which compares strings and sizes as words */
	/* where a string argument was last, if what is there cannot change; 0: not known */
	uint64_t string;
	uint8_t undo;	   /* enum undo */
	uint8_t special;   /* bit i: argument i is a string or a size, and compared as such */
	uint8_t out;	   /* argument that is filled, 6: none */
	/* 1: as many bytes as the result says (file content); 0: the structure, if it succeeds */
	uint8_t out_bytes;
	uint8_t plain;	   /* entry.S may serve it: nothing but the result and what it fills comes of it */
	uint32_t out_size; /* bytes of the structure */
	uint32_t used;	   /* bytes of file content that may still be staged from a result that was served */
};

#endif
