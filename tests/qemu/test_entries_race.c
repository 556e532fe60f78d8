// SPDX-License-Identifier: GPL-2.0
/*
 * stat_entries while other processes rename, unlink, make and mount what it looks at. The criterion: each
 * record is a state that its name was in at some moment of the run, never a mixture of two and never another
 * name's. Each name has few states, and each can be told by its struct stat. Separate calls are put to the
 * same test in between: what they could not have passed would be no criterion.
 *
 * And a later name is not seen at an earlier moment than the name before it (sizes_only_grow).
 */
#include "entries.h"

#include <signal.h>
#include <sys/mount.h>
#include <time.h>

#define NAMES 24
#define RACERS 3
#define SECONDS 8

/* What a name may be. Sizes, modes and links of each name are its own. */
enum state { ABSENT, A_FILE, A_DIRECTORY, A_LINK, A_MOUNT, STATES };

static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	return z ^ z >> 27;
}

static const char *name(unsigned int i)
{
	static char text[NAMES][8];

	snprintf(text[i], sizeof(text[i]), "n%u", i);
	return text[i];
}

static void clear_name(int fd, unsigned int i)
{
	char path[32];

	snprintf(path, sizeof(path), HERE "/%s", name(i));
	while (!umount2(path, MNT_DETACH))
		;
	if (unlinkat(fd, name(i), 0) && errno == EISDIR)
		unlinkat(fd, name(i), AT_REMOVEDIR);
}

