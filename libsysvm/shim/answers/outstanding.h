/* SPDX-License-Identifier: MIT */
/*
 * What a run has fetched and the application has not asked for yet. It is that of one run at a time, in two
 * shapes: the log (log.c), a list of calls, and the records (records.c), the same few calls for each dirent.
 * Both claim an answer, compare and size it, and count it with the functions here.
 */
#ifndef SYSVM_SHIM_OUTSTANDING_H
#define SYSVM_SHIM_OUTSTANDING_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/known/procedures.h"

void outstanding_reset(uint32_t age_ms); /* how long an answer is fresh */
/* a run of proc begins; shim_signals was that before it */
void outstanding_begin(uint32_t proc, uint64_t signals);
void outstanding_made(void); /* the run has ended: what it has made is fresh */
void outstanding_renewed(uint64_t signals); /* what it has made was made again */
bool outstanding_fresh(void);
uint32_t outstanding_proc(void);

/*
 * Takes the answers [from, to) by moving the mark of the next one. A signal handler may run between any two
 * instructions and claim them first, on this thread only, hence no lock prefix. The loser makes the plain
 * call.
 */
static inline bool outstanding_claim(volatile void *mark, uint64_t from, uint64_t to)
{
	typedef volatile uint64_t __attribute__((may_alias)) word;
	uint64_t expected = from;

	__asm__ volatile("cmpxchgq %2, %1" : "+a"(expected), "+m"(*(word *)mark) : "r"(to) : "memory", "cc");
	return expected == from;
}

void outstanding_hits(uint64_t n);
void outstanding_missed(void); /* not all of it is used; counted once for each run */

/* Bytes that an answer with this result has staged. */
static inline uint32_t answer_size(const struct svp_follower *f, const struct follower_rule *rule,
				   int64_t result)
{
	if (result < 0 || rule->out >= 6)
		return 0;
	if (!rule->out_bytes)
		return rule->out_size;
	return f->arg[rule->out].size ? (uint32_t)result : 0; /* size 0 asks for the size alone */
}

/* The call's arguments are those that the run used; arguments that stand for a dirent are the caller's to
   compare. */
bool answer_same(const struct svp_follower *f, struct follower_rule *rule, const uint64_t *used,
		 int64_t result, const struct shim_call *call);

/* The call's buffer is there and takes *size bytes; the kernel would accept it, too. */
bool answer_fits(const struct svp_follower *f, const struct follower_rule *rule, int64_t result,
		 const struct shim_call *call, uint32_t *size);

#endif
