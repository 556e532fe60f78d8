// SPDX-License-Identifier: MIT
/*
 * Threads count against two limits that the command has too: the processes of its user (RLIMIT_NPROC, not for
 * root) and of its cgroups. Each must have room for four times the threads that we want; otherwise we start
 * none.
 *
 * Memory: the page cache that we fill is charged to the command's cgroup, as if it had read the files itself.
 * Where the cgroup has a limit and little room, or tasks on this machine wait for memory, nothing is fetched.
 */
#define _GNU_SOURCE
#include "limits.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FACTOR 4
#define MEMORY_ROOM (64u << 20)

static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static unsigned long tasks_of_user(void)
{
	unsigned long count = 0;
	uid_t user = getuid();
	struct dirent *e;
	DIR *dir = opendir("/proc");

	while (dir && (e = readdir(dir))) {
		char path[300], text[512], *at;
		struct stat st;

		if (!isdigit((unsigned char)e->d_name[0]) || fstatat(dirfd(dir), e->d_name, &st, 0) ||
		    st.st_uid != user)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		at = read_text(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
		for (int field = 2; at && field < 20; field++) { /* num_threads is the 20th */
			at = strchr(at + 1, ' ');
			if (!at)
				break;
		}
		count += at ? strtoul(at, NULL, 10) : 1;
	}
	if (dir)
		closedir(dir);
	return count;
}

/* Calls have(folder) for the cgroup of the controller and each one above it, until one returns false. */
static bool each_cgroup(const char *controller, bool (*have)(const char *folder, unsigned long want),
			unsigned long want)
{
	char text[4096], *line, *rest;

	if (!read_text("/proc/self/cgroup", text, sizeof(text)))
		return true;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
		char folder[4200];
		const char *base;

		if (!path)
			continue;
		*path++ = 0;
		names++;
		if (*names && strcmp(names, controller))
			continue;
		base = *names ? controller : "";
		if (!*names && access("/sys/fs/cgroup/cgroup.controllers", F_OK))
			base = "unified";
		for (;;) {
			char *slash = strrchr(path, '/');

			snprintf(folder, sizeof(folder), "/sys/fs/cgroup/%s%s", base, path);
			if (!have(folder, want))
				return false;
			if (!slash || !path[1])
				break;
			*slash = 0;
			if (!*path)
				strcpy(path, "/");
		}
	}
	return true;
}

/* Files that do not exist, or hold "max", set no limit. */
static unsigned long long room_in(const char *folder, const char *limit, const char *used)
{
	char path[4400], text[64];
	unsigned long long max, now;

	snprintf(path, sizeof(path), "%s/%s", folder, limit);
	if (!read_text(path, text, sizeof(text)) || !isdigit((unsigned char)text[0]))
		return ~0ull;
	max = strtoull(text, NULL, 10);
	snprintf(path, sizeof(path), "%s/%s", folder, used);
	now = read_text(path, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
	return max > now ? max - now : 0;
}

static bool have_pids(const char *folder, unsigned long want)
{
	return room_in(folder, "pids.max", "pids.current") >= want;
}

bool limits_have_room(unsigned int threads)
{
	unsigned long want = (unsigned long)threads * FACTOR;
	struct rlimit processes;

	if (geteuid() && !getrlimit(RLIMIT_NPROC, &processes) && processes.rlim_cur != RLIM_INFINITY &&
	    tasks_of_user() + want > processes.rlim_cur)
		return false;
	return each_cgroup("pids", have_pids, want);
}

/*
 * A cgroup is full of page cache most of the time, which is given up when memory is needed: that counts as
 * room.
 */
static unsigned long long cached(const char *folder)
{
	char path[4400], text[4096], *at;
	unsigned long long bytes = 0;

	snprintf(path, sizeof(path), "%s/memory.stat", folder);
	if (!read_text(path, text, sizeof(text)))
		return 0;
	at = strstr(text, "\ninactive_file ");
	if (at)
		bytes = strtoull(at + 15, NULL, 10);
	return bytes;
}

static bool have_memory(const char *folder, unsigned long want)
{
	unsigned long long room = room_in(folder, "memory.max", "memory.current");
	unsigned long long old = room_in(folder, "memory.limit_in_bytes", "memory.usage_in_bytes");

	if (old < room)
		room = old;
	return room >= want || room + cached(folder) >= want;
}

bool limits_memory_short(void)
{
	char text[256], *at;
	unsigned long available = ~0ul;

	if (read_text("/proc/pressure/memory", text, sizeof(text)) && (at = strstr(text, "some avg10=")) &&
	    strtod(at + 11, NULL) > 5)
		return true;
	if (read_text("/proc/meminfo", text, sizeof(text)) && (at = strstr(text, "MemAvailable:")))
		available = strtoul(at + 13, NULL, 10);
	return available < (MEMORY_ROOM >> 10) || !each_cgroup("memory", have_memory, MEMORY_ROOM);
}
