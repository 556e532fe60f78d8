/* SPDX-License-Identifier: MIT */
/*
 * What the ahead half counts at every call is counted here first, and added to the statistics of the run now
 * and then (count_flush), since an atomic addition to shared memory costs more than an answer.
 */
#ifndef SYSVM_SHIM_COUNT_H
#define SYSVM_SHIM_COUNT_H

#include <stdint.h>

#include "libsysvm/raw.h"
#include "libsysvm/shim/base/stats.h"

struct counts {
	uint64_t answered, forwarded, runs, inner, own;
	uint64_t quick; /* of those answered: by entry.S, which counts nothing itself */
	struct count_of_procedure {
		uint32_t hits, misses, undone, runs, off;
	} *proc;	/* one for each procedure; whoever resets the counters owns the memory */
};
extern struct counts counts;

void count_reset(struct count_of_procedure *proc, uint32_t procs); /* what was counted so far stays */
void count_flush(struct shim_stats *stats);

static inline void count_add(uint64_t *shared, uint64_t n)
{
	if (n)
		__atomic_fetch_add(shared, n, __ATOMIC_RELAXED);
}

/* A system call that the shim makes for itself. */
static inline long own_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	counts.own++;
	return raw_call6((long)nr, a0, a1, a2, a3, 0, 0);
}

#endif
