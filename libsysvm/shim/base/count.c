// SPDX-License-Identifier: MIT
/* The counters of count.h, added to the statistics of the run. Tested by tests/shim/ahead. */
#include "libsysvm/shim/base/count.h"

#include "libsysvm/shim/base/bytes.h"

struct counts counts;
static uint32_t procedures;

void count_reset(struct count_of_procedure *proc, uint32_t procs)
{
	counts.proc = proc;
	procedures = procs;
}

void count_flush(struct shim_stats *s)
{
	count_add(&s->seen, counts.quick);
	count_add(&s->answered, counts.answered);
	count_add(&s->forwarded, counts.forwarded);
	count_add(&s->runs, counts.runs);
	count_add(&s->inner, counts.inner);
	count_add(&s->own, counts.own);
	for (uint32_t i = 0; i < procedures; i++) {
		count_add(&s->proc[i].hits, counts.proc[i].hits);
		count_add(&s->proc[i].misses, counts.proc[i].misses);
		count_add(&s->proc[i].undone, counts.proc[i].undone);
		count_add(&s->proc[i].runs, counts.proc[i].runs);
		count_add(&s->proc[i].off, counts.proc[i].off);
		bytes_zero(&counts.proc[i], sizeof(counts.proc[i]));
	}
	counts.answered = counts.forwarded = counts.runs = counts.inner = counts.own = counts.quick = 0;
}