/* Made aside and renamed, so that nobody sees it half made. */
static void become(int fd, unsigned int i, enum state state, unsigned int racer)
{
	static const char target[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char path[32], aside[16];
	int file;

	snprintf(path, sizeof(path), HERE "/%s", name(i));
	snprintf(aside, sizeof(aside), "aside%u", racer);
	switch (state) {
	case ABSENT:
		clear_name(fd, i);
		return;
	case A_FILE:
		file = openat(fd, aside, O_CREAT | O_WRONLY | O_TRUNC, 0600);
		CHECK(file >= 0);
		CHECK_EQ(ftruncate(file, 1000 + i), 0);
		CHECK_EQ(fchmod(file, 0600 | i), 0);
		close(file);
		break;
	case A_DIRECTORY:
		CHECK_EQ(mkdirat(fd, aside, 0700), 0);
		CHECK_EQ(fchmodat(fd, aside, 0700 | i, 0), 0);
		break;
	case A_LINK:
		CHECK_EQ(symlinkat(target + sizeof(target) - 2 - i, fd, aside), 0);
		break;
	case A_MOUNT: /* only on what is a directory now */
		mount("none", path, "tmpfs", 0, "mode=01711");
		return;
	default:
		return;
	}
	if (renameat(fd, aside, fd, name(i))) { /* a directory over a file, or the other way */
		clear_name(fd, i);
		if (renameat(fd, aside, fd, name(i)) && unlinkat(fd, aside, 0))
			unlinkat(fd, aside, AT_REMOVEDIR);
	}
}

static void race(int fd, unsigned int racer)
{
	uint64_t random = racer * 77;

	for (;;) {
		/* Names of its own: nobody takes a racer's own away under it. */
		unsigned int i = next(&random) % (NAMES / RACERS) * RACERS + racer;

		become(fd, i, next(&random) % STATES, racer);
	}
}

static enum state state_of(unsigned int i, int64_t result, const struct stat *st, dev_t device)
{
	if (result == -ENOENT)
		return ABSENT;
	if (result)
		return STATES;
	if (st->st_dev != device)
		return st->st_mode == (S_IFDIR | 01711) ? A_MOUNT : STATES;
	if (st->st_mode == (S_IFREG | 0600 | i) && st->st_size == 1000 + i)
		return A_FILE;
	if (st->st_mode == (S_IFDIR | 0700 | i))
		return A_DIRECTORY;
	return S_ISLNK(st->st_mode) && st->st_size == 1 + i ? A_LINK : STATES;
}

static void check(const char *who, unsigned int i, int64_t result, const struct stat *st, dev_t device,
		  unsigned int *seen)
{
	enum state state = state_of(i, result, st, device);

	if (state == STATES)
		FAIL("%s: %s gave %lld, mode %o, size %lld: no state of it", who, name(i), (long long)result,
		     st->st_mode, (long long)st->st_size);
	seen[state]++;
}

static void racing_processes_show_only_states_that_a_name_was_in(void)
{
	unsigned int seen[STATES] = { 0 }, plainly[STATES] = { 0 };
	struct machine m = machine_open();
	struct names n = { 0 };
	struct stat here, st;
	unsigned int rounds = 0;
	pid_t racers[RACERS];
	int fd, status;

	fd = fresh_directory(0);
	CHECK_EQ(fstat(fd, &here), 0);
	for (unsigned int i = 0; i < NAMES; i++)
		names_add(&n, name(i));
	for (unsigned int i = 0; i < RACERS; i++) {
		racers[i] = fork();
		if (!racers[i])
			race(fd, i);
	}
	for (time_t end = time(NULL) + SECONDS; time(NULL) < end; rounds++) {
		struct record *records = entries_run(&m, fd, AT_SYMLINK_NOFOLLOW, &n);

		for (unsigned int i = 0; i < NAMES; i++)
			check("stat_entries", i, records[i].result, &records[i].stat, here.st_dev, seen);
		munmap(records, STRIDE * (n.count + 1));
		for (unsigned int i = 0; i < NAMES && rounds % 8 == 0; i++) {
			int64_t result =
				syscall(SYS_newfstatat, fd, name(i), &st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;

			check("newfstatat", i, result, &st, here.st_dev, plainly);
		}
	}
	for (unsigned int i = 0; i < RACERS; i++) {
		kill(racers[i], SIGKILL);
		CHECK_EQ(waitpid(racers[i], &status, 0), racers[i]);
		CHECK_EQ(status, SIGKILL); /* not one that gave up */
	}
	for (int state = 0; state < STATES; state++)
		CHECK(seen[state] && plainly[state]);
	CHECK(rounds > 20);
	CHECK(short_calls() > NAMES * rounds / 8);
}

/* The file gets this size, or another file of this size gets its name. */
static void set_size(int directory, const char *name, long size, bool by_rename)
{
	int file = openat(directory, by_rename ? "new" : name, O_CREAT | O_WRONLY, 0644);

	CHECK_EQ(ftruncate(file, size), 0);
	close(file);
	if (by_rename)
		CHECK_EQ(renameat(directory, "new", directory, name), 0);
}

/*
 * Another process gives all files the size 1, then 2, and so on, each time from the last name to the first:
 * who asks from the first to the last never sees a size below the one before, whatever is looked up ahead.
 * Every second name is one that is not.
 */
static void sizes_only_grow(bool by_rename)
{
	const unsigned int files = 300;
	int fd = fresh_directory(files), status;
	struct machine m = machine_open();
	struct names n = { 0 };
	unsigned int grown = 0;
	pid_t pid;

	for (unsigned int i = 0; i < files; i++) {
		char path[16];

		snprintf(path, sizeof(path), "./f%u", i);
		set_size(fd, path, 0, false);
		names_add(&n, path + 2 * (i % 2));
	}
	pid = fork();
	if (!pid)
		for (long size = 1;; size++)
			for (unsigned int i = files; i--;) {
				char name[16];

				snprintf(name, sizeof(name), "f%u", i);
				set_size(fd, name, size, by_rename);
			}
	for (int i = 0; i < 3000 && grown < 300; i++) {
		struct record *records = entries_run(&m, fd, AT_SYMLINK_NOFOLLOW, &n);

		for (size_t j = 1; j < n.count; j++) {
			CHECK_EQ(records[j].result, 0);
			if (records[j].stat.st_size < records[j - 1].stat.st_size)
				FAIL("%s has size %lld, after %s with %lld", name_of(&records[j]),
				     (long long)records[j].stat.st_size, name_of(&records[j - 1]),
				     (long long)records[j - 1].stat.st_size);
			grown += records[j].stat.st_size > records[j - 1].stat.st_size;
		}
		munmap(records, STRIDE * (n.count + 1));
	}
	kill(pid, SIGKILL);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(grown); /* or nobody was in between, and this says nothing */
	CHECK(short_calls() > 100);
}

static void no_name_is_older_than_the_one_before_it(void)
{
	sizes_only_grow(false);
}

static void no_dentry_that_was_found_ahead_is_used_when_it_has_gone(void)
{
	sizes_only_grow(true);
}

static const struct test tests[] = {
	TEST(no_name_is_older_than_the_one_before_it),
	TEST(no_dentry_that_was_found_ahead_is_used_when_it_has_gone),
	TEST(racing_processes_show_only_states_that_a_name_was_in),
};

TEST_MAIN(tests)
