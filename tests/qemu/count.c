// SPDX-License-Identifier: GPL-2.0
/*
 * Counts kernel entries from outside the program that makes them: what the shim claims to have saved must be
 * missing from the kernel's own count.
 *
 *   guest_count [-o FILE] [-c COMM] CMD [ARG...]     "entries N" on standard error (or in FILE); exits as CMD does
 *
 * The count is a perf event on a kprobe of x64_sys_call, through which every 64-bit system call enters and no
 * inner call of the module goes. It is inherited by every thread and child, and enabled by CMD's exec, so it
 * is the process tree's entries from exec (not counted itself) to the last exit. A tracepoint would not do:
 * it sets the task's syscall_work, and the module makes no calls where somebody looks on.
 *
 * With -c only entries of tasks with that name (/proc/PID/comm) count. The name changes in exec, so for a CMD
 * that executes another program (`guest_count -c grep sysvm run -- grep ...`) that is the other program from
 * its exec to its end.
 *
 * Needs root, CONFIG_KPROBE_EVENTS and a kernel that dispatches through x64_sys_call (6.9, and 6.1 with its
 * fixes). Does not count 32-bit calls. Tested by guest.entries_are_counted_exactly (count_known.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing/"

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "guest_count: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void edit_probes(const char *line)
{
	int fd = open(TRACING "kprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		fail(TRACING "kprobe_events");
	close(fd);
}

/*
 * A probe with a name, because one without cannot be inherited: its symbol is a string in our memory, which a
 * child's child does not have.
 */
static int open_counter(pid_t pid, const char *probe, const char *comm)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.disabled = 1,
		.inherit = 1,
		.enable_on_exec = 1,
	};
	char path[128];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "p:%s x64_sys_call name=$comm", probe);
	edit_probes(path);
	snprintf(path, sizeof(path), TRACING "events/kprobes/%s/id", probe);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%llu", (unsigned long long *)&attr.config) != 1)
		fail(path);
	fclose(file);
	fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		fail("counting entries to x64_sys_call");
	/* Children's events have no filter of their own: they use this one. */
	snprintf(path, sizeof(path), "name == \"%s\"", comm ? comm : "");
	if (comm && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, path) < 0)
		fail(path);
	return fd;
}

/* Waits for everybody: a command may leave children behind that outlive it. */
static int wait_for_all(pid_t command)
{
	int status, result = 0;
	pid_t pid;

	for (;;) {
		pid = wait(&status);
		if (pid == command)
			result = status;
		else if (pid < 0 && errno == ECHILD)
			return result;
	}
}

int main(int argc, char **argv)
{
	int go[2], counter, status, option;
	const char *comm = NULL;
	FILE *out = stderr;
	char byte, probe[32], removal[40];
	uint64_t entries;
	pid_t pid;

	while ((option = getopt(argc, argv, "+o:c:")) != -1) {
		if (option == 'o')
			out = fopen(optarg, "we");
		else if (option == 'c')
			comm = optarg;
		else
			return 2;
		if (!out)
			fail(optarg);
	}
	if (optind >= argc) {
		fprintf(stderr, "usage: guest_count [-o FILE] [-c COMM] CMD [ARG...]\n");
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe2(go, O_CLOEXEC) < 0)
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(125);
		execvp(argv[optind], argv + optind);
		fprintf(stderr, "guest_count: %s: %s\n", argv[optind], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	signal(SIGINT, SIG_IGN);
	snprintf(probe, sizeof(probe), "sysvm_entries_%d", getpid());
	counter = open_counter(pid, probe, comm);
	if (write(go[1], "x", 1) != 1)
		fail("starting the command");
	status = wait_for_all(pid);
	if (read(counter, &entries, sizeof(entries)) != sizeof(entries))
		fail("reading the counter");
	close(counter);
	snprintf(removal, sizeof(removal), "-:%s", probe);
	edit_probes(removal);
	fprintf(out, "entries %llu\n", (unsigned long long)entries);
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
