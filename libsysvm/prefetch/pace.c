// SPDX-License-Identifier: MIT
/* See pace.h. */
#include "pace.h"

#define LOOK_WAITS 2
#define LOOK_MORE_WAITS 16 /* where one wait of them was long: others' work, perhaps */
#define LOOK_NS 100000000
#define FAST_NS 200000000 /* storage that looked slow is tried again after so long, then twice as long ... */
#define FAST_PART 16	  /* if a wait is on average so much shorter than the long ones */
#define SEEKS_NS 500000000
#define WAITS 20 /* fewer say nothing */
#define UNIFORM_NS 1000000
#define PROGRESS_NS 100000000 /* the first time, then twice as long ... */
#define BACK_OFF 4
#define WINDOW_MAX_NS 8000000000
#define BOUNCES_MAX 5

static void turn(struct pace *p, enum pace_state state, uint64_t now, const struct pace_sums *sums)
{
	p->state = state;
	p->start = *sums;
	p->start_ns = now;
}

static struct pace_sums since(const struct pace *p, const struct pace_sums *s)
{
	return (struct pace_sums){
		.ran_ns = s->ran_ns - p->start.ran_ns,
		.waited_ns = s->waited_ns - p->start.waited_ns,
		.waits = s->waits - p->start.waits,
		.long_ns = s->long_ns - p->start.long_ns,
		.longs = s->longs - p->start.longs,
	};
}

static bool is_slow(const struct pace_sums *d)
{
	return d->longs >= 2 && d->long_ns * 3 >= d->waited_ns;
}

static uint64_t at_most(uint64_t ns)
{
	return ns < WINDOW_MAX_NS ? ns : WINDOW_MAX_NS;
}

static void hold(struct pace *p, uint64_t now, const struct pace_sums *sums, const struct pace_sums *d,
		 uint64_t window)
{
	if (d->longs >= 2)
		p->long_ns = d->long_ns / d->longs;
	p->window_ns = at_most(window);
	p->alone = 0;
	turn(p, PACE_HOLD, now, sums);
}

static void see_look(struct pace *p, uint64_t now, const struct pace_sums *sums, const struct pace_sums *d)
{
	if (is_slow(d))
		hold(p, now, sums, d, SEEKS_NS);
	else if (d->waits >= (d->longs ? LOOK_MORE_WAITS : LOOK_WAITS))
		turn(p, PACE_GO, now, sums);
}

static void see_hold(struct pace *p, uint64_t now, const struct pace_sums *sums, const struct pace_sums *d)
{
	const uint64_t took = now - p->start_ns, mean = d->waits ? d->waited_ns / d->waits : 0;
	const uint64_t seeks = p->long_ns ? p->long_ns / 3 * 2 : UNIFORM_NS;
	const uint64_t fast = p->long_ns ? p->long_ns / FAST_PART : UNIFORM_NS;
	const uint64_t fast_window = at_most((uint64_t)FAST_NS << p->bounces);
	const bool counts = d->waits >= WAITS;

	if (counts && mean >= seeks && took >= p->window_ns) {
		p->alone = (double)d->ran_ns / (double)took;
		p->progress_ns = PROGRESS_NS;
		turn(p, PACE_GO, now, sums);
	} else if (counts && mean < fast && took >= fast_window) {
		turn(p, PACE_GO, now, sums);
	} else if (took >= p->window_ns && took >= fast_window) {
		turn(p, PACE_HOLD, now, sums);
	}
}

static void see_go(struct pace *p, uint64_t now, const struct pace_sums *sums, const struct pace_sums *d,
		   enum pace_storage own)
{
	uint64_t took = now - p->start_ns;

	if (own == PACE_FAST)
		p->fast = true;
	if (p->fast) {
		p->long_ns = 0;
		p->alone = 0;
	} else if (!p->alone) {
		if (is_slow(d) || own == PACE_SLOW) {
			p->bounces += p->bounces < BOUNCES_MAX;
			hold(p, now, sums, d, SEEKS_NS);
		} else if (took > LOOK_NS) {
			turn(p, PACE_GO, now, sums);
		}
	} else if (took >= p->progress_ns) {
		p->progress_ns = at_most(2 * p->progress_ns);
		if ((double)d->ran_ns < p->alone * (double)took)
			hold(p, now, sums, &(struct pace_sums){0}, p->window_ns * BACK_OFF);
		else
			turn(p, PACE_GO, now, sums);
	}
}

enum pace_state pace_see(struct pace *p, uint64_t now, const struct pace_sums *sums, enum pace_storage own)
{
	struct pace_sums d = since(p, sums);

	if (!p->start_ns)
		p->start_ns = now;
	if (sums->fuse)
		p->state = PACE_GO;
	else if (p->state == PACE_LOOK)
		see_look(p, now, sums, &d);
	else if (p->state == PACE_HOLD)
		see_hold(p, now, sums, &d);
	else
		see_go(p, now, sums, &d, own);
	return p->state;
}

bool pace_suspects(const struct pace *p)
{
	return p->long_ns;
}
