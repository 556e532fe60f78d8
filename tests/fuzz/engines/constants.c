// SPDX-License-Identifier: MIT
/*
 * What programs refer to and cannot change: the names of the scratch tree and of what may come to be there,
 * and structures that calls read. One read-only mapping at a fixed address; instruction DATA counts from its
 * start.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "fuzz.h"

static struct {
	unsigned int first, size, n;
} kinds[C_KINDS];
static unsigned int used;

static unsigned char *at(unsigned int offset)
{
	return (unsigned char *)CONSTANTS + offset;
}

static void begin(enum constant kind, unsigned int size)
{
	used = (used + 7) / 8 * 8;
	kinds[kind].first = used;
	kinds[kind].size = size;
	kinds[kind].n = 0;
}

static void add(enum constant kind, const void *bytes, unsigned int size)
{
	if (size > kinds[kind].size || used + kinds[kind].size > CONSTANTS_SIZE)
		abort();
	memcpy(at(used), bytes, size);
	used += kinds[kind].size;
	kinds[kind].n++;
}

static void add_texts(enum constant kind, unsigned int size, const char *const *texts)
{
	begin(kind, size);
	for (; *texts; texts++)
		add(kind, *texts, strlen(*texts) + 1);
}

static void add_iovs(void)
{
	static const unsigned int sizes[] = {0, 1, 7, 64, 500, 2000};
	unsigned int i, j;

	begin(C_IOVS, 4 * sizeof(struct iovec));
	for (i = 0; i < 6; i++) {
		struct iovec iov[4];

		for (j = 0; j < 4; j++)
			iov[j] = (struct iovec){(char *)ARENA + (i * 1709 + j * 2503) % (ARENA_SIZE - 2048),
						sizes[(i + j) % 6]};
		if (i == 5)
			iov[2].iov_base = (char *)NOWHERE;
		add(C_IOVS, iov, sizeof(iov));
	}
}

static void add_messages(void)
{
	unsigned int i;

	begin(C_ADDRS, sizeof(struct sockaddr_un));
	for (i = 0; i < 3; i++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};

		snprintf(address.sun_path, sizeof(address.sun_path), i == 2 ? "%cabstract" : "sock%c",
			 i == 2 ? 0 : 'a' + i);
		if (i == 2)
			memcpy(address.sun_path + 1, "abstract-of-engine-fuzz", 23);
		add(C_ADDRS, &address, sizeof(address));
	}
	begin(C_MSGS, sizeof(struct msghdr));
	for (i = 0; i < 4; i++) {
		struct msghdr m = {0};

		m.msg_iov = (struct iovec *)at(kinds[C_IOVS].first + i * kinds[C_IOVS].size);
		m.msg_iovlen = i;
		add(C_MSGS, &m, sizeof(m));
	}
}

static void add_structures(void)
{
	static const uint64_t numbers[] = {0, 1, 2, 64, 300, 4096, 40000, (uint64_t)-1, 1u << 31};
	unsigned int i;

	begin(C_TIMES, 2 * sizeof(struct timespec));
	for (i = 0; i < 3; i++) {
		struct timespec t[2] = {{1000000 * (i + 1), i}, {900000000 + i, 999999999 - i}};

		if (i == 1)
			t[0].tv_nsec = UTIME_OMIT;
		if (i == 2)
			t[1].tv_nsec = UTIME_NOW;
		add(C_TIMES, t, sizeof(t));
	}
	begin(C_HOWS, sizeof(struct open_how));
	for (i = 0; i < 6; i++) {
		static const uint64_t flags[] = {O_RDONLY,    O_RDWR | O_CREAT, O_PATH,
						 O_DIRECTORY, O_WRONLY,		1ull << 40};
		struct open_how how = {flags[i], flags[i] & O_CREAT ? 0640 : 0,
				       i % 2	? RESOLVE_NO_SYMLINKS
				       : i == 4 ? RESOLVE_BENEATH
						: 0};

		add(C_HOWS, &how, sizeof(how));
	}
	begin(C_LOCKS, sizeof(struct flock));
	for (i = 0; i < 4; i++) {
		struct flock lock = {.l_type = i % 3, .l_whence = i == 3, .l_start = 10 * i, .l_len = 5 * i};

		add(C_LOCKS, &lock, sizeof(lock));
	}
	begin(C_LIMITS, sizeof(struct rlimit));
	for (i = 0; i < 4; i++) {
		struct rlimit limit = {i == 3 ? 90 : 12 + 4 * i, 65536};

		add(C_LIMITS, &limit, sizeof(limit));
	}
	begin(C_EVENTS, 16);
	for (i = 0; i < 4; i++) {
		struct epoll_event event = {i % 2 ? EPOLLIN : EPOLLIN | EPOLLOUT | (i == 2 ? EPOLLET : 0),
					    {.u64 = 77 + i}};

		add(C_EVENTS, &event, sizeof(event));
	}
	begin(C_NUMBERS, 8);
	for (i = 0; i < sizeof(numbers) / 8; i++)
		add(C_NUMBERS, &numbers[i], 8);
	begin(C_CLONES, sizeof(struct file_clone_range));
	for (i = 0; i < 2; i++) {
		struct file_clone_range range = {2 * i, 0, 4096 * i, 0};

		add(C_CLONES, &range, sizeof(range));
	}
}

static void add_dirents(void)
{
	static const char *const names[][8] = {
		{"a", "b", "e", "h", ".", "..", "new", "a"},
		{"f", "d", "l", "loop", "nowhere", "g", "newdir", ".new"},
		{"e", "", "a/", "../f", "b", "e/x", "a", "h"},
	};
	unsigned int i, j;

	begin(C_DIRENTS, 8 * 32);
	for (i = 0; i < 3; i++) {
		unsigned char dirents[8 * 32] = {0};

		for (j = 0; j < 8; j++) {
			dirents[32 * j + 16] = i == 2 && j == 6 ? 20 : 32; /* that one is none */
			strcpy((char *)dirents + 32 * j + 19, names[i][j]);
		}
		add(C_DIRENTS, dirents, sizeof(dirents));
	}
}

