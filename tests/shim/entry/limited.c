// SPDX-License-Identifier: MIT
/*
 * What limits leave to a program: limited WHAT
 *   memory       pages that can be mapped, and brk'ed
 *   descriptors  numbers that can be had
 *   words        the most bytes of arguments that exec takes
 * and what threads do at the same time:
 *   calls        80,000 of them, by four
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int exec_takes(long bytes)
{
	static char full[1001], rest[1001], *words[4000], *none[] = { NULL };
	int n = 1, status;
	pid_t pid;

	memset(full, 'x', 1000);
	memset(rest, 'y', 1000);
	rest[bytes % 1001] = 0;
	words[0] = "/bin/true";
	while (n <= bytes / 1001)
		words[n++] = full;
	words[n++] = rest;
	words[n] = NULL;
	pid = fork();
	if (pid == 0) {
		execve(words[0], words, none);
		_exit(9);
	}
	waitpid(pid, &status, 0);
	return status == 0;
}

static void *calls(void *unused)
{
	for (int i = 0; i < 20000; i++)
		getppid();
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread[4];
	long n = 0, low = 1000, high = 3900000;

	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "memory")) {
		while (n < 1 << 20 && mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
					   -1, 0) != MAP_FAILED)
			n++;
	} else if (!strcmp(argv[1], "descriptors")) {
		while (n < 1 << 20 && dup(0) >= 0)
			n++;
	} else if (!strcmp(argv[1], "calls")) {
		for (n = 0; n < 4; n++)
			pthread_create(&thread[n], NULL, calls, NULL);
		while (n)
			pthread_join(thread[--n], NULL);
	} else {
		while (high - low > 1) {
			n = (low + high) / 2;
			*(exec_takes(n) ? &low : &high) = n;
		}
		n = low;
	}
	printf("%s %ld\n", argv[1], n);
	return 0;
}
