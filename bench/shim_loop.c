/* SPDX-License-Identifier: MIT */
/*
 * shim_loop WHAT FILE ROUNDS: the same few calls over and over, timed from inside, so that a plain run and
 * one under `sysvm run` can be compared. Prints one line: nanoseconds for one call, the fastest round and the
 * median one.
 *
 *   forward    getppid, which the shim has nothing to say about
 *   threaded   the same beside a second thread, which sleeps: the process makes plain calls for ever
 *   watched    fstat of a descriptor that no procedure is for: checked, then made
 *   fstat      open FILE, CALLS times fstat (timed), close
 *   read SIZE  open FILE, CALLS times pread of SIZE bytes at 0 (timed), close
 *   copy SIZE  CALLS times memcpy of SIZE bytes from different places: what a read answered from memory
 *              cannot avoid
 *
 * Everything goes through the C library, as in programs. The clock is read by the vDSO, without an entry;
 * what reading it costs is measured and taken off. No output but the line.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/shim_loop.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void fail(const char *what, const char *where)
{
	fprintf(stderr, "shim_loop: %s: ", what);
	perror(where);
	exit(1);
}

static int opened(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail("open", file);
	return fd;
}

static double clock_cost(void)
{
	double best = 1e9;

	for (int i = 0; i < 1000; i++) {
		double start = now(), cost = now() - start;

		if (cost < best)
			best = cost;
	}
	return best;
}

static void *sleeper(void *unused)
{
	for (;;)
		pause();
	return unused;
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "", *file = argc > 3 ? argv[2] : "";
	int rounds = argc > 3 ? atoi(argv[3]) : 0;
	size_t size = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
	char buffer[SHIM_LOOP_SIZE_MAX];
	double *took, clock;
	struct stat st;
	char *source;

	if (rounds < 1 || size > sizeof(buffer)) {
		fprintf(stderr, "usage: shim_loop forward|threaded|watched|fstat|read|copy FILE ROUNDS"
				" [SIZE]\n");
		return 2;
	}
	took = calloc(rounds, sizeof(*took));
	source = calloc(SHIM_LOOP_CALLS, SHIM_LOOP_SIZE_MAX);
	if (!took || !source)
		fail("memory", "");
	memset(source, 1, (size_t)SHIM_LOOP_CALLS * SHIM_LOOP_SIZE_MAX);
	memset(buffer, 1, sizeof(buffer));
	clock = clock_cost();
	if (!strcmp(what, "threaded")) {
		pthread_t second;

		if (pthread_create(&second, NULL, sleeper, NULL))
			fail("a second thread", "");
	}

	for (int r = 0; r < rounds; r++) {
		int fd = -1;
		double start;

		if (!strcmp(what, "fstat") || !strcmp(what, "read"))
			fd = opened(file);
		start = now();
		if (!strcmp(what, "forward") || !strcmp(what, "threaded")) {
			for (int i = 0; i < SHIM_LOOP_CALLS; i++)
				if (getppid() < 0)
					fail("getppid", "");
		} else if (!strcmp(what, "watched")) {
			for (int i = 0; i < SHIM_LOOP_CALLS; i++)
				if (fstat(0, &st))
					fail("fstat", "standard input");
		} else if (!strcmp(what, "fstat")) {
			for (int i = 0; i < SHIM_LOOP_CALLS; i++)
				if (fstat(fd, &st))
					fail("fstat", file);
		} else if (!strcmp(what, "read")) {
			for (int i = 0; i < SHIM_LOOP_CALLS; i++)
				if (pread(fd, buffer, size, 0) != (ssize_t)size)
					fail("pread", file);
		} else if (!strcmp(what, "copy")) {
			for (int i = 0; i < SHIM_LOOP_CALLS; i++) {
				memcpy(buffer, source + (size_t)i * SHIM_LOOP_SIZE_MAX, size);
				__asm__ volatile("" : : "r"(buffer) : "memory");
			}
		}
		took[r] = (now() - start - clock) / SHIM_LOOP_CALLS;
		if (fd >= 0)
			close(fd);
	}
	qsort(took, rounds, sizeof(*took), by_size);
	printf("%.3f %.3f\n", took[0], took[rounds / 2]);
	return 0;
}
