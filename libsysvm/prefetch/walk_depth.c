// SPDX-License-Identifier: MIT
/*
 * How many requests of a walk are in flight: one, until the first few have shown how storage is; then a
 * number that grows for as long as it pays. And whether any are made at all, which others decide (pace.h).
 * Tested by tests/prefetch.
 */
#define _GNU_SOURCE
#include "walk_state.h"

#define PERIOD_NS 10000000u
#define PERIOD_MAX_NS 500000000u
#define SLOW_NS 10e6 /* for a request: a disk that seeks, or one whose time is rationed */
#define BYTE_NS 10 /* what a disk of any kind may take to transfer one */
#define PROBES 12
#define PROBES_SUSPECTED 64
#define PROBES_LATE 2 /* of them may take long where processors are busy */
#define PROBE_CACHED_NS 100000 /* a request that took less has not waited */
#define PROBE_SLOW_NS 5000000  /* they are small: so long only on a disk that seeks */

static void set_depth(struct walk *w, unsigned int depth)
{
	w->depth = depth;
	sysvm_async_limit(w->pool, depth);
}

bool walk_probes(const struct walk *w)
{
	return w->storage == PACE_UNKNOWN && w->o.depth < w->o.depth_max;
}

enum pace_storage walk_storage(const struct walk *w)
{
	return w->storage;
}

void walk_go_deep(struct walk *w)
{
	if (!walk_probes(w))
		return;
	w->storage = PACE_SLOW;
	set_depth(w, w->o.depth);
}

void walk_hold(struct walk *w, bool held, bool slow, bool suspected)
{
	if (held == w->held)
		return;
	w->held = held;
	if (held) {
		walk_drop(w);
	} else if (w->o.depth < w->o.depth_max) {
		w->storage = slow ? PACE_SLOW : PACE_UNKNOWN;
		w->known_slow = slow;
		w->suspected = suspected;
		w->probes = w->slow_probes = 0;
		set_depth(w, slow ? 2 : 1);
	}
}

/*
 * Go deeper as long as more gets done in the same time, else go back. Where requests take long, the command's
 * own reads queue after ours. There each further request must pay for itself, and of two depths that get as
 * much done the lower one is better.
 */
static bool keep_direction(const struct walk *w, double rate)
{
	if (w->storage == PACE_FAST)
		return rate >= w->rate * 0.9;
	return w->direction > 0 ? rate >= w->rate * 1.1 : rate >= w->rate * 0.9;
}

/* The first requests: is storage as fast as it looks? */
void walk_probe(struct walk *w, const struct job *j)
{
	const uint64_t transfer = j->reg[REG_BYTES] * BYTE_NS;
	uint64_t took = walk_now_ns() - j->began_ns;

	took = took > transfer ? took - transfer : 0;
	if (took > w->period_longest)
		w->period_longest = took;
	if (!walk_probes(w) || took < PROBE_CACHED_NS)
		return;
	w->probes++;
	w->slow_probes += took >= PROBE_SLOW_NS;
	if (w->slow_probes > (w->suspected ? 0 : PROBES_LATE)) {
		w->storage = PACE_SLOW;
		set_depth(w, 2);
	} else if (w->probes >= (w->suspected ? PROBES_SUSPECTED : PROBES)) {
		w->storage = PACE_FAST;
		set_depth(w, w->o.depth);
	} else {
		return;
	}
	w->period_start = 0;
}

void walk_adapt(struct walk *w)
{
	uint64_t now = walk_now_ns(), took = now - w->period_start;

	if (walk_probes(w))
		return;
	if (took < PERIOD_NS || (w->period_requests < 2 * w->depth && took < PERIOD_MAX_NS))
		return;
	if (w->period_start && w->in_flight >= w->depth && w->period_requests) {
		double rate = (double)w->period_work / (double)took;
		double mean = (double)took * w->depth / w->period_requests;

		/* One head is fast as well where it need not move. */
		if (w->storage == PACE_FAST)
			w->storage = mean < SLOW_NS ? PACE_FAST : PACE_SLOW;
		else
			w->storage = w->period_longest < PROBE_SLOW_NS && !w->known_slow ? PACE_FAST
											 : PACE_SLOW;
		if (w->o.depth < w->o.depth_max && !keep_direction(w, rate))
			w->direction = -w->direction;
		w->rate = rate;
		w->depth = w->direction > 0 ? w->depth + (w->depth + 3) / 4 : w->depth - (w->depth + 3) / 4;
		if (w->depth < 2)
			w->depth = 2, w->direction = 1;
		if (w->depth > w->o.depth_max || w->o.depth == w->o.depth_max)
			w->depth = w->o.depth_max;
		sysvm_async_limit(w->pool, w->depth);
	}
	w->period_start = now;
	w->period_work = w->period_requests = 0;
	w->period_longest = 0;
}
