// SPDX-License-Identifier: MIT
/*
 * Two clones: the second one executes the prefetcher, the first one ends, so that the second one becomes a
 * child of init (or of the nearest process that adopts orphans). The first one ends while SIGCHLD is ignored,
 * so that there is neither a signal nor a zombie, and what it used is not added to what children used, which
 * the command could read.
 *
 * The prefetcher gives the command a head start, and is not executed at all if that has already ended.
 *
 * In process 1 of a container orphans become our own children: there is no prefetcher then.
 */
#define _GNU_SOURCE
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared.h"

#define END_MS 250
/* A command that has ended by then needs no prefetcher, which takes half that time to start. */
#define SHORT_MS 3
#define STACK (16u << 10)
#define PROCESSES_LEAST 256 /* below such a limit somebody counts processes */

struct start {
	char *argv[7];
	int pidfd, stats_fd;
	char stack[STACK] __attribute__((aligned(16)));
};

_Noreturn static void second(struct start *s)
{
	struct pollfd end = {.events = POLLIN};
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
	end.fd = 3;
	if (poll(&end, 1, SHORT_MS) > 0)
		_exit(0);
	execv(s->argv[0], s->argv);
	_exit(1);
}

static int first(void *argument)
{
	struct start *s = argument;

	/* With a copy of the memory, so that nobody waits for its execve. */
	if (syscall(SYS_clone, 0, 0, 0, 0, 0) == 0)
		second(s);
	_exit(0);
}

static int limited(void)
{
	struct rlimit processes;

	return getpid() == 1 ||
	       (!getrlimit(RLIMIT_NPROC, &processes) && processes.rlim_cur < PROCESSES_LEAST && geteuid());
}

static struct {
	const char *program, *procedures;
	unsigned int depth;
	int stats_fd;
} wanted;

int prefetch_configure(const char *program, unsigned int depth, const char *procedures, int counters)
{
	wanted.program = program;
	wanted.procedures = procedures;
	wanted.depth = depth;
	wanted.stats_fd = counters ? memfd_create("sysvm-prefetch", MFD_CLOEXEC) : -1;
	if (wanted.stats_fd >= 0 && ftruncate(wanted.stats_fd, sizeof(struct prefetch_stats))) {
		close(wanted.stats_fd);
		wanted.stats_fd = -1;
	}
	return wanted.stats_fd;
}

void prefetch_before_exec(void)
{
	static struct start s;
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	char pid[16], n[16];
	int child;

	if (!wanted.program || limited())
		return;
	s.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (s.pidfd < 0)
		return;
	s.stats_fd = wanted.stats_fd;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(n, sizeof(n), "%u", wanted.depth);
	s.argv[0] = (char *)wanted.program;
	s.argv[1] = "3";
	s.argv[2] = wanted.stats_fd < 0 ? "-1" : "4";
	s.argv[3] = pid;
	s.argv[4] = n;
	s.argv[5] = (char *)wanted.procedures;
	wanted.program = NULL;
	sigaction(SIGCHLD, &ignore, &before);
	child = clone(first, s.stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, &s);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR) /* ECHILD: it is gone */
		;
	sigaction(SIGCHLD, &before, NULL);
	close(s.pidfd);
}

void prefetch_wait_end(int fd)
{
	struct prefetch_stats stats;
	struct pollfd gone = {.events = POLLIN};

	if (fd < 0 || pread(fd, &stats, sizeof(stats), 0) != sizeof(stats) || stats.magic != PREFETCH_MAGIC ||
	    !stats.pid)
		return;
	gone.fd = (int)syscall(SYS_pidfd_open, (pid_t)stats.pid, 0);
	if (gone.fd < 0)
		return;
	(void)!poll(&gone, 1, END_MS);
	close(gone.fd);
}
