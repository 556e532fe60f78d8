// SPDX-License-Identifier: MIT
/*
 * The same tree and the same walk as in walk.c, by plain system calls on the kernel that runs: what the
 * figures from inside a kernel are put beside.
 *
 *   host grow TOP DIRECTORIES       makes the tree
 *   host scatter TOP DIRECTORIES    asks for each file once, in an order without locality
 *   host walk TOP PASSES NAME       walks it; lines as boot.c prints them
 *   host prices                     what a crossing and a page that is touched first cost, in ns
 *   host hypervisor                 what CPUID says that this machine runs under ("TCGTCGTCGTCG": emulated),
 * if anything
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tree.h"

enum { BUFFER = 65536, LEVELS = 24, CLASSES = 7 };
enum part { OPENAT, FSTAT, FCNTL, GETDENTS, GETDENTS_END, NAMES, CLOSE, PARTS };
enum way { SEPARATE, LIST, WAYS };

static const char *const part_names[PARTS] = {
	"openat", "fstat", "fcntl", "getdents", "getdents_end", "names", "close",
};
static const char *const way_names[WAYS] = {"separate", "list"};

struct entry {
	uint64_t ino, off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static struct {
	uint64_t cycles[PARTS], times[PARTS], class_cycles[CLASSES], class_names[CLASSES], directories, names;
} sums;
static char buffers[LEVELS][BUFFER], paths[1 << 20], records[4096];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t add(enum part part, uint64_t since)
{
	uint64_t took = __rdtsc() - since;

	if (tree_is_ours(took, 1)) {
		sums.cycles[part] += took;
		sums.times[part]++;
	}
	return __rdtsc();
}

static bool is_dot(const struct entry *e)
{
	return e->name[0] == '.' && (!e->name[1] || (e->name[1] == '.' && !e->name[2]));
}

/* A system call as an instruction: what the C library does besides is the same for everyone. */
static long call(long nr, long a, const void *b, void *c, long d, void *e)
{
	register long r10 __asm__("r10") = d;
	register void *r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

/* As ls -l does. */
static void by_path(const char *path)
{
	call(SYS_statx, AT_FDCWD, path, (void *)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT),
	     STATX_BASIC_STATS & ~STATX_BLOCKS, records);
	call(SYS_lgetxattr, (long)path, "security.selinux", records + 256, 255, 0);
	call(SYS_getxattr, (long)path, "system.posix_acl_access", 0, 0, 0);
}

static uint64_t names_of(int fd, const char *buffer, long bytes, const char *path, enum way way)
{
	char *to = paths;
	uint64_t start;

	if (way == SEPARATE) {
		start = __rdtsc();
		for (long at = 0; at < bytes; at += ((struct entry *)(buffer + at))->reclen) {
			const struct entry *e = (const struct entry *)(buffer + at);

			if (!is_dot(e))
				call(SYS_newfstatat, fd, e->name, records, AT_SYMLINK_NOFOLLOW, 0);
		}
		return __rdtsc() - start;
	}
	for (long at = 0; at < bytes; at += ((struct entry *)(buffer + at))->reclen) {
		const struct entry *e = (const struct entry *)(buffer + at);

		if (!is_dot(e))
			to += sprintf(to, "%s/%s", path, e->name) + 1;
	}
	*to = 0;
	start = __rdtsc();
	for (to = paths; *to; to += strlen(to) + 1)
		by_path(to);
	return __rdtsc() - start;
}

static void walk(int parent, const char *name, char *path, enum way way, int depth)
{
	char *buffer = buffers[depth], *end = path + strlen(path);
	unsigned int names = 0, class = 0;
	uint64_t at = __rdtsc(), took;
	long bytes;
	int fd;

	fd = call(SYS_openat, parent, name,
		  (void *)(O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_DIRECTORY), 0, 0);
	if (fd < 0)
		fail(path);
	at = add(OPENAT, at);
	call(SYS_fstat, fd, records, 0, 0, 0);
	at = add(FSTAT, at);
	call(SYS_fcntl, fd, (void *)F_GETFL, 0, 0, 0);
	at = add(FCNTL, at);
	bytes = call(SYS_getdents64, fd, buffer, (void *)(BUFFER / 2), 0, 0);
	at = add(GETDENTS, at);
	call(SYS_getdents64, fd, buffer + bytes, (void *)(BUFFER / 2), 0, 0);
	add(GETDENTS_END, at);
	for (long i = 0; i < bytes; i += ((struct entry *)(buffer + i))->reclen)
		names += !is_dot((struct entry *)(buffer + i));
	took = names_of(fd, buffer, bytes, path, way);
	for (unsigned int n = names; n > 1 && class < CLASSES - 1; n /= 2)
		class ++;
	if (names && tree_is_ours(took, names)) {
		sums.cycles[NAMES] += took;
		sums.times[NAMES] += names;
		sums.class_cycles[class] += took;
		sums.class_names[class] += names;
	}
	sums.names += names;
	sums.directories++;
	for (long i = 0; i < bytes; i += ((struct entry *)(buffer + i))->reclen) {
		const struct entry *e = (const struct entry *)(buffer + i);

		if (e->type != DT_DIR || is_dot(e))
			continue;
		*end = '/';
		strcpy(end + 1, e->name);
		walk(fd, e->name, path, way, depth + 1);
		*end = 0;
	}
	at = __rdtsc();
	call(SYS_close, fd, 0, 0, 0, 0);
	add(CLOSE, at);
}

