// SPDX-License-Identifier: MIT
/*
 * The entries of directories are asked for, by name and by path, after a loop has asked for them ahead. In
 * between files are replaced, removed and grow, by this process and by another whose news comes by a pipe or
 * a signal; the directory itself is moved, read again, closed and its number given to another.
 */
#include "hazard.h"
#include <dirent.h>
#include <sys/xattr.h>

#define FILES 12
static char name[64][300];
static int names;

static void read_names(DIR *d)
{
	struct dirent *e;

	names = 0;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			snprintf(name[names++], sizeof(name[0]), "%s", e->d_name);
}

static void told(const char *what, int result, const struct stat *st)
{
	if (result)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %o %ld\n", what, st->st_mode & S_IFMT,
		       S_ISDIR(st->st_mode) ? 0 : (long)st->st_size);
}

static void by_name(int dir, int from, int to)
{
	struct stat st;

	for (int i = from; i < to; i++)
		told(name[i], fstatat(dir, name[i], &st, AT_SYMLINK_NOFOLLOW), &st);
}

static void by_path(const char *dir, int from, int to)
{
	char path[400], link[300];
	struct stat st = {0}; /* what a failed call leaves in it is looked at below */

	for (int i = from; i < to; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, name[i]);
		told(path, lstat(path, &st), &st);
		say("label", lgetxattr(path, "user.label", link, sizeof(link)));
		if (S_ISLNK(st.st_mode))
			say("link", readlink(path, link, sizeof(link)));
	}
}

/* Names have one order in every fresh directory only if they are sorted. */
static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static DIR *list(const char *dir)
{
	DIR *d = opendir(dir);

	MUST(d != NULL);
	read_names(d);
	return d;
}

static void make_directory(const char *dir)
{
	char path[400];
	/* Reading it ahead must be allowed: atime newer than all. */
	struct timespec t[2] = { { time(NULL) + 10, 0 }, { time(NULL) - 100, 0 } };

	MUST(mkdir(dir, 0755) == 0);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "%s/file-%02d", dir, i);
		make_file(path, "0123456789012345678901234", (size_t)i + 1);
	}
	snprintf(path, sizeof(path), "%s/link", dir);
	MUST(symlink("file-00", path) == 0);
	MUST(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(utimensat(AT_FDCWD, dir, t, 0) == 0);
}

static void grow(const char *path, size_t n)
{
	MUST(truncate(path, (off_t)n) == 0);
}

static volatile sig_atomic_t signalled;
static void on_signal(int number)
{
	signalled = number;
}

