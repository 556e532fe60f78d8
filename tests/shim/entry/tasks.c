// SPDX-License-Identifier: MIT
/*
 * fork, vfork, posix_spawn with file actions in a loop, clone: descriptors, results and environment as
 * without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int open_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int cloned(void *argument)
{
	_exit((int)(long)argument + (getppid() > 0));
}

int main(int argc, char **argv)
{
	static char stack[65536] __attribute__((aligned(16)));
	char line[64];
	int status, p[2];
	volatile int sum = 0;
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], "child")) {
		printf("child: %d descriptors, preload %s\n", open_descriptors(),
		       getenv("LD_PRELOAD") ? "shown" : "hidden");
		return 5;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 0; i < 20; i++) {
		pid = fork();
		if (pid == 0)
			_exit(open("/dev/null", O_RDONLY) >= 0 ? i : 99);
		waitpid(pid, &status, 0);
		sum += WEXITSTATUS(status);
	}
	printf("fork %d\n", sum);
	sum = 0;
	for (int i = 0; i < 20; i++) {
		pid = vfork();
		if (pid == 0) {
			close(0); /* the child's table, not ours */
			if (fcntl(0, F_GETFD) >= 0)
				_exit(77);
			_exit(3);
		}
		waitpid(pid, &status, 0);
		sum += WEXITSTATUS(status);
	}
	printf("vfork %d, descriptor 0 %s\n", sum, fcntl(0, F_GETFD) >= 0 ? "there" : "gone");
	pid = vfork();
	if (pid == 0) {
		execl("/nonexistent", "x", (char *)NULL);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	printf("vfork and a failing exec %d\n", WEXITSTATUS(status));
	for (int i = 0; i < 10; i++) {
		posix_spawn_file_actions_t actions;
		char *words[] = { argv[0], "child", NULL };

		if (pipe(p))
			return 1;
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, p[1], 1);
		posix_spawn_file_actions_addclose(&actions, p[0]);
		posix_spawn_file_actions_addclose(&actions, p[1]);
		if (posix_spawn(&pid, argv[0], &actions, NULL, words, environ))
			return 1;
		posix_spawn_file_actions_destroy(&actions);
		close(p[1]);
		ssize_t n = read(p[0], line, sizeof(line) - 1);
		line[n > 0 ? n : 0] = 0;
		waitpid(pid, &status, 0);
		close(p[0]);
		printf("spawned %d: %s", WEXITSTATUS(status), line);
	}
	/* Not a copy of this stack: the shim must not leave a frame behind. */
	pid = clone(cloned, stack + sizeof(stack), SIGCHLD, (void *)40L);
	waitpid(pid, &status, 0);
	printf("clone with a stack %d\n", WEXITSTATUS(status));
	pid = clone(cloned, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)50L);
	waitpid(pid, &status, 0);
	printf("clone sharing memory %d\n", WEXITSTATUS(status));
	pid = (pid_t)syscall(SYS_fork);
	if (pid == 0)
		_exit(8);
	waitpid(pid, &status, 0);
	printf("syscall(SYS_fork) %d\n", WEXITSTATUS(status));
	printf("%d descriptors\n", open_descriptors());
	fflush(stdout);
	execl(argv[0], argv[0], "child", (char *)NULL);
	return 1;
}
