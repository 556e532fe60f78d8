/* SPDX-License-Identifier: GPL-2.0 */
/* The end of a test that has let many processes live: all must end, by themselves or killed. */
#ifndef SYSVM_TESTS_QEMU_LIVES_H
#define SYSVM_TESTS_QEMU_LIVES_H

#include "harness.h"

#include <dirent.h>
#include <signal.h>
#include <time.h>

static inline unsigned int kill_children(void)
{
	DIR *all = opendir("/proc");
	unsigned int killed = 0;
	struct dirent *one;

	CHECK(all);
	while ((one = readdir(all))) {
		char path[300], name[64];
		FILE *stat;
		int pid, parent;

		snprintf(path, sizeof(path), "/proc/%s/stat", one->d_name);
		stat = atoi(one->d_name) > 1 ? fopen(path, "re") : NULL;
		if (!stat)
			continue;
		if (fscanf(stat, "%d (%63[^)]) %*c %d", &pid, name, &parent) == 3 && parent == getpid())
			killed += !kill(pid, SIGKILL);
		fclose(stat);
	}
	closedir(all);
	return killed;
}

/*
 * A life may wait for ever: an alarm is not its children's, and a program in a page may block it. What is
 * killed must end, wherever it waits. The caller is the subreaper of all.
 */
static inline void end_all_lives(void)
{
	time_t patience = time(NULL) + 25; /* more than an alarm's */
	struct timespec pause = { 0, 50000000 };
	unsigned int killed = 0;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0) {
		if (pid)
			continue;
		if (time(NULL) > patience + 60)
			FAIL("a killed process does not end");
		if (time(NULL) > patience)
			killed += kill_children();
		nanosleep(&pause, NULL);
	}
	printf("%u signals to lives that waited\n", killed);
}

#endif
