/* SPDX-License-Identifier: MIT */
/*
 * What the hazard programs share. Each is run twice in a fresh scratch directory (argv[1]), plainly and under
 * the shim with hazards.svp, whose procedures read ahead behind every open; output and status must be the
 * same. It prints what it sees, never pointers, times or numbers that differ between two plain runs.
 */
#ifndef HAZARD_H
#define HAZARD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline void must(int ok, const char *what)
{
	if (!ok) {
		printf("FAILED: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}
#define MUST(x) must((x), #x)

/* A file with this content, whose atime is newer than its mtime, so that reading it ahead is allowed. */
static inline void make_file(const char *name, const void *bytes, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	struct timespec t[2] = { { time(NULL) + 10, 0 }, { time(NULL) - 100, 0 } };

	MUST(fd >= 0);
	MUST(write(fd, bytes, n) == (ssize_t)n);
	close(fd);
	t[0].tv_sec = time(NULL) + 10; /* newer than the ctime that utimensat itself sets */
	MUST(utimensat(AT_FDCWD, name, t, 0) == 0);
}

static inline void make_text(const char *name, const char *text)
{
	make_file(name, text, strlen(text));
}

/* Let the shim find the file system good: the first open on it runs nothing ahead. */
static inline void warm_up(void)
{
	char b[64];

	make_text("warm", "warm\n");
	for (int i = 0; i < 3; i++) {
		int fd = open("warm", O_RDONLY);

		while (read(fd, b, sizeof(b)) > 0)
			;
		close(fd);
	}
}

static inline void enter(int argc, char **argv)
{
	MUST(argc > 1);
	MUST(chdir(argv[1]) == 0);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* no write of ours between the calls under test */
	warm_up();
}

static inline void say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %ld\n", what, result);
}

#endif
