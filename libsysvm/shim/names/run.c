// SPDX-License-Identifier: MIT
/*
 * Whole directories: the runs that make the records (records.c answers from them), behind an open or at an entry.
 * Tested by tests/shim/ahead/directory_test.cc and tests/shim/hazards (entries, mounts).
 */
#include "libsysvm/shim/names/names.h"

#include <fcntl.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"

#define ENTRY_IS_DIRECTORY 4 /* DT_DIR */

static struct {
	const unsigned char *entry;
	struct listing *listing;
	const struct svp_arg *row; /* null: an entry of a directory */
} found; /* by directory_find, for directory_run */

static unsigned int path_argument(const struct svp_trigger *t)
{
	for (unsigned int i = 0; i < 6; i++)
		if (is_entry(&t->arg[i]))
			return i;
	return 0;
}

/* The trigger is about an entry of a directory that the application has read, and more is expected to follow. */
bool directory_find(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_loop *loop = ahead.proc[number].loop;
	const struct svp_trigger *trigger = &ahead.svp.triggers[ahead.svp.procs[number].first_trigger + t];
	unsigned int at = path_argument(trigger);
	bool under = trigger->arg[at].kind == SVP_ARG_UNDER;
	const char *name;
	long length;

	found.row = trigger->arg[at].kind == SVP_ARG_ROW ? &trigger->arg[at] : NULL;
	if (found.row)
		return rows_find(found.row, c->arg[at], c->sp);
	length = memory_string(c->arg[at], LISTING_PATH_MAX + 256, c->sp);
	if (length <= 0)
		return false;
	if (under) {
		if (at == 1 && (int)c->arg[0] != AT_FDCWD)
			return false;
		found.listing = listing_by_path((const char *)c->arg[at], length, &name);
		length -= name - (const char *)c->arg[at];
	} else {
		name = (const char *)c->arg[at];
		found.listing = listing_by_fd(c->arg[0]);
	}
	if (!found.listing || length <= 0)
		return false;
	found.entry = listing_entry(found.listing, name, length);
	if (!found.entry)
		return false;
	/* A run for this one call would be no gain. */
	if ((loop->flags & SVP_LOOP_LEAVES) && entry_type(found.entry) == ENTRY_IS_DIRECTORY)
		return false;
	return loop->followers > 1 || found.entry + entry_length(found.entry) < found.listing->names + found.listing->size;
}

static void set_registers(struct sysvm_page *page, uint32_t number)
{
	page->reg[ahead.proc[number].loop->end] = 0;
	page->reg[SVP_REG_WINDOW] = directory_window(&ahead.proc[number]);
	page->reg[SVP_REG_AVOID] = (uint64_t)mounts_avoided;
	page->reg[SVP_REG_DEVICE2] = overlay_files(page->reg[SVP_REG_DEVICE]);
	page->reg[SVP_REG_UNDER] = (uint64_t)listing_path;
	page->reg[SVP_REG_NAME] = (uint64_t)listing_path + loop_log.under;
	page->reg[SVP_REG_ENTRY] = page->reg[SVP_REG_ENTRY_END] = 0;
	kept_set(number);
}

/* Before the run of an open. */
void directory_prepare(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	const struct svp_trigger *trigger = &ahead.svp.triggers[p->first_trigger + t];
	long n = trigger->path_arg < 6 ? memory_string(c->arg[trigger->path_arg], LISTING_PATH_MAX - 2, c->sp) : -1;
	bool good = n > 0 && mounts_known();

	loop_log.under = 0;
	if (n > 0) {
		loop_log.under = listing_under(loop_log.path, (const char *)c->arg[trigger->path_arg], n);
		bytes_copy(listing_path, loop_log.path, loop_log.under);
	}
	set_registers(ahead.page, number);
	if (!good)
		ahead.page->reg[SVP_REG_WINDOW] = 0;
	loop_log.own = ahead.staging;
	loop_log.own_end = ahead.staging + AHEAD_STAGING;
}

