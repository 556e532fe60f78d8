// SPDX-License-Identifier: MIT
/*
 * Two clones: the second one executes the prefetcher, the first one ends, so that the second one becomes a child of init (or of
 * the nearest process that adopts orphans). The first one ends while SIGCHLD is ignored, so that there is neither a signal nor a
 * zombie, and what it used is not added to what children used, which the command could read.
 *
 * In process 1 of a container orphans become our own children: there is no prefetcher then.
 */
#define _GNU_SOURCE
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK (16u << 10)
#define PROCESSES_LEAST 256 /* a limit below: somebody counts processes */

struct start {
	char *argv[6];
	int pidfd, stats_fd;
	char stack[2][STACK] __attribute__((aligned(16)));
};

/* It has the memory of the process that starts it, which waits: no allocation, no errno that matters. */
static int second(void *argument)
{
	struct start *s = argument;
	int null, fds[2];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		_exit(1);
	/* Moved out of the way of 0, 1, 2, and to 3 and 4. */
	fds[0] = fcntl(s->pidfd, F_DUPFD_CLOEXEC, 10);
	fds[1] = s->stats_fd < 0 ? -1 : fcntl(s->stats_fd, F_DUPFD_CLOEXEC, 10);
	null = fcntl(null, F_DUPFD_CLOEXEC, 10);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	dup2(fds[0], 3);
	if (fds[1] >= 0)
		dup2(fds[1], 4);
	syscall(SYS_close_range, fds[1] >= 0 ? 5 : 4, ~0u, 0);
	execv(s->argv[0], s->argv);
	_exit(1);
}

static int first(void *argument)
{
	struct start *s = argument;

	clone(second, s->stack[1] + STACK, CLONE_VM | CLONE_VFORK, s);
	_exit(0);
}

static int limited(void)
{
	struct rlimit processes;

	return getpid() == 1 || (!getrlimit(RLIMIT_NPROC, &processes) && processes.rlim_cur < PROCESSES_LEAST && geteuid());
}

int prefetch_start(const char *program, unsigned int depth, int stats_fd)
{
	static struct start s;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	char pid[16], n[16];
	int child, err = 0;

	if (limited())
		return -EAGAIN;
	s.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (s.pidfd < 0)
		return -errno;
	s.stats_fd = stats_fd;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(n, sizeof(n), "%u", depth);
	s.argv[0] = (char *)program;
	s.argv[1] = "3";
	s.argv[2] = stats_fd < 0 ? "-1" : "4";
	s.argv[3] = pid;
	s.argv[4] = n;
	sigaction(SIGCHLD, &ignore, &before);
	child = clone(first, s.stack[0] + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &s);
	if (child < 0)
		err = -errno;
	else
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR) /* ECHILD: it is gone */
			;
	sigaction(SIGCHLD, &before, NULL);
	close(s.pidfd);
	return err;
}
