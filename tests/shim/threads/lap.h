/* SPDX-License-Identifier: MIT */
/*
 * What the thread programs share. A program is a table of cases; a case is a function, the *lap*, that starts
 * threads, makes them wait for each other inside the kernel, joins them, and says what came of it. The lap is
 * repeated for as long as the command line asks, and must say the same each time: a lost wake-up in the
 * thousandth lap is a hang, a lost update a line that differs.
 *
 * *	PROGRAM list                     the names of its cases
 * *	PROGRAM CASE SCRATCH SECONDS     laps in SCRATCH, one at least
 *
 * What a case says must not depend on speed, on the number of processors, or on which thread came first.
 * Nothing here has a time limit: run.py watches.
 */
#ifndef LAP_H
#define LAP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4

struct lap_case {
	const char *name;
	void (*lap)(void);
};

extern const struct lap_case cases[]; /* of the program; ends with { NULL, NULL } */

/* A line of the lap's result. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The name of a result of the pthread_ functions: 0 or an error. */
const char *outcome(int error);

#define MUST(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			printf("FAILED: %s: %s\n", #x, strerror(errno));        \
			fflush(stdout);                                         \
			_exit(1);                                               \
		}                                                               \
	} while (0)

/* Starts n threads (THREADS at most), body(0) .. body(n - 1), and joins them; the sum of what they return. */
long in_threads(int n, void *(*body)(void *index));

/* Waits until a thread of this process, or another process, sleeps inside the kernel. */
void until_asleep(pid_t pid, pid_t tid);

/* Held now and then inside a lock, so that the others find it taken, on a single processor too. */
void linger(int round);

/* Zeroed memory that a child of fork shares. */
void *shared_memory(size_t size);

/* A child that leaves by _exit: its exit status, or 128 and the signal. */
int status_of(pid_t child);

/* Milliseconds from now, on this clock. */
struct timespec from_now(clockid_t clock, long ms);

#endif
