// SPDX-License-Identifier: MIT
/*
 * A process waits for storage if its state is D, or if it sleeps in a request to a FUSE server, which is
 * interruptible (S). Only its first thread is sampled: a program that uses several threads for its files
 * waits for many at once already, and sampling all of them would take processor time from it. One sample
 * says little; of the latest eight, two must have found it waiting. Storage that answers within 0.1 ms is
 * waited for thousands of times, and a sample seldom meets such a wait: what the process has read from
 * storage since the latest sample (/proc/PID/io) counts as well. A process that computes, or that waits for
 * a pipe, is never sampled beyond that. Of one that waits, the call and its path are read where we may
 * (/proc/PID/syscall, mem).
 *
 * Where credentials or the dumpable flag hide /proc/PID/fd from us, the process gets no help.
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
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
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
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	p->sched_fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	p->io_fd = open(path, O_RDONLY | O_CLOEXEC);
	p->alive = p->stat_fd >= 0;
}

void feed_init(struct feed *feed, int pid)
{
	*feed = (struct feed){.measures = true};
	add_process(feed, pid);
	if (feed->count)
		feed->measures = feed->process[0].sched_fd >= 0;
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

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Between two samples that found the same number of turns on a processor, a process that waits has waited for
   one thing. */
static void measure(struct pace_sums *sums, struct feed_process *p, bool waits, bool read)
{
	unsigned long long ran, delayed, slices;
	uint64_t now = now_ns(), took = now - p->at_ns, busy;
	char text[128];
	ssize_t n = p->sched_fd < 0 ? -1 : pread(p->sched_fd, text, sizeof(text) - 1, 0);
	bool first = !p->at_ns, waited = p->wait_from_ns;

	text[n > 0 ? n : 0] = 0;
	if (sscanf(text, "%llu %llu %llu", &ran, &delayed, &slices) != 3)
		return;
	busy = ran - p->ran_ns + delayed - p->delayed_ns;
	if (!first && (waits || waited || read)) {
		sums->waited_ns += took > busy ? took - busy : 0;
		sums->waits += slices - p->slices;
	}
	if (!first)
		sums->ran_ns += ran - p->ran_ns;
	if (waits && waited && slices == p->slices) {
		if (p->wait_reads && now - p->wait_from_ns >= PACE_LONG_NS) {
			sums->longs += !p->wait_is_long;
			sums->long_ns += p->wait_is_long ? took : now - p->wait_from_ns;
			p->wait_is_long = true;
		}
	} else {
		p->wait_from_ns = waits ? now : 0;
		/* Else for a journal, say. */
		p->wait_reads = read || p->io_fd < 0;
		p->wait_is_long = false;
	}
	p->at_ns = now;
	p->ran_ns = ran;
	p->delayed_ns = delayed;
	p->slices = slices;
}

