// SPDX-License-Identifier: MIT
/* The state of procedures.h. Tested by tests/shim/ahead. */
#include "libsysvm/shim/known/procedures.h"

#include "libsysvm/shim/base/count.h"

#define JUDGED_AFTER 32 /* runs */

struct svp svp;
struct procedure *procedures;
struct follower_rule *follower_rules;

size_t procedures_size(void)
{
	return svp.nprocs * sizeof(*procedures) + svp.nfollowers * sizeof(*follower_rules);
}

void procedures_reset(void *memory)
{
	procedures = memory;
	follower_rules = (void *)(procedures + svp.nprocs);
	for (uint32_t i = 0; i < svp.nprocs; i++)
		procedures[i].loop = svp_loop_of(&svp, i);
}

/* It has to save at least one crossing for each of its runs. */
void procedures_judge(uint32_t number)
{
	struct procedure *p = &procedures[number];

	if (p->runs < JUDGED_AFTER || p->hits >= p->runs - 1)
		return;
	p->off = 1;
	counts.proc[number].off = 1;
}
