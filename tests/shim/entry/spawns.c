// SPDX-License-Identifier: MIT
/*
 * Threads that start programs all at once, by posix_spawn, vfork and fork, some of which cannot be started.
 * Each program checks the environment that it was given. spawns THREADS TIMES
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *self;
static int times;
static atomic_int right, failed, wrong;
static pthread_barrier_t together;

/* As many variables as said, each "Vn=MARK". */
static int check(int argc, char **argv)
{
	int n = 0;

	for (char **v = environ; *v; v++, n++) {
		char *value = strchr(*v, '=');

		if (!value || strcmp(value + 1, argv[3]))
			return 9;
	}
	return argc == 4 && n == atoi(argv[2]) ? 7 : 8;
}

static void count(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		status = -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 7)
		right++;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 100 + ENOENT)
		failed++;
	else
		wrong++;
}

static void *starter(void *argument)
{
	int number = (int)(long)argument, n = 1 + number * 37 % 90;
	char mark[16], variables[90][32], *list[91], count_text[8];
	char *words[] = { (char *)self, "check", count_text, mark, NULL };

	snprintf(mark, sizeof(mark), "mark%d", number);
	snprintf(count_text, sizeof(count_text), "%d", n);
	for (int i = 0; i < n; i++) {
		snprintf(variables[i], sizeof(variables[i]), "V%d=%s", i, mark);
		list[i] = variables[i];
	}
	list[n] = NULL;
	pthread_barrier_wait(&together);
	for (int i = 0; i < times; i++) {
		const char *path = i % 5 == 4 ? "/nonexistent" : self;
		int error = 0;
		pid_t pid;

		switch ((i + number) % 3) {
		case 0:
			error = posix_spawn(&pid, path, NULL, NULL, words, list);
			if (error == ENOENT)
				failed++;
			else if (error)
				wrong++;
			else
				count(pid);
			continue;
		case 1:
			pid = vfork();
			break;
		default:
			pid = fork();
		}
		if (pid == 0) {
			execve(path, words, list);
			_exit(100 + errno);
		}
		count(pid);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[32];
	int threads;

	self = argv[0];
	if (argc > 1 && !strcmp(argv[1], "check"))
		return check(argc, argv);
	threads = argc > 2 ? atoi(argv[1]) : 4;
	times = argc > 2 ? atoi(argv[2]) : 10;
	pthread_barrier_init(&together, NULL, (unsigned int)threads);
	for (int i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, starter, (void *)(long)i);
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	printf("%d right, %d failed, %d wrong\n", right, failed, wrong);
	return 0;
}
