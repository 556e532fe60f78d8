// SPDX-License-Identifier: MIT
/*
 * The next record, served at once: what entry.S is to the log.
 *
 * `du` asks about the names of a directory one after the other, as they stand in the records. So nearly every
 * such call is about the first outstanding record, with nothing to be left out, undone, wiped or renewed. The
 * rules for such an answer are those of decide_in_loop() in ahead/ahead.c and of records_serve(). Any other
 * call is left to them, and so is the last record, since more has to be done when the records are used up.
 *
 * Tested by tests/shim/ahead/directory_test.cc, as all records are, and by tests/shim/hazards.
 */
#include "libsysvm/shim/answers/at_once.h"

#include "libsysvm/shim/answers/log.h"
#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/answers/places.h"
#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/names/dirent.h"
#include "libsysvm/shim/names/run.h"
#include "libsysvm/shim/names/window.h"

static bool same_arguments(const struct svp_follower *f, struct follower_rule *rule, const uint64_t *used,
			   int64_t result, const struct shim_call *c)
{
	uint64_t different = 0;

	if (rule->special)
		return answer_same(f, rule, used, result, c);
	for (unsigned int i = 0; i < f->nargs; i++)
		different |= (c->arg[i] ^ used[i]) & rule->mask[i];
	return !different;
}

static bool same_name(uint32_t kind, const uint64_t *record, uint64_t address, uint64_t sp)
{
	const struct run_names *names = run_names();
	const uint64_t room = memory_room(address, sp);
	const char *text = (const char *)address;
	uint32_t under = kind == SVP_ARG_UNDER ? names->under : 0;

	return room > under && bytes_equal_words(names->path, text, under) &&
	       bytes_same_within(dirent_name((const unsigned char *)record[0]), text + under, room - under);
}

static bool serve(struct shim_call *c)
{
	const uint32_t at = (uint32_t)records.next, number = follower_of(at);
	const struct svp_follower *f = &records.followers[number];
	struct follower_rule *rule = &records.rules[number];
	const struct svp_arg *path = &f->arg[path_argument(f)];
	const uint64_t *record = record_of(at);
	const int64_t result = (int64_t)record[1 + number];
	uint32_t after = place_after(at), size;

	if (f->nr != c->nr || !run_is_dirent(path) || !quick_on_main_stack(c) || log_outstanding() ||
	    !outstanding_fresh())
		return false;
	while (after < records.end && result_of(after) == SVP_NOT_MADE)
		after = place_after(after);
	/* The last one; not made; or with bytes that are wiped when they were used. */
	if (after == records.end || (uint64_t)result == SVP_NOT_MADE || result > 0)
		return false;
	if (!same_arguments(f, rule, records.used[number], result, c) ||
	    !same_name(path->kind, record, c->arg[path - f->arg], c->sp) ||
	    !answer_fits(f, rule, result, c, &size) || !outstanding_claim(&records.next, at, after))
		return false;
	if (size)
		bytes_copy((void *)c->arg[rule->out], (const char *)record + f->arg[rule->out].value, size);
	c->result = result;
	if (number == 0)
		window_counted();
	outstanding_hits(1);
	return true;
}

bool at_once(struct shim_call *c)
{
	bool served;

	if (records.next == records.end || quick.busy_sp)
		return false;
	quick.busy_sp = c->sp; /* a handler that comes now makes its calls plainly */
	__asm__ volatile("" : : : "memory");
	served = records.next != records.end && serve(c);
	__asm__ volatile("" : : : "memory");
	quick.busy_sp = 0;
	return served;
}