int main(int argc, char **argv)
{
	char dir[32], path[19300], one;
	struct stat st;
	int to[2], from[2], status;
	DIR *d;
	pid_t pid;

	enter(argc, argv);
	for (int i = 0; i < 12; i++) {
		snprintf(dir, sizeof(dir), "d%d", i);
		make_directory(dir);
	}
	/* As it is meant: every entry, by name and by path. A fresh directory lists in one order. */
	for (int i = 0; i < 12; i++) {
		snprintf(dir, sizeof(dir), "d%d", i);
		d = list(dir);
		by_name(dirfd(d), 0, names);
		closedir(d);
		d = list(dir);
		by_path(dir, 0, names);
		closedir(d);
	}

	puts("removed, replaced and grown by this process");
	d = list("d0");
	by_name(dirfd(d), 0, 2);
	for (int i = 2; i < names; i++) {
		snprintf(path, sizeof(path), "d0/%s", name[i]);
		if (i % 3 == 0)
			MUST(unlink(path) == 0);
		else if (i % 3 == 1 && strcmp(name[i], "link"))
			grow(path, 1000 + (size_t)i);
	}
	by_name(dirfd(d), 2, names);
	closedir(d);

	puts("news by a pipe");
	MUST(pipe(to) == 0 && pipe(from) == 0);
	pid = fork();
	if (!pid) {
		for (int k = 0; k < 2; k++) {
			MUST(read(to[0], &one, 1) == 1);
			for (int i = 0; i < FILES; i++) {
				snprintf(path, sizeof(path), "d%d/file-%02d", 1 + k, i);
				grow(path, 2000);
			}
			if (k == 0) {
				MUST(write(from[1], "x", 1) == 1);
			} else { /* no more calls than this: the signal is the news */
				kill(getppid(), SIGUSR1);
			}
		}
		_exit(0);
	}
	d = list("d1");
	by_name(dirfd(d), 0, 3);
	MUST(write(to[1], "x", 1) == 1);
	MUST(read(from[0], &one, 1) == 1);
	by_name(dirfd(d), 3, names);
	closedir(d);

	puts("news by a signal");
	signal(SIGUSR1, on_signal);
	MUST(write(to[1], "x", 1) == 1);
	d = list("d2");
	/* The child may be early or late; sizes are asked for, and told, only after its signal. */
	fstatat(dirfd(d), name[0], &st, AT_SYMLINK_NOFOLLOW);
	while (!signalled)
		;
	by_name(dirfd(d), 1, names);
	closedir(d);
	waitpid(pid, &status, 0);

	puts("in a child");
	d = list("d3");
	by_name(dirfd(d), 0, 2);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		grow("d3/file-07", 3000);
		by_name(dirfd(d), 2, names);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	by_name(dirfd(d), 2, names);
	closedir(d);

	puts("another directory at the same path");
	d = list("d4");
	by_path("d4", 0, 2);
	MUST(rename("d4", "old") == 0);
	MUST(mkdir("d4", 0755) == 0);
	make_file("d4/file-05", "other", 5);
	by_path("d4", 2, names);
	by_name(dirfd(d), 2, names);
	closedir(d);

	puts("another directory with the same number");
	d = list("d5");
	by_name(dirfd(d), 0, 2);
	int fd = dirfd(d);
	grow("d6/file-03", 4000);
	closedir(d);
	int other = open("d6", O_RDONLY | O_DIRECTORY);
	say("same number", other == fd);
	by_name(other, 0, names);
	close(other);

	puts("another working directory");
	MUST(mkdir("in", 0755) == 0);
	MUST(mkdir("in/d7", 0755) == 0);
	make_file("in/d7/file-02", "inner", 5);
	d = list("d7");
	by_path("d7", 0, 2);
	MUST(chdir("in") == 0);
	by_path("d7", 0, names);
	MUST(chdir("..") == 0);
	by_path("d7", 2, names);
	closedir(d);

	puts("read again");
	d = list("d8");
	by_name(dirfd(d), 0, names);
	grow("d8/file-01", 5000);
	rewinddir(d);
	read_names(d);
	by_name(dirfd(d), 0, names);
	puts("sorted");
	qsort(name, (size_t)names, sizeof(name[0]), compare);
	by_name(dirfd(d), 0, names);
	by_path("d8", 0, names);
	closedir(d);

	puts("bad pointers");
	d = list("d9");
	by_name(dirfd(d), 0, 2);
	say("buffer", syscall(SYS_newfstatat, dirfd(d), name[2], (void *)16, AT_SYMLINK_NOFOLLOW));
	by_name(dirfd(d), 3, 5);
	say("name", syscall(SYS_newfstatat, dirfd(d), (void *)16, &st, AT_SYMLINK_NOFOLLOW));
	by_name(dirfd(d), 5, names);
	say("follows", fstatat(dirfd(d), "link", &st, 0));
	say("size", (long)st.st_size);
	say("short link", readlink("d9/link", path, 3));
	closedir(d);

	puts("atime of a link that is not read");
	for (int i = 0; i < 3; i++) {
		struct timespec t[2] = { { 1000, 0 }, { 2000, 0 } };

		snprintf(path, sizeof(path), "d1%d/link", i % 2);
		MUST(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW) == 0);
		snprintf(dir, sizeof(dir), "d1%d", i % 2);
		d = list(dir);
		for (int k = 0; k < names; k++) {
			snprintf(path, sizeof(path), "%s/%s", dir, name[k]);
			MUST(lstat(path, &st) == 0);
		}
		snprintf(path, sizeof(path), "%s/link", dir);
		MUST(lstat(path, &st) == 0);
		say("atime", st.st_atim.tv_sec);
		closedir(d);
	}
	return 0;
}
