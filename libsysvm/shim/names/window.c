// SPDX-License-Identifier: MIT
/*
 * How many entries of a directory a run takes: a choice of speed alone. Tested by tests/shim/ahead/directory_test.cc.
 */
#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/names/names.h"

#define MOST_ENTRIES 4096

static struct {
	uint64_t nr;
	uint32_t since, last, before; /* entries answered since the last one, before that one, and before the one before */
} news;

void directory_window_init(void)
{
	news.nr = news.since = news.last = news.before = 0;
}

void directory_counted(void)
{
	news.since++;
}

/* How many entries a run takes follows what the last one was good for, as the kernel's readahead does. */
void directory_learn(uint32_t next)
{
	struct ahead_proc *state = &ahead.proc[loop_log.proc];
	uint32_t used = (next + loop_log.loop->followers - 1) / loop_log.loop->followers;

	if (used >= loop_log.made)
		state->window = state->window < MOST_ENTRIES / 2 ? state->window * 2 : MOST_ENTRIES;
	else
		state->window = (state->window + 2 * used) / 3 + 1;
}

/*
 * A program that prints a line for each entry drops the records whenever its buffer is full and it writes. Which call does that,
 * and after how many entries, is learned; a run takes no more entries than come before the next one, since the others
 * would be looked at twice. As long as that is not known, or the call is overdue, nothing is held back.
 */
void directory_news(const struct shim_call *c)
{
	if (c->nr == news.nr) {
		if (!news.since)
			return;
		news.before = news.last;
		news.last = news.since;
	} else if (loop_log.next != loop_log.end) {
		news.nr = c->nr;
		news.before = news.last = 0;
	} else {
		return;
	}
	news.since = 0;
}

uint32_t directory_window(const struct ahead_proc *state)
{
	uint32_t period = news.last > news.before ? news.last : news.before;
	uint32_t left = news.before && news.since < period ? period - news.since : MOST_ENTRIES;

	return left < state->window ? left : state->window;
}
