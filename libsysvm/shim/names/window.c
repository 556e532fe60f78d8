// SPDX-License-Identifier: MIT
/*
 * How many dirents of a directory a run takes: a choice of speed alone.
 * Tested by tests/shim/ahead/directory_test.cc.
 */
#include "libsysvm/shim/names/window.h"

#define WINDOW_MOST 4096

static struct {
	uint64_t nr;
	/* dirents answered since the last one, before that one, and before the one before */
	uint32_t since, last, before;
} news;

void window_reset(void)
{
	news.nr = news.since = news.last = news.before = 0;
	for (uint32_t i = 0; i < svp.nprocs; i++)
		procedures[i].window = WINDOW_FIRST;
}

void window_counted(void)
{
	news.since++;
}

/* A run takes twice as many dirents as the last one if all of those were of use, as the kernel's readahead
   does. */
void window_learn(struct procedure *p, uint32_t used, uint32_t made)
{
	if (used >= made)
		p->window = p->window < WINDOW_MOST / 2 ? p->window * 2 : WINDOW_MOST;
	else
		p->window = (p->window + 2 * used) / 3 + 1;
}

/*
 * A program that prints a line for each file drops the records whenever its buffer is full and it writes.
 * Which call does that, and after how many dirents, is learned; a run takes no more dirents than come before
 * the next such call, since the others would be asked about twice. While that is not known, or the call is
 * overdue, nothing is held back.
 */
void window_news(const struct shim_call *c, bool records)
{
	if (c->nr == news.nr) {
		if (!news.since)
			return;
		news.before = news.last;
		news.last = news.since;
	} else if (records) {
		news.nr = c->nr;
		news.before = news.last = 0;
	} else {
		return;
	}
	news.since = 0;
}

uint32_t window_of(const struct procedure *p)
{
	uint32_t period = news.last > news.before ? news.last : news.before;
	uint32_t left = news.before && news.since < period ? period - news.since : WINDOW_MOST;

	return left < p->window ? left : p->window;
}
