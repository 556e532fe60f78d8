// SPDX-License-Identifier: MIT
/*
 * Paths that the application passes again and again: /etc/localtime before each time that is printed, the journal of a
 * database before each transaction.
 *
 * Which path it is differs from run to run, so a procedure does not name it. It says where one is passed
 * (SVP_ARG_KEPT); what was passed there last is kept here, and is what the procedure asks about next time. It is a
 * prediction: an answer is used only if the application passes the same string again.
 *
 * A path is looked up from the root, so only one that begins with '/' is kept, and before each run that would
 * use it mounts_path() says whether to look it up is harmless. The copies are not in cores, and empty in a child.
 * Tested by tests/shim/ahead/kept_test.cc.
 */
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"

static struct {
	uint32_t follower; /* of the file */
	uint32_t proc;
	uint8_t argument;
	uint8_t known, good; /* good: it was, at `asked` */
	uint64_t asked;	     /* clock_seconds() */
} kept[KEPT_PATHS];
static uint32_t paths;
static uint32_t expected; /* of the file's followers: in this log none before it is passed any more */

static char *text_of(uint32_t i)
{
	return ahead.kept + i * (uint64_t)AHEAD_PATH_MAX;
}

bool kept_init(void)
{
	paths = 0;
	expected = 0;
	for (uint32_t p = 0; p < ahead.svp.nprocs; p++) {
		const struct svp_proc *proc = &ahead.svp.procs[p];

		for (uint32_t f = proc->first_follower; f < proc->first_follower + proc->followers; f++) {
			for (uint8_t i = 0; i < 6; i++) {
				if (ahead.proc[p].off || ahead.svp.followers[f].arg[i].kind != SVP_ARG_KEPT)
					continue;
				if (paths == KEPT_PATHS)
					return false;
				kept[paths].follower = f;
				kept[paths].proc = p;
				kept[paths].argument = i;
				kept[paths].known = 0;
				kept[paths++].asked = 0;
				if (ahead.svp.followers[f].nr < AHEAD_CALLS)
					ahead.rule[ahead.svp.followers[f].nr] |= RULE_KEEP;
			}
		}
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
		kept[i].good = mounts_known() && mounts_path(text_of(i));
		kept[i].asked = now;
	}
	return kept[i].good;
}

void kept_set(uint32_t proc)
{
	for (uint32_t i = 0; i < paths; i++) {
		const struct svp_follower *f = &ahead.svp.followers[kept[i].follower];

		if (kept[i].proc == proc)
			ahead.page->reg[f->arg[kept[i].argument].reg] = good(i) ? (uint64_t)text_of(i) : 0;
	}
}

void kept_start(void)
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

/* Called while what was not asked for is still outstanding: the next of it is what this call stands for. */
void kept_see(const struct shim_call *c)
{
	const struct log_entry *next = ahead.q.next;
	uint32_t from = expected;

	if (next != ahead.q.end && from < (uint32_t)(next->follower - ahead.svp.followers))
		from = (uint32_t)(next->follower - ahead.svp.followers);
	else if (next == ahead.q.end && next > ahead.log && from <= (uint32_t)(next[-1].follower - ahead.svp.followers))
		from = (uint32_t)(next[-1].follower - ahead.svp.followers) + 1;
	for (uint32_t i = 0; i < paths; i++) {
		const struct svp_follower *f = &ahead.svp.followers[kept[i].follower];
		const uint64_t path = c->arg[kept[i].argument];
		bool loops = ahead.proc[kept[i].proc].loop != NULL;
		long n;

		if (kept[i].proc != ahead.log_proc || (!loops && kept[i].follower < from) || !fits(f, c))
			continue;
		n = memory_string(path, AHEAD_PATH_MAX, c->sp);
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
		if (&ahead.svp.followers[kept[i].follower] == f)
			return i;
	return KEPT_PATHS;
}

bool kept_same(const struct svp_follower *f, uint64_t address, uint64_t sp)
{
	uint32_t i = index_of(f);

	return i < paths && kept[i].known && log_same_string(address, text_of(i), sp);
}

uint64_t kept_address(const struct svp_follower *f)
{
	return (uint64_t)text_of(index_of(f));
}