static uint64_t ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void pass(const char *top, enum way way, const char *label, int number)
{
	char path[4096];
	uint64_t took, cycles;

	memset(&sums, 0, sizeof(sums));
	strcpy(path, top);
	took = ns();
	cycles = __rdtsc();
	walk(AT_FDCWD, top, path, way, 0);
	cycles = __rdtsc() - cycles;
	took = ns() - took;
	printf("WALK %s %s %d directories=%llu met=%llu unlike=0 ns=%llu", label, way_names[way], number,
	       (unsigned long long)sums.directories, (unsigned long long)sums.names,
	       (unsigned long long)took);
	for (int i = 0; i < PARTS; i++)
		printf(" %s=%.0f/%llu", part_names[i], (double)sums.cycles[i] * took / cycles,
		       (unsigned long long)sums.times[i]);
	for (int i = 0; i < CLASSES; i++)
		printf(" of%d=%.0f/%llu", 1 << i, (double)sums.class_cycles[i] * took / cycles,
		       (unsigned long long)sums.class_names[i]);
	printf("\n");
}

static void grow(const char *top, unsigned int directories)
{
	char path[TREE_PATH_MAX], *end;

	for (unsigned int i = 0; i < directories; i++) {
		end = tree_directory_path(path, top, i);
		if (mkdir(path, 0755))
			fail(path);
		*end++ = '/';
		for (unsigned int j = 0; j < tree_files_of(i); j++) {
			tree_file_name(end, i, j);
			int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
			if (fd < 0)
				fail(path);
			close(fd);
		}
	}
}

static void scatter(const char *top, unsigned int directories)
{
	unsigned int *owner, files = 0, at = 0;
	char path[TREE_PATH_MAX], *end;
	struct stat st;

	for (unsigned int i = 0; i < directories; i++)
		files += tree_files_of(i);
	owner = malloc(2 * files * sizeof(*owner));
	files = 0;
	for (unsigned int i = 0; i < directories; i++)
		for (unsigned int j = 0; j < tree_files_of(i); j++, files++) {
			owner[2 * files] = i;
			owner[2 * files + 1] = j;
		}
	for (unsigned int i = 0; i < files; i++) {
		at = tree_scattered(at, files);
		end = tree_directory_path(path, top, owner[2 * at]);
		*end++ = '/';
		tree_file_name(end, owner[2 * at], owner[2 * at + 1]);
		if (lstat(path, &st))
			fail(path);
	}
}

enum { ROUNDS = 100, TIMES = 1024 };

/* The fastest of short rounds, each less than a time slice: others only ever add. */
static double price(void (*round)(void *), void *what)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t start = ns(), took;

		round(what);
		took = ns() - start;
		if (took < least)
			least = took;
	}
	return (double)least / TIMES;
}

static void cross(void *what)
{
	(void)what;
	for (int i = 0; i < TIMES; i++)
		call(SYS_getppid, 0, 0, 0, 0, 0);
}

static void touch(void *what)
{
	char *pages = mmap(NULL, TIMES * 4096L, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)what;
	for (long i = 0; i < TIMES; i++)
		pages[4096 * i] = 1;
	munmap(pages, TIMES * 4096L);
}

static void print_prices(void)
{
	printf("crossing %.1f\n", price(cross, NULL));
	printf("fault %.1f\n", price(touch, NULL));
}

static void print_hypervisor(void)
{
	unsigned int a, name[4] = {0};

	if (__get_cpuid(1, &a, &name[0], &name[1], &name[2]) && name[1] >> 31) {
		__cpuid(0x40000000, a, name[0], name[1], name[2]);
		name[3] = 0;
		printf("%s\n", (char *)name);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "grow")) {
		grow(argv[2], atoi(argv[3]));
	} else if (argc == 4 && !strcmp(argv[1], "scatter")) {
		scatter(argv[2], atoi(argv[3]));
	} else if (argc == 5 && !strcmp(argv[1], "walk")) {
		pass(argv[2], SEPARATE, argv[4], 0); /* once before */
		for (int i = 0; i < atoi(argv[3]); i++)
			for (int way = 0; way < WAYS; way++)
				pass(argv[2], way, argv[4], i);
	} else if (argc == 2 && !strcmp(argv[1], "prices")) {
		print_prices();
	} else if (argc == 2 && !strcmp(argv[1], "hypervisor")) {
		print_hypervisor();
	} else {
		fprintf(stderr, "usage: host grow|scatter TOP DIRECTORIES | walk TOP PASSES \"FS STATE\" | "
				"prices | hypervisor\n");
		return 2;
	}
	return 0;
}