/* The code wrote the record, and the code is the procedure file's: nothing in it is believed. */
static bool sound(const struct svp_follower *first, const struct follower_rule *rule, const uint64_t *record)
{
	uint64_t entry = record[0], low = (uint64_t)loop_log.own, high = (uint64_t)loop_log.own_end;

	if (entry < low || entry >= high || high - entry <= 19)
		return false;
	for (const char *name = entry_name((const unsigned char *)entry); *name; name++)
		if ((uint64_t)(name + 1) >= high)
			return false;
	for (uint32_t j = 0; j < loop_log.loop->followers; j++)
		if (rule[j].out < 6 && rule[j].out_bytes && record[1 + j] != SVP_NOT_MADE &&
		    (int64_t)record[1 + j] > (int64_t)first[j].arg[rule[j].out].size && first[j].arg[rule[j].out].size)
			return false;
	return true;
}

/* After a run: its records become outstanding. Those of the log from `before` on are hidden behind them. */
void directory_take(uint32_t number, uint32_t before)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	const struct svp_loop *l = ahead.proc[number].loop;
	unsigned char *records = ahead.staging + l->records;
	uint64_t end = ahead.page->reg[l->end], made = 0;

	if (end > (uint64_t)records)
		made = (end - (uint64_t)records) / l->stride;
	if (end && made < l->capacity && ahead.page->reg[SVP_REG_ENTRY] < ahead.page->reg[SVP_REG_ENTRY_END])
		overlay_learn(number, records + made * l->stride);
	if (!made || made > l->capacity)
		return;
	for (uint32_t j = 0; j < l->followers; j++) {
		const struct svp_follower *f = &ahead.svp.followers[p->first_follower + l->first + j];

		for (unsigned int i = 0; i < 6; i++) {
			const struct svp_arg *a = &f->arg[i];
			bool reg = a->kind == SVP_ARG_REG || a->kind == SVP_ARG_COUNT;

			loop_log.arg[j][i] = reg ? ahead.page->reg[a->reg] : a->value;
		}
	}
	loop_log.proc = number;
	loop_log.loop = l;
	loop_log.records = records;
	for (uint64_t i = 0; i < made; i++) {
		uint32_t first = p->first_follower + l->first;

		if (!sound(&ahead.svp.followers[first], &ahead.follower[first],
			   (const uint64_t *)(records + i * l->stride)))
			made = i;
	}
	if (!made)
		return;
	loop_log.made = (uint32_t)made;
	loop_log.hidden = (uint32_t)(ahead.q.end - ahead.log) - before;
	if (loop_log.hidden)
		log_cut(ahead.log + before);
	loop_log.next = 0;
	loop_log.end = (uint32_t)made * l->followers;
}

bool directory_run(uint32_t number, struct shim_call *c)
{
	struct ahead_proc *state = &ahead.proc[number];
	struct listing *listing = found.listing;
	struct sysvm_page *page = ahead.page;
	uint64_t signals = shim_signals;

	if (found.row) {
		const uint32_t window = directory_window(state), room = state->loop->capacity;

		if (!rows_list(found.row, window < room ? window : room, c->sp))
			return false;
		listing = &row_listing;
		found.entry = listing->names;
	} else if (!mounts_known() || mounts_avoid(listing->inode)) {
		return false;
	}
	loop_log.under = 0;
	if (listing->has_path) {
		loop_log.under = listing->under;
		bytes_copy(loop_log.path, listing->path, listing->under);
		bytes_copy(listing_path, listing->path, listing->under);
	}
	page->reg[SVP_REG_DEVICE] = listing->device;
	set_registers(page, number);
	page->reg[SVP_REG_ENTRY] = (uint64_t)found.entry;
	page->reg[SVP_REG_ENTRY_END] = (uint64_t)(listing->names + listing->size);
	page->reg[SVP_REG_NOATIME] = listing->noatime;
	loop_log.own = listing->names;
	loop_log.own_end = listing->names + LISTING_BYTES;
	start_machine(number, c, signals);

	ahead.log_time = clock_mark(&ahead.q.log_clock);
	directory_take(number, 0);
	/* A run that was stopped before its first record (a signal) has left nothing to look at. */
	if (loop_log.next == loop_log.end || !directory_serve(c)) {
		directory_drop();
		if (found.row)
			rows_failed();
		start_judge(number);
		return false;
	}
	/* That was the call itself: its entry is the run's. */
	ahead.n.answered--;
	ahead.n.proc[number].hits--;
	state->hits--;
	if (shim_signals != signals)
		log_take_back();
	start_judge(number);
	return true;
}
