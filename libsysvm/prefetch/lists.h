/* SPDX-License-Identifier: MIT */
/*
 * Lists of a procedure file (procedures/svp_lists.h): what the command read last time is read ahead, in
 * order, for as long as the command keeps to it.
 *
 * The calls in which the command is seen to wait tell where on its list it is. With each such call that is
 * on the list, we read further ahead of that place. A command that waits in calls that are not on it has
 * strayed: nothing more of the list is read for it, and what it does is guessed instead (guess.h).
 *
 * Tested by tests/prefetch.
 */
#ifndef SYSVM_PREFETCH_LISTS_H
#define SYSVM_PREFETCH_LISTS_H

#include "feed.h"
#include "walk.h"

struct lists;

/* fd: of the procedure file, -1: none; it becomes the lists'. Nothing of it is read yet. */
struct lists *lists_make(int fd, struct prefetch_stats *stats);

/* For a process that waits: whether it has a list and keeps to it. */
bool lists_see(struct lists *lists, const struct feed_process *process);

/*
 * Before a process has been seen to wait: if a list was made for its very command line, looks up a few of its
 * names (false: there is none). When the walk is done with them, the caller says whether that took long. If
 * it did, the list is followed immediately; if not, once the process is seen to wait.
 */
bool lists_have(struct lists *lists, int pid);
bool lists_probe(struct lists *lists, int pid, struct walk *walk);
void lists_probed(struct lists *lists, bool cold);

/* Gives the walk what is next. */
void lists_go_on(struct lists *lists, struct walk *walk);

#endif
