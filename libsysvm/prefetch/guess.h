/* SPDX-License-Identifier: MIT */
/*
 * Guesses what the command will open next from what it has open: the walk's next directories. Tested by
 * tests/prefetch.
 */
#ifndef SYSVM_PREFETCH_GUESS_H
#define SYSVM_PREFETCH_GUESS_H

#include "feed.h"
#include "walk.h"

struct guess;

struct guess *guess_make(struct walk *walk, struct prefetch_stats *stats);

/*
 * feed_files's functions: `to` is a struct guess. For a command that waits; and for one that does not, where
 * only what it used of what was fetched is noted.
 */
void guess_seen(void *to, const struct feed_seen *what);
void guess_seen_working(void *to, const struct feed_seen *what);

/* After a round of it. Returns whether there was something new. */
bool guess_go_on(struct guess *guess);

#endif
