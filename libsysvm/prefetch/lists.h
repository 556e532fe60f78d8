/* SPDX-License-Identifier: MIT */
/*
 * Lists of a procedure file (procedures/svp_lists.h): what the command read the last time is read ahead, in
 * order, for as long as it is seen to keep to it.
 *
 * Where the command is on its list, the calls tell that it is seen to wait in. How far it is read ahead of that
 * place grows with each that is on the list. A command that waits in calls which are not has strayed: nothing
 * more is read for it, and what it does is guessed instead (guess.h).
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

/* A process that waits. Whether it has a list and keeps to it. */
bool lists_see(struct lists *lists, const struct feed_process *process);

/*
 * Before a process has been seen to wait: is there a list that was made for its very command line? If so, a
 * few of its names are looked up (false: they are not). When the walk is through with them, the caller says
 * whether that took long; then the list is followed at once, else when the process is seen to wait.
 */
bool lists_have(struct lists *lists, int pid);
bool lists_probe(struct lists *lists, int pid, struct walk *walk);
void lists_probed(struct lists *lists, bool cold);

/* Gives the walk what is next. */
void lists_go_on(struct lists *lists, struct walk *walk);

#endif