void make_constants(void)
{
	static const char *const paths[] = {
		"f",	   "g",	     "h",	 "d",	  "d/a",   "d/b", "d/e",  "l/a", "l", "nowhere",
		"loop",	   "new",    "new2",	 "d/new", "d/e/x", "..",  ".",	  "/f",	 "",  "f/x",
		"/d/../g", "newdir", "newdir/y", "socka", "sockb", "s1",  "d/s2", NULL};
	static const char *const names[] = {
		"trusted.a", "trusted.b", "security.c", "user.d", "system.posix_acl_access",
		"nonsense",  NULL};
	static const char *const links[] = {"f", "../f", "d", "/d/a", "gone", "loop", NULL};

	if (mmap((void *)CONSTANTS, CONSTANTS_SIZE, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)CONSTANTS) {
		perror("engine_fuzz: mmap");
		exit(2);
	}
	add_texts(C_PATHS, 16, paths);
	add_texts(C_NAMES, 24, names);
	add_texts(C_LINKS, 8, links);
	add_iovs();
	add_messages();
	add_structures();
	add_dirents();
	mprotect((void *)CONSTANTS, CONSTANTS_SIZE, PROT_READ);
}

unsigned int constant(enum constant kind, uint64_t random)
{
	return kinds[kind].first + random % kinds[kind].n * kinds[kind].size;
}

void describe_constant(unsigned int offset, char *text, size_t size)
{
	static const char *const words[] = {
		"path",	    "name",  "link",   "iovec[4]",    "msghdr", "sockaddr_un",	   "timespec[2]",
		"open_how", "flock", "rlimit", "epoll_event", "number", "file_clone_range", "dirents"};
	int kind;

	for (kind = C_KINDS - 1; kind > 0 && offset < kinds[kind].first; kind--)
		;
	if (kind <= C_LINKS)
		snprintf(text, size, "\"%s\"", (char *)at(offset));
	else
		snprintf(text, size, "%s %u", words[kind], (offset - kinds[kind].first) / kinds[kind].size);
}
