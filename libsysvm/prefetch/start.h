/* SPDX-License-Identifier: MIT */
/*
 * Starts the prefetcher from the process that is about to become the command. The command sees nothing of it: it is no child of
 * its, has no descriptor of it, and no time of it is counted with that of children.
 *
 * Tested by tests/prefetch.
 */
#ifndef SYSVM_PREFETCH_START_H
#define SYSVM_PREFETCH_START_H

#ifdef __cplusplus
extern "C" {
#endif

#define PREFETCH_DEPTH_MAX 64

/*
 * program is the path of sysvm-prefetch; depth is the number of calls in flight, 0: by itself; stats_fd is a file of at least
 * sizeof(struct prefetch_stats) bytes, or -1. To be called with one thread, right before execve.
 *   -EAGAIN   the limits of this process or its number (1) leave no room for another process
 *   or what pidfd_open or clone failed with
 * That the program cannot be executed is not reported: the command runs without it.
 */
int prefetch_start(const char *program, unsigned int depth, int stats_fd);

#ifdef __cplusplus
}
#endif
#endif
