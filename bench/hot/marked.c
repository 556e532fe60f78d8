// SPDX-License-Identifier: MIT
/*
 * Runs a command between two marks that a counting emulator sees (counter.c): from before its process is made
 * to after its end. Anywhere else the marks are no-ops.
 *
 *   guest_marked CMD [ARG...]     exits as CMD does
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* nopl 0x6d767300 + number (%rax) */
#define MARK(number) __asm__ volatile(".byte 0x0f, 0x1f, 0x80, " #number ", 0x73, 0x76, 0x6d" ::: "memory")

int main(int argc, char **argv)
{
	int status = 0, error;
	pid_t child;

	if (argc < 2)
		return 125;
	MARK(0);
	error = posix_spawnp(&child, argv[1], NULL, NULL, argv + 1, environ);
	if (!error)
		waitpid(child, &status, 0);
	MARK(1);
	if (error) {
		fprintf(stderr, "guest_marked: %s cannot be started\n", argv[1]);
		return 125;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
