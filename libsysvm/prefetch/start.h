/* SPDX-License-Identifier: MIT */
/*
 * Starts the prefetcher from the process that is about to become the command. The command sees nothing of it:
 * the prefetcher is not its child, shares no descriptor with it, and its time is not counted with that of
 * children.
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
 * To be started by the next prefetch_before_exec: program is the path of sysvm-prefetch; depth is the number
 * of calls in flight, 0: by itself; procedures is the path of a procedure file, or "". The strings stay the
 * caller's. counters: whether a file is made for them; returns its descriptor (close on exec), or -1.
 */
int prefetch_configure(const char *program, unsigned int depth, const char *procedures, int counters);

/*
 * In the process that becomes the command, with one thread, right before execve. Does nothing if there is no
 * configuration, if it was done before, or if the limits of the process, or its number (1), leave no room for
 * another one. Failures are not reported: the command runs without the prefetcher, too.
 */
void prefetch_before_exec(void);

/*
 * The command has ended: waits, for at most a quarter of a second, until the prefetcher has ended by itself,
 * so that it keeps no file system busy.
 */
void prefetch_wait_end(int counters_fd);

#ifdef __cplusplus
}
#endif
#endif
