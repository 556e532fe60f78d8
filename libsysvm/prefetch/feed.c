// SPDX-License-Identifier: MIT
/*
 * A process waits for storage if its state is D, or if it sleeps in a request to a FUSE server, which is
 * interruptible (S). One sample says little; of the latest eight, two must have found it waiting. A process
 * that computes, or that waits for a pipe, is never asked for more than its state.
 *
 * Does not see a process whose credentials or dumpable flag keep /proc/PID/fd from us: it gets nothing.
 */
#define _GNU_SOURCE
#include "feed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILES_MAX 64 /* of a process; the first ones by number */

static void add_process(struct feed *feed, int pid)
{
	struct feed_process *p = NULL;
	char path[64];

	for (unsigned int i = 0; i < feed->count; i++)
		if (feed->process[i].alive && feed->process[i].pid == pid)
			return;
	for (unsigned int i = 0; i < feed->count && !p; i++)
		if (!feed->process[i].alive)
			p = &feed->process[i];
	if (!p && feed->count < FEED_PROCESSES)
		p = &feed->process[feed->count++];
	if (!p)
		return;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	*p = (struct feed_process){.pid = pid, .stat_fd = open(path, O_RDONLY | O_CLOEXEC)};
	p->alive = p->stat_fd >= 0;
}

void feed_init(struct feed *feed, int pid)
{
	*feed = (struct feed){0};
	add_process(feed, pid);
}

static size_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	return n > 0 ? (size_t)n : 0;
}

static void add_children(struct feed *feed, int pid)
{
	char path[64], text[1024], *at = text, *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if (!read_file(path, text, sizeof(text)))
		return;
	for (long child; (child = strtol(at, &end, 10)) > 0 && end != at; at = end)
		add_process(feed, (int)child);
}

static bool in_fuse(int pid)
{
	char path[64], name[128];

	snprintf(path, sizeof(path), "/proc/%d/wchan", pid);
	return read_file(path, name, sizeof(name)) && strstr(name, "request_wait_answer");
}

bool feed_sample(struct feed *feed)
{
	bool any = false;

	feed->samples++;
	for (unsigned int i = 0; i < feed->count; i++) {
		struct feed_process *p = &feed->process[i];
		char text[512], *state;
		ssize_t n;

		if (!p->alive)
			continue;
		n = pread(p->stat_fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = 0;
		state = strrchr(text, ')'); /* its name may hold anything */
		if (!state || !state[1] || state[2] == 'Z' || state[2] == 'X') {
			close(p->stat_fd);
			p->alive = false;
			continue;
		}
		p->waits <<= 1;
		p->waits |= state[2] == 'D' || (state[2] == 'S' && in_fuse(p->pid));
		any |= p->waits & 1;
		if (feed->samples % 4 == 1)
			add_children(feed, p->pid);
	}
	return any;
}

bool feed_waits(const struct feed_process *p)
{
	return p->alive && p->waits & 1 && __builtin_popcount(p->waits & 0xff) >= 2;
}

static bool look(struct feed_seen *s)
{
	struct statx st;
	ssize_t n;

	if (statx(AT_FDCWD, s->link, AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &st) ||
	    !(st.stx_mask & STATX_MNT_ID))
		return false;
	if (!S_ISDIR(st.stx_mode) && !S_ISREG(st.stx_mode))
		return false;
	n = readlink(s->link, s->path, sizeof(s->path) - 1);
	if (n <= 0 || s->path[0] != '/')
		return false;
	s->path[n] = 0;
	s->directory = S_ISDIR(st.stx_mode);
	s->dev = (uint64_t)makedev(st.stx_dev_major, st.stx_dev_minor);
	s->ino = st.stx_ino;
	s->mount = st.stx_mnt_id;
	s->size = st.stx_size;
	return true;
}

static void position(struct feed_seen *s, const char *number)
{
	char path[64], text[512], *at;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.20s", s->pid, number);
	read_file(path, text, sizeof(text));
	at = strstr(text, "pos:");
	s->position = at ? strtoull(at + 4, NULL, 10) : 0;
	at = strstr(text, "flags:");
	s->reading = at && !(strtoul(at + 6, NULL, 8) & (O_ACCMODE | O_PATH));
}

void feed_files(struct feed_process *p, void (*seen)(void *to, const struct feed_seen *what), void *to)
{
	static struct feed_seen s;
	struct dirent *entry;
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	p->scans++;
	s.pid = p->pid;
	s.working = true;
	s.reading = false;
	s.position = 0;
	snprintf(s.link, sizeof(s.link), "/proc/%d/cwd", p->pid);
	if (!look(&s))
		return;
	seen(to, &s);
	s.working = false;
	snprintf(path, sizeof(path), "/proc/%d/fd", p->pid);
	dir = opendir(path);
	while (dir && n++ < FILES_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(s.link, sizeof(s.link), "/proc/%d/fd/%.20s", p->pid, entry->d_name);
		if (!look(&s))
			continue;
		position(&s, entry->d_name);
		seen(to, &s);
	}
	if (dir)
		closedir(dir);
}

unsigned int feed_words(int pid, char *words, unsigned int size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	return (unsigned int)read_file(path, words, size);
}
