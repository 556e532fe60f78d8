/* SPDX-License-Identifier: MIT */
/*
 * Inside the shim: the two halves and what they ask of each other.
 *
 *   entry half (patch.c, entry.S, tasks.c ...)  sees every call of the application: patched syscall sites, the
 *       environment, signals, fork, exec. Decides nothing about results.
 *   ahead half (ahead.c, log.c, descriptors.c, memory.c ...)  decides which calls are answered, from procedures only.
 *
 * Both run inside the application's system calls: no libc call, no allocation, no lock, no errno, general registers
 * only, at most 512 bytes of stack on the path of a call (some 900 where a procedure runs: on the main stack only). All state is for one thread: a process that makes a second
 * one goes plain for ever (ahead_stop), a vfork child touches nothing.
 */
#ifndef SYSVM_SHIM_H
#define SYSVM_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include "procedures/svp.h"

/* One system call that the application is about to make. */
struct shim_call {
	uint64_t nr;
	uint64_t arg[6];
	uint64_t site;	/* address of its syscall instruction */
	uint64_t sp;	/* the application's stack pointer there */
	int64_t result; /* shim_verdict ANSWERED: set by ahead_before; WATCH: set by the entry half for ahead_after */
};

enum shim_verdict {
	SHIM_FORWARD = 0,  /* make the call as it is */
	SHIM_ANSWERED = 1, /* call->result is the result; no entry is made */
	SHIM_WATCH = 2,	   /* make the call, then call ahead_after with its result */
};

/* Why a process makes plain calls only. */
enum shim_reason {
#define SHIM_REASON(number, NAME, name, text, does) SHIM_##NAME = number,
#include "libsysvm/shim/reasons.inc"
};

/* --- offered by the entry half ------------------------------------------------------------------------------- */

/* Bumped (by the handler wrapper) each time a signal handler is entered. Read with shim_signals_now(). */
extern volatile uint64_t shim_signals;

/* The address of a place in this process, or 0 if no loaded object has that build-id. */
uint64_t shim_resolve(const struct svp_place *place);

/* The application's call, made plainly by the shim (forwarded, counted as such). */
long shim_syscall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);

/* --- offered by the ahead half ------------------------------------------------------------------------------- */

struct shim_settings {
	const void *svp; /* the mapped procedure file */
	size_t svp_size;
	int engine;	/* enum sysvm_engine */
	int strict;	/* no late close */
	uint32_t age_ms; /* how long an outstanding result lives */
	int relaxed_age; /* calls that only look, answered by nobody ahead, leave it alone */
	struct shim_stats *stats; /* never null */
	uint64_t vdso;	/* where it is mapped, 0: nowhere */
	uint8_t exe_build_id[SVP_BUILD_ID_MAX];
	uint32_t exe_build_id_len;
};

/*
 * Counters of one run (all processes add to them, relaxed atomics); the statistics file is an array of one of these,
 * shared by every process of the run. Sizes are fixed so that readers can check them.
 */
#define SHIM_STATS_MAGIC 0x5354535359535631ull
struct shim_stats {
	uint64_t magic;
	uint64_t processes; /* that the shim was initialised in */
	uint64_t seen;	    /* calls that reached the shim */
	uint64_t forwarded; /* made plainly by the shim for the application (also inside shim_syscall) */
	uint64_t answered;  /* calls of the application answered without their own entry (hits + answers + late closes) */
	uint64_t runs;	    /* machine runs: one entry each with the kernel engine */
	uint64_t inner;	    /* calls made inside runs */
	uint64_t own;	    /* calls that the shim made for itself (start-up, fstatfs, undo) */
	uint64_t plain;	    /* calls made while off, or by the child of a vfork: neither in seen nor in forwarded */
	uint64_t off[16];   /* processes that went plain, by shim_reason */
	struct {
		uint64_t hits, misses, undone, runs, off;
	} proc[SVP_MAX_PROCS];
};

/* Returns 0, or the shim_reason that keeps this process plain. Called once, before main, single-threaded. */
int ahead_init(const struct shim_settings *settings);
int ahead_before(struct shim_call *call); /* enum shim_verdict */
void ahead_after(struct shim_call *call);
/* Before the process changes in a way that the log must not survive (fork, exec, vfork): undo what is outstanding,
   make the late close. */
void ahead_settle(void);
/* Settle, and make plain calls from now on. */
void ahead_stop(enum shim_reason reason);
/* A call that the child of a vfork is about to make: what it may unmap or protect is not known any more. */
void memory_child(const struct shim_call *call);
/* In the child of fork: every descriptor is now shared with the parent, the machine must be made anew. */
void ahead_forked_child(void);

#endif
