// SPDX-License-Identifier: MIT
/*
 * Paths that the application passes again and again: /etc/localtime before each time that is printed, the
 * journal of a database before each transaction.
 *
 * Which path it is differs from run to run, so a procedure does not name it. It says where one is passed
 * (SVP_ARG_KEPT); what was passed there last is kept here, and is what the procedure asks about next time. It
 * is a prediction: an answer is used only if the application passes the same string again.
 *
 * A path is looked up from the root, so only one that begins with '/' is kept, and before each run that would
 * use it paths_harmless() says whether it may be looked up. The copies are not in cores, and empty in a
 * child.
 * Tested by tests/shim/ahead/kept_test.cc.
 */
#include "libsysvm/shim/names/kept.h"

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/clock.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/known/mounts.h"
#include "libsysvm/shim/known/paths.h"
#include "libsysvm/shim/known/procedures.h"

static struct {
	uint32_t follower; /* of the file */
	uint32_t proc;
	uint8_t argument;
	uint8_t known, good; /* good: it was, at `asked` */
	uint64_t asked;	     /* clock_seconds() */
} kept[KEPT_PATHS];
static uint32_t paths;
static uint32_t expected; /* of the file's followers: this run's kept paths before it have been passed */

static char *text_of(uint32_t i)
{
	return areas.kept + i * (uint64_t)PATH_BYTES;
}

static bool keep(uint32_t proc, uint32_t follower, uint8_t argument)
{
	if (paths == KEPT_PATHS)
		return false;
	kept[paths].proc = proc;
	kept[paths].follower = follower;
	kept[paths].argument = argument;
	kept[paths].known = 0;
	kept[paths++].asked = 0;
	rules_add(svp.followers[follower].nr, RULE_KEEP);
	return true;
}

bool kept_reset(void)
{
	paths = 0;
	expected = 0;
	for (uint32_t p = 0; p < svp.nprocs; p++) {
		const struct svp_proc *proc = &svp.procs[p];

		for (uint32_t f = proc->first_follower; f < proc->first_follower + proc->followers; f++)
			for (uint8_t i = 0; i < 6; i++)
				if (!procedures[p].off && svp.followers[f].arg[i].kind == SVP_ARG_KEPT &&
				    !keep(p, f, i))
					return false;
	}
	return true;
}

void kept_forget(void)
{
	for (uint32_t i = 0; i < paths; i++)
		kept[i].known = 0;
}

static bool good(uint32_t i)
{
	uint64_t now = clock_seconds();

	if (!kept[i].known)
		return false;
	if (kept[i].asked != now) {
		kept[i].good = mounts_known() && paths_harmless(text_of(i));
		kept[i].asked = now;
	}
	return kept[i].good;
}

void kept_set(uint32_t proc, __u64 *reg)
{
	for (uint32_t i = 0; i < paths; i++) {
		const struct svp_follower *f = &svp.followers[kept[i].follower];

		if (kept[i].proc == proc)
			reg[f->arg[kept[i].argument].reg] = good(i) ? (uint64_t)text_of(i) : 0;
	}
}

void kept_run_begins(void)
{
	expected = 0;
}

/* Is it the call of that follower, whatever its path? */
static bool fits(const struct svp_follower *f, const struct shim_call *c)
{
	if (f->nr != c->nr)
		return false;
	for (unsigned int i = 0; i < f->nargs; i++)
		if (f->arg[i].kind == SVP_ARG_CONST && (uint32_t)f->arg[i].value != (uint32_t)c->arg[i])
			return false;
	return true;
}

void kept_see(const struct shim_call *c, uint32_t proc, uint32_t next)
{
	uint32_t from = next > expected ? next : expected;

	for (uint32_t i = 0; i < paths; i++) {
		const struct svp_follower *f = &svp.followers[kept[i].follower];
		const uint64_t path = c->arg[kept[i].argument];
		bool loops = procedures[kept[i].proc].loop != NULL;
		long n;

		if (kept[i].proc != proc || (!loops && kept[i].follower < from) || !fits(f, c))
			continue;
		n = memory_string(path, PATH_BYTES, c->sp);
		if (n <= 0 || *(const char *)path != '/')
			return;
		expected = kept[i].follower + 1;
		if (kept[i].known && bytes_equal(text_of(i), (const void *)path, (size_t)n + 1))
			return;
		bytes_copy(text_of(i), (const void *)path, (size_t)n + 1);
		kept[i].known = 1;
		kept[i].asked = 0;
		return;
	}
}

static uint32_t index_of(const struct svp_follower *f)
{
	for (uint32_t i = 0; i < paths; i++)
		if (&svp.followers[kept[i].follower] == f)
			return i;
	return KEPT_PATHS;
}

bool kept_same(const struct svp_follower *f, uint64_t address, uint64_t sp)
{
	uint32_t i = index_of(f);

	return i < paths && kept[i].known && memory_same_string(address, text_of(i), PATH_BYTES, sp);
}

uint64_t kept_address(const struct svp_follower *f)
{
	return (uint64_t)text_of(index_of(f));
}
