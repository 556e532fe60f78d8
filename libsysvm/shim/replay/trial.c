// SPDX-License-Identifier: MIT
/*
 * What a trial asks of the shim beyond a replay: a trial is about one procedure, the file's first, and begins
 * with what the shim would have learned in a first run.
 * Tested by tests/optimizer/trial_test.cc.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/machine.h"
#include "libsysvm/shim/ahead/trigger.h"
#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/answers/withdraw.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/descriptors.h"
#include "libsysvm/shim/names/kept.h"
#include "libsysvm/shim/names/window.h"
#include "libsysvm/shim/process/process.h"
#include "libsysvm/shim/replay/replay.h"

bool replay_refused(uint32_t proc)
{
	return procedures[proc].off;
}

bool replay_next_process(void)
{
	if (!ahead_is_on() || !shim_mode)
		return false;
	ahead_settle();
	kept_forget();
	descriptors_reset();
	trigger_reset();
	for (uint32_t i = 0; i < svp.nprocs; i++) {
		struct procedure *state = &procedures[i];

		if (state->runs) /* what was refused at the start has none, and stays off */
			state->off = 0;
		state->runs = state->hits = 0;
		state->device = state->noatime = 0;
		state->window = WINDOW_FIRST;
	}
	return true;
}

void replay_know_device(uint64_t device)
{
	for (uint32_t i = 0; i < svp.nprocs; i++)
		procedures[i].device = device;
}

void replay_know_descriptor(int fd, bool regular, int64_t position, uint64_t device)
{
	const struct shim_call opened = { .nr = SYS_open, .arg = { 0, O_RDONLY }, .result = fd };
	struct descriptor *f = descriptor((uint64_t)fd);

	if (!f || (f->mine && f->kind != KIND_UNKNOWN))
		return;
	descriptors_after(&opened);
	f->kind = regular ? KIND_REGULAR : KIND_UNKNOWN;
	f->position = position;
	f->device = device;
}

void replay_know_path(const struct shim_call *call, bool first)
{
	if (first) { /* as before any run */
		log_begin();
		kept_run_begins();
	}
	kept_see(call, outstanding_proc(), log_due());
}

void replay_hold(bool hold)
{
	static uint8_t off;

	if (hold)
		off = procedures[0].off;
	procedures[0].off = hold ? 1 : off;
}

void replay_drop(void)
{
	if (ahead_is_on())
		withdraw();
}

int replay_try(struct shim_call *call, int32_t *follower)
{
	const struct staged *next = quick.next;
	const uint64_t record = records_next();
	const int verdict = replay_call(call);

	*follower = -1;
	if (verdict == SHIM_ANSWERED && quick.next == next + 1)
		*follower = (int32_t)(next->follower - svp.followers);
	else if (verdict == SHIM_ANSWERED && records_next() != record)
		*follower = records_last_follower();
	return verdict;
}

void replay_counts_of(uint32_t proc, struct replay_counts *to)
{
	const struct shim_stats *stats = &process.file->stats;

	log_count();
	to->runs = stats->proc[proc].runs + counts.proc[proc].runs;
	to->hits = stats->proc[proc].hits + counts.proc[proc].hits;
	to->misses = stats->proc[proc].misses + counts.proc[proc].misses;
	to->undone = stats->proc[proc].undone + counts.proc[proc].undone;
	to->inner = stats->inner + counts.inner;
}

const struct sysvm_page *replay_page(void)
{
	return machine_page();
}
