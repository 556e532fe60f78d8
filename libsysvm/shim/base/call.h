/* SPDX-License-Identifier: MIT */
/* One system call that the application is about to make, and what becomes of it. */
#ifndef SYSVM_SHIM_CALL_H
#define SYSVM_SHIM_CALL_H

#include <stdint.h>

struct shim_call {
	uint64_t nr;
	uint64_t arg[6];
	uint64_t site;	/* address of its syscall instruction */
	uint64_t sp;	/* the application's stack pointer there */
	int64_t result; /* ANSWERED: set by ahead_before; WATCH: set by process/ before ahead_after */
};

enum shim_verdict {
	SHIM_FORWARD = 0,  /* make the call as it is */
	SHIM_ANSWERED = 1, /* call->result is the result; the kernel is not entered for it */
	SHIM_WATCH = 2,	   /* make the call, then call ahead_after with its result */
};

/* Why a process makes plain calls only. */
enum shim_reason {
#define SHIM_REASON(number, NAME, name, text, does) SHIM_##NAME = number,
#include "libsysvm/shim/base/reasons.inc"
};

#endif
