/* SPDX-License-Identifier: MIT */
/*
 * Whether the prefetcher may ask storage for anything now.
 *
 * A disk with one head serves a command well that reads in the order of the disk: of its waits most are
 * short, and each request of ours costs it two seeks. So the command is watched first, by what the scheduler
 * counts of it (its turns on a processor, and the time between them). Where no wait is long, storage is fast,
 * or looks so: the walk then begins with one request at a time until its own requests say the same
 * (walk_depth.c). Where much of the waiting is in long waits, nothing is asked for, until the command's waits
 * are nearly all long, or short again for a while. A command that seeks for each of its reads cannot be made
 * slower by that much, and may gain: there the command's progress (processor time that it gets to use) is
 * compared with what it was alone, and the walk ends where it is less.
 *
 * A FUSE server has no head: no watching.
 *
 * Knows nothing of processes and files. Tested by tests/prefetch/pace_test.cc.
 */
#ifndef SYSVM_PREFETCH_PACE_H
#define SYSVM_PREFETCH_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_LONG_NS 3000000 /* a seek takes some 4 to 15 ms, a read that needs none less than 1 */

/* Of all processes of the command, since it began. */
struct pace_sums {
	uint64_t ran_ns;
	uint64_t waited_ns, waits; /* for storage */
	uint64_t long_ns, longs;   /* of them: in waits of PACE_LONG_NS and more */
	bool fuse;		   /* a wait was for a FUSE server */
};

enum pace_storage { /* by the prefetcher's own requests */
	PACE_UNKNOWN,
	PACE_FAST,
	PACE_SLOW,
};

enum pace_state {
	PACE_LOOK, /* too little is known */
	PACE_GO,
	PACE_HOLD,
};

struct pace {
	enum pace_state state;
	struct pace_sums start; /* when the present window began */
	uint64_t start_ns, window_ns, progress_ns;
	uint64_t long_ns;     /* a long wait, where storage is suspected to be slow, else 0 */
	bool fast;	      /* its own requests said so: long waits are then due to these */
	double alone;	      /* on slow storage: progress while nothing was asked for */
	unsigned int bounces; /* storage looked fast and was not */
};

/* Returns the new state. */
enum pace_state pace_see(struct pace *pace, uint64_t now_ns, const struct pace_sums *sums,
			 enum pace_storage own);

/* Storage has been seen to be slow, and may still be. */
bool pace_suspects(const struct pace *pace);

#endif
