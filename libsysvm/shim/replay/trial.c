// SPDX-License-Identifier: MIT
/*
 * What a trial asks of the shim beyond a replay: a trial is about one procedure, the file's first, and begins with
 * what the shim would have learned in a first run.
 * Tested by tests/optimizer/trial_test.cc.
 */
#include <fcntl.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/names/names.h"
#include "libsysvm/shim/process/process.h"
#include "libsysvm/shim/replay/replay.h"

bool replay_refused(uint32_t proc)
{
	return ahead.proc[proc].off;
}

bool replay_next_process(void)
{
	if (ahead.off || !shim_mode)
		return false;
	ahead_settle();
	kept_forget();
	ahead.locks = ahead.streak = 0;
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++) {
		struct ahead_proc *state = &ahead.proc[i];

		if (state->runs) /* what was refused at the start has none, and stays off */
			state->off = 0;
		state->runs = state->hits = 0;
		state->device = state->noatime = 0;
		state->window = DIRECTORY_WINDOW;
	}
	return true;
}

void replay_know_device(uint64_t device)
{
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++)
		ahead.proc[i].device = device;
}

void replay_know_descriptor(int fd, bool regular, int64_t position, uint64_t device)
{
	struct fd_fact *f = fact((uint64_t)fd);

	if (!f || (f->mine && f->kind != KIND_UNKNOWN))
		return;
	facts_opened(fd, O_RDONLY);
	f->kind = regular ? KIND_REGULAR : KIND_UNKNOWN;
	f->position = position;
	f->device = device;
}

void replay_know_path(const struct shim_call *call, bool first)
{
	if (first) { /* as before any run */
		log_cut(ahead.log);
		ahead.q.next = ahead.counted = ahead.log;
		kept_start();
	}
	kept_see(call);
}

void replay_hold(bool hold)
{
	static uint8_t off;

	if (hold)
		off = ahead.proc[0].off;
	ahead.proc[0].off = hold ? 1 : off;
}

void replay_drop(void)
{
	if (!ahead.off)
		log_take_back();
}

/* The follower whose record was used last: records without a result are passed over. */
static int32_t follower_of_record(void)
{
	const uint32_t followers = loop_log.loop->followers;
	uint32_t at = loop_log.next;

	while (at--) {
		const unsigned char *record = loop_log.records + (uint64_t)(at / followers) * loop_log.loop->stride;

		if (((const uint64_t *)(const void *)record)[1 + at % followers] != SVP_NOT_MADE)
			return (int32_t)(loop_log.loop->first + at % followers);
	}
	return -1;
}

int replay_try(struct shim_call *call, int32_t *follower)
{
	const struct log_entry *next = ahead.q.next;
	const uint32_t record = loop_log.next;
	const int verdict = replay_call(call);

	*follower = -1;
	if (verdict == SHIM_ANSWERED && ahead.q.next == next + 1)
		*follower = (int32_t)(next->follower - ahead.svp.followers);
	else if (verdict == SHIM_ANSWERED && loop_log.next != record)
		*follower = follower_of_record();
	return verdict;
}

void replay_counts_of(uint32_t proc, struct replay_counts *to)
{
	const struct shim_stats *stats = ahead.set.stats;

	log_count();
	to->runs = stats->proc[proc].runs + ahead.n.proc[proc].runs;
	to->hits = stats->proc[proc].hits + ahead.n.proc[proc].hits;
	to->misses = stats->proc[proc].misses + ahead.n.proc[proc].misses;
	to->undone = stats->proc[proc].undone + ahead.n.proc[proc].undone;
	to->inner = stats->inner + ahead.n.inner;
}

const struct sysvm_page *replay_page(void)
{
	return ahead.page;
}
