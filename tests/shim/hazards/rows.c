// SPDX-License-Identifier: MIT
/*
 * A list of names in memory is asked about in order, as git asks about its index, after a run has asked
 * ahead. In between files are replaced, removed and grow, by this process and by another whose news comes by
 * a pipe or a signal; names are rewritten in memory, and the memory goes away; directories on the way become
 * links; the working directory is another one.
 */
#include "hazard.h"

#define DIRECTORIES 6
#define FILES 8
#define NAMES (DIRECTORIES * FILES)

struct item {
	uint64_t number, more;
	char name[];
};

static char *pool;
static size_t pool_size;
static struct item *item[NAMES];

static size_t size_of(const char *name)
{
	return (sizeof(struct item) + strlen(name) + 1 + 7) & ~7ul;
}

static void name_of(char *to, int i)
{
	/* Of several lengths, some two directories deep. */
	sprintf(to, i / FILES % 2 ? "dir-%d/below/file-%0*d" : "dir-%d/file-%0*d", i / FILES, 1 + i % 5,
		i % FILES);
}

/* All names, up to the last byte of the mapping; what follows it cannot be read. */
static void fill_pool(void)
{
	char name[64], *at;
	size_t size = 0;

	if (pool)
		MUST(munmap(pool, pool_size + 4096) == 0);
	for (int i = 0; i < NAMES; i++) {
		name_of(name, i);
		size += size_of(name);
	}
	pool_size = (size + 4095) & ~4095ul;
	pool = mmap(NULL, pool_size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MUST(pool != MAP_FAILED);
	at = pool + pool_size - size;
	for (int i = 0; i < NAMES; i++) {
		name_of(name, i);
		item[i] = (struct item *)at;
		strcpy(item[i]->name, name);
		at += size_of(name);
	}
	MUST(munmap(pool + pool_size, 4096) == 0);
	MUST(mmap(pool + pool_size, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	     MAP_FAILED);
}

static void told(const char *what, int result, const struct stat *st)
{
	if (result)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %o %ld\n", what, st->st_mode & S_IFMT,
		       S_ISREG(st->st_mode) ? (long)st->st_size : 0);
}

static void look(int from, int to)
{
	struct stat st;

	for (int i = from; i < to; i++)
		told(item[i]->name, lstat(item[i]->name, &st), &st);
}

/* As git does it: each directory on the way is no link? */
static void look_with_care(int from, int to)
{
	char before[64] = "", path[64];
	struct stat st;

	for (int i = from; i < to; i++) {
		strcpy(path, item[i]->name);
		for (char *p = path; (p = strchr(p, '/')); p++) {
			*p = 0;
			if (strncmp(path, before, strlen(path)) || before[strlen(path)] != '/')
				told(path, lstat(path, &st), &st);
			*p = '/';
		}
		strcpy(before, item[i]->name);
		look(i, i + 1);
	}
}

static void make_tree(void)
{
	char name[64];

	for (int i = 0; i < NAMES; i++) {
		name_of(name, i);
		for (char *p = name; (p = strchr(p, '/')); p++) {
			*p = 0;
			mkdir(name, 0755);
			*p = '/';
		}
		make_file(name, "0123456789012345678901234", (size_t)(i % FILES) + 1);
	}
}

static void grow(int i, long n)
{
	char name[64];

	name_of(name, i);
	MUST(truncate(name, n) == 0);
}

static volatile sig_atomic_t signalled;
static void on_signal(int number)
{
	signalled = number;
}

int main(int argc, char **argv)
{
	char name[64], one;
	struct stat st;
	int to[2], from[2], status;
	pid_t pid;

	enter(argc, argv);
	make_tree();
	fill_pool();
	/* As it is meant. */
	look(0, NAMES);
	look_with_care(0, NAMES);
	look_with_care(0, NAMES);

	puts("removed and grown by this process");
	look(0, 4);
	for (int i = 4; i < NAMES; i++) {
		name_of(name, i);
		if (i % 3 == 0)
			MUST(unlink(name) == 0);
		else if (i % 3 == 1)
			grow(i, 1000 + i);
	}
	look(4, NAMES);
	make_tree();

	puts("news by a pipe");
	MUST(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	if (!pid) {
		for (int k = 0; k < 2; k++) {
			MUST(read(to[0], &one, 1) == 1);
			for (int i = 0; i < NAMES; i++)
				grow(i, 2000 + k);
			if (k == 0)
				MUST(write(from[1], "x", 1) == 1);
			else /* no more calls than this: the signal is the news */
				kill(getppid(), SIGUSR1);
		}
		_exit(0);
	}
	look(0, 5);
	MUST(write(to[1], "x", 1) == 1);
	MUST(read(from[0], &one, 1) == 1);
	look(5, NAMES);

	puts("news by a signal");
	signal(SIGUSR1, on_signal);
	look(0, 3);
	MUST(write(to[1], "x", 1) == 1);
	lstat(item[0]->name, &st);
	lstat(item[1]->name, &st); /* a run, before or behind what the child does */
	while (!signalled)
		;
	look(2, NAMES);
	waitpid(pid, &status, 0);

	puts("in a child");
	look(0, 3);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		grow(7, 3000);
		look(3, NAMES);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	look(3, NAMES);

	puts("names rewritten in memory");
	look(0, 4);
	strcpy(item[6]->name, "dir-0/x");
	item[8]->name[0] = 'D';
	look(4, NAMES);
	puts("and after they were asked about");
	fill_pool();
	look(0, 4);
	strcpy(item[3]->name, "dir-0/x");
	look(3, 5);
	look(3, NAMES);

	puts("names that are no names");
	fill_pool();
	item[9]->name[0] = 0;
	memset(item[20]->name, 'x', strlen(item[20]->name) + 1); /* runs into the next */
	item[30]->name[1] = '\n';
	strcpy(item[35]->name, "../x");
	strcpy(item[36]->name, "/x");
	strcpy(item[37]->name, "./x");
	strcpy(item[38]->name, "dir-4/");
	look(0, NAMES);

	puts("memory that goes away");
	fill_pool();
	look(0, 4);
	MUST(munmap(pool, pool_size) == 0);
	told("gone", lstat(item[4]->name, &st), &st);
	pool = NULL;
	fill_pool();
	look(0, 4);
	MUST(mprotect(pool, pool_size, PROT_NONE) == 0);
	told("not to be read", lstat(item[4]->name, &st), &st);
	MUST(mprotect(pool, pool_size, PROT_READ) == 0);
	look(4, NAMES);

	puts("a link on the way");
	fill_pool();
	MUST(mkdir("elsewhere", 0755) == 0);
	make_file("elsewhere/file-0", "other", 5);
	MUST(rename("dir-2", "old") == 0 && symlink("elsewhere", "dir-2") == 0);
	MUST(rename("dir-3/below", "old-below") == 0 && symlink("../elsewhere", "dir-3/below") == 0);
	MUST(rename("dir-4", "old-4") == 0);
	make_text("dir-5-file", "x");
	MUST(rename("dir-5", "old-5") == 0 && rename("dir-5-file", "dir-5") == 0);
	look(0, NAMES);
	look_with_care(0, NAMES);
	MUST(unlink("dir-2") == 0 && rename("old", "dir-2") == 0);
	look(0, NAMES);

	puts("another working directory");
	look(0, 4);
	MUST(mkdir("inner", 0755) == 0 && chdir("inner") == 0);
	MUST(mkdir("dir-0", 0755) == 0);
	make_file("dir-0/file-05", "inner", 5);
	look(4, NAMES);
	look(0, NAMES);
	MUST(rmdir("../elsewhere") != 0);
	say("the directory itself goes", chdir("dir-0") || rename("../dir-0", "../moved"));
	look(0, 12);
	return 0;
}