/* Since the latest sample; false at the first. */
static bool has_read(struct feed_process *p)
{
	uint64_t before = p->read_bytes;
	char text[512], *at;
	ssize_t n = p->io_fd < 0 ? -1 : pread(p->io_fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	at = strstr(text, "\nread_bytes: ");
	p->read_bytes = at ? strtoull(at + 13, NULL, 10) + 1 : 0;
	return before && p->read_bytes > before;
}

bool feed_sample(struct feed *feed)
{
	bool any = false;

	feed->samples++;
	for (unsigned int i = 0; i < feed->count; i++) {
		struct feed_process *p = &feed->process[i];
		char text[512], *state;
		ssize_t n;
		bool waits, read;

		if (!p->alive)
			continue;
		n = pread(p->stat_fd, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = 0;
		state = strrchr(text, ')'); /* its name may hold anything */
		if (!state || !state[1] || state[2] == 'Z' || state[2] == 'X') {
			close(p->stat_fd);
			if (p->sched_fd >= 0)
				close(p->sched_fd);
			if (p->io_fd >= 0)
				close(p->io_fd);
			p->alive = false;
			continue;
		}
		waits = state[2] == 'D';
		read = has_read(p);
		if (feed->measures)
			measure(&feed->pace, p, waits, read);
		if (state[2] == 'S' && in_fuse(p->pid))
			waits = feed->pace.fuse = true;
		waits |= read;
		p->waits = p->waits << 1 | waits;
		p->running = state[2] == 'R';
		any |= waits;
		if (feed->samples % 4 == 1)
			add_children(feed, p->pid);
	}
	return any;
}

bool feed_waits(const struct feed_process *p)
{
	return p->alive && p->waits & 1 && __builtin_popcount(p->waits & 0xff) >= 2;
}

bool feed_works(const struct feed_process *p)
{
	return p->alive && (p->running || p->waits & 1) && __builtin_popcount(p->waits) >= 2;
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

struct feed_call feed_call(const struct feed_process *p)
{
	struct feed_call call = {.nr = -1};
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", p->pid);
	if (!read_file(path, text, sizeof(text)) ||
	    sscanf(text, "%ld %llx %llx %llx %llx %llx %llx", &call.nr, &call.arg[0], &call.arg[1],
		   &call.arg[2], &call.arg[3], &call.arg[4], &call.arg[5]) != 7)
		call.nr = -1;
	return call;
}

void feed_call_path(const struct feed_process *p, const struct feed_call *call, int dir, int i, char *path,
		    unsigned int size)
{
	char name[FEED_PATH], proc[64];
	ssize_t n;
	int fd, at = dir < 0 ? AT_FDCWD : (int)call->arg[dir];

	*path = 0;
	snprintf(proc, sizeof(proc), "/proc/%d/mem", p->pid);
	fd = open(proc, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, name, sizeof(name) - 1, (off_t)call->arg[i]);
	if (n <= 0 && fd >= 0) /* it may lie at the end of what is mapped */
		n = pread(fd, name, 4096 - call->arg[i] % 4096, (off_t)call->arg[i]);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	name[n] = 0;
	if (name[0] == '/') {
		snprintf(path, size, "%s", name);
		return;
	}
	if (at == AT_FDCWD)
		snprintf(proc, sizeof(proc), "/proc/%d/cwd", p->pid);
	else
		snprintf(proc, sizeof(proc), "/proc/%d/fd/%d", p->pid, at);
	n = readlink(proc, path, size - 1);
	if (n <= 0 || path[0] != '/') {
		*path = 0;
		return;
	}
	path[n] = 0;
	if (name[0])
		snprintf(path + n, size - (unsigned int)n, "%s%s", n > 1 ? "/" : "", name);
}

size_t parent_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash != path ? (size_t)(slash - path) : 1;
}

bool path_is_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (n && root[n - 1] == '/')
		n--;
	return !strncmp(path, root, n) && path[n] == '/' && path[n + 1];
}

/* One that holds another of them is on the way to where the process is. */
static void mark_ways(struct feed_seen *all, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		for (unsigned int j = 0; j < count && !all[i].way; j++)
			all[i].way = all[i].directory && all[j].directory &&
				     path_is_below(all[j].path, all[i].path);
}

void feed_files(struct feed_process *p, void (*seen)(void *to, const struct feed_seen *what), void *to)
{
	static struct feed_seen all[1 + FILES_MAX];
	struct feed_seen *s = all;
	struct feed_call call = feed_call(p);
	struct dirent *entry;
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	p->scans++;
	*s = (struct feed_seen){.pid = p->pid, .working = true};
	snprintf(s->link, sizeof(s->link), "/proc/%d/cwd", p->pid);
	if (!look(s++))
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd", p->pid);
	dir = opendir(path);
	while (dir && n++ < FILES_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		s->pid = p->pid;
		s->working = s->way = false;
		snprintf(s->link, sizeof(s->link), "/proc/%d/fd/%.20s", p->pid, entry->d_name);
		if (!look(s))
			continue;
		position(s, entry->d_name);
		s->listing = call.nr == SYS_getdents64 &&
			     call.arg[0] == (unsigned long long)atoi(entry->d_name);
		s++;
	}
	if (dir)
		closedir(dir);
	mark_ways(all + 1, (unsigned int)(s - all) - 1);
	for (struct feed_seen *one = all; one < s; one++)
		seen(to, one);
}

unsigned int feed_words(int pid, char *words, unsigned int size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	return (unsigned int)read_file(path, words, size);
}
