// SPDX-License-Identifier: MIT
/*
 * What a program sees of whoever started it. Tested with it: tests/run/wrapper_test.py.
 *
 *   seen place        parent, group, session, mask, ignored signals, children's time in ticks, descriptors
 *   seen signals N    says "ready PID", then the name-less number of each of N signals, with its value
 *   seen stop         says "ready PID", then "going on" whenever it was continued; ends by SIGTERM
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void place(void)
{
	sigset_t mask;
	struct rusage usage;
	struct dirent *e;
	DIR *fds = opendir("/proc/self/fd");

	printf("parent %d group %d session %d\n", getppid(), getpgrp(), getsid(0));
	sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int i = 1; i < NSIG; i++) {
		struct sigaction now;

		if (sigaction(i, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			printf("ignored %d\n", i);
		if (sigismember(&mask, i) == 1)
			printf("blocked %d\n", i);
	}
	getrusage(RUSAGE_CHILDREN, &usage);
	printf("children's ticks %ld\n", usage.ru_utime.tv_sec * 100 + usage.ru_utime.tv_usec / 10000);
	printf("child %s\n", waitpid(-1, NULL, WNOHANG | __WALL) < 0 ? "none" : "some");
	while ((e = readdir(fds)))
		if (atoi(e->d_name) > 2 && atoi(e->d_name) != dirfd(fds))
			printf("descriptor %s\n", e->d_name);
}

static void signals(int n)
{
	sigset_t all;
	siginfo_t info;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	printf("ready %d\n", getpid());
	fflush(stdout);
	while (n > 0) {
		if (sigwaitinfo(&all, &info) < 0)
			continue;
		printf("%d %d\n", info.si_signo, info.si_code == SI_QUEUE ? info.si_value.sival_int : 0);
		fflush(stdout);
		n--;
	}
}

static void going_on(int signal)
{
	(void)signal;
	(void)!write(1, "going on\n", 9);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "place") == 0) {
		place();
	} else if (strcmp(what, "signals") == 0 && argc > 2) {
		signals(atoi(argv[2]));
	} else if (strcmp(what, "stop") == 0) {
		signal(SIGCONT, going_on);
		printf("ready %d\n", getpid());
		fflush(stdout);
		for (;;)
			pause();
	} else {
		return 2;
	}
	return 0;
}
