/* SPDX-License-Identifier: MIT */
/*
 * The ahead half decides which calls are answered, from procedures only; process/ sees every call of the
 * application and asks here. The folders, each of which uses those after it and never those before it:
 *
 *   ahead/    the order of the rules, and what a trigger starts answers/  what a run has fetched and the
 *   application has not asked for yet names/    which files the application is likely to ask about next
 *   known/    facts: descriptors, memory, devices, mounts, clock, the rules of each call base/     calls,
 *   counters, and what entry.S reads
 *
 * All of it runs inside the application's system calls: no libc call, no allocation, no lock, no errno,
 * general registers only, at most 512 bytes of stack on the path of a call (some 900 where a procedure runs:
 * on the main stack only). All state is for one thread: a process that makes a second one goes plain for ever
 * (ahead_stop), and the child of a vfork touches nothing. Each file owns its state, with a function X_reset
 * that ahead_init calls (setup.c).
 */
#ifndef SYSVM_SHIM_AHEAD_H
#define SYSVM_SHIM_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/base/stats.h"
#include "procedures/svp.h"

struct shim_settings {
	const void *svp; /* the mapped procedure file */
	size_t svp_size;
	int engine;	/* enum sysvm_engine */
	int strict;	/* no late close */
	uint32_t age_ms; /* how long an outstanding result lives */
	int relaxed_age; /* calls that only read and are not answered ahead leave it alone */
	struct shim_stats *stats; /* never null */
	uint64_t vdso;	/* where it is mapped, 0: nowhere */
	uint8_t exe_build_id[SVP_BUILD_ID_MAX];
	uint32_t exe_build_id_len;
	/* its address in this process, 0: in no loaded object */
	uint64_t (*resolve)(const struct svp_place *place);
};

/* Returns 0, or the shim_reason that keeps this process plain. Called once, before main, single-threaded. */
int ahead_init(const struct shim_settings *settings);
bool ahead_is_on(void);
int ahead_before(struct shim_call *call); /* enum shim_verdict */
void ahead_after(struct shim_call *call);
/*
 * Before a change of the process that nothing outstanding may survive (fork, exec, vfork): withdraws, and
 * makes the late closes.
 */
void ahead_settle(void);
/* Settle, and make plain calls from now on. */
void ahead_stop(enum shim_reason reason);
/* A call that the child of a vfork is about to make: what it may unmap or protect is not known any more. */
void ahead_child(const struct shim_call *call);
/* In the child of fork: every descriptor is now shared with the parent, the machine must be made anew. */
void ahead_forked_child(void);
/* What was counted goes to the statistics. */
void ahead_flush(void);

#endif
