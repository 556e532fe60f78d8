// SPDX-License-Identifier: MIT
/*
 * A program that reads one directory after the other, each below the one before or beside it, walks a tree:
 * the rest of the tree is next. So does one that has a directory on its command line and reads one below it.
 * Of a single directory, only that one is read ahead. A program that has two files of such a tree open for
 * reading, one after the other, in directories that it has been seen to read or below that word, reads files.
 * Words of the command line that are files, one of which is open: the words after it are next.
 *
 * Files alone are no evidence: git reads some of its own below the directory that it was given, and python
 * reads few of the many where it imports from. A wrong guess costs little, since what it may fetch grows only
 * with what the command was seen to use (walk_requests.c).
 */
#define _GNU_SOURCE
#include "guess.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mounts.h"
#include "order.h"
#include "words.h"

#define SEEN_MAX 128
#define ROOTS_MAX 32
#define CHAIN_MAX 64
#define PART_FIRST (128u << 10)
#define PART_MAX (8u << 20)

struct seen_directory {
	uint64_t dev, ino;
	char *path;
	bool read;
	int done; /* -1 nothing, else enum walk_how */
	uint32_t generation;
};

struct guess {
	struct walk *walk;
	struct order order;
	struct prefetch_stats *stats;
	struct seen_directory seen[SEEN_MAX];
	unsigned int next;
	char *word; /* the directory on the command line below which one was read */
	char *root[ROOTS_MAX]; /* of walks that have begun */
	unsigned int nroots;
	uint64_t file_ino[2]; /* the latest two that were open for reading in a walk */
	bool files;
	struct words words; /* of one process */
	bool news; /* the latest scan led to something */
};

struct guess *guess_make(struct walk *walk, struct prefetch_stats *stats)
{
	struct guess *g = calloc(1, sizeof(*g));

	if (g) {
		g->walk = walk;
		g->stats = stats;
		g->words.list_fd = -1;
	}
	return g;
}

static bool is_parent(const char *parent, const char *path)
{
	return strlen(parent) == parent_length(path) && !strncmp(parent, path, parent_length(path));
}

static struct seen_directory *remember(struct guess *g, const struct feed_seen *s)
{
	struct seen_directory *d;

	for (unsigned int i = 0; i < SEEN_MAX; i++) {
		d = &g->seen[i];
		if (d->path && d->dev == s->dev && d->ino == s->ino && !strcmp(d->path, s->path)) {
			d->read |= s->position > 0 || s->listing;
			return d;
		}
	}
	d = &g->seen[g->next++ % SEEN_MAX];
	free(d->path);
	*d = (struct seen_directory){s->dev, s->ino, strdup(s->path), s->position > 0 || s->listing, -1, 0};
	return d->path ? d : NULL;
}

/* --- walks ---------------------------------------------------------------------------------------------- */

static int above(int fd)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, fd, "..", &how, sizeof(how));
}

static bool look(int fd, struct walk_directory *d)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st))
		return false;
	d->dev = (uint64_t)makedev(st.stx_dev_major, st.stx_dev_minor);
	d->ino = st.stx_ino;
	return true;
}

static bool is_root(const struct guess *g, const char *path)
{
	for (unsigned int i = 0; i < g->nroots; i++)
		if (!strcmp(g->root[i], path))
			return true;
	return false;
}

static void note_root(struct guess *g, const char *root)
{
	if (is_root(g, root))
		return;
	if (g->nroots == ROOTS_MAX || !(g->root[g->nroots] = strdup(root)))
		return;
	g->nroots++;
	g->stats->walks++;
}

/* fd is the directory at path, below root: it comes first, then what lies after it on each level up to root.
   */
static void walk_below(struct guess *g, int fd, const char *path, const char *root, enum walk_atime atime)
{
	int fds[CHAIN_MAX];
	char *names[CHAIN_MAX]; /* of the level below */
	struct walk_directory d = {.name = NULL};
	int n = 0;
	char *at = strdup(path);

	fds[n] = fd;
	names[n++] = NULL;
	while (at && n < CHAIN_MAX && path_is_below(at, root)) {
		size_t up = parent_length(at);
		int next = above(fds[n - 1]);

		if (next < 0)
			break;
		names[n] = strdup(up == 1 ? at + 1 : at + up + 1);
		fds[n++] = next;
		at[up] = 0;
	}
	for (int i = n - 1; i >= 0; i--) {
		enum walk_place place = WALK_IN_FLIGHT; /* left alone: done, or unknown */

		if (look(fds[i], &d)) {
			walk_reached(g->walk, d.dev, d.ino);
			if (!walk_goes_below(g->walk, d.dev, d.ino))
				place = walk_find(g->walk, &d);
		}
		if (place == WALK_WAITS && !i)
			walk_take_out(g->walk, &d);
		if (place == WALK_UNKNOWN || (place == WALK_WAITS && !i))
			walk_push(g->walk, fds[i], WALK_BELOW, atime, names[i]);
		else
			close(fds[i]);
		d = (struct walk_directory){.in_dev = d.dev, .in_ino = d.ino, .name = names[i]};
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(at);
	note_root(g, root);
	walk_credit(g->walk); /* what lies ahead is counted from here */
}

/* The root of the tree that the command walks, as far as we have seen. */
static bool find_root(struct guess *g, const struct feed_seen *s, char *root, size_t size)
{
	const struct seen_directory *found = NULL;

	if (words_above(&g->words, s->path, root, size)) {
		if (!s->working && (!g->word || strcmp(g->word, root))) {
			free(g->word);
			g->word = strdup(root);
		}
		return true;
	}
	for (unsigned int i = 0; i < SEEN_MAX; i++) {
		const struct seen_directory *d = &g->seen[i];

		if (d->path && d->read && is_parent(d->path, s->path) && strcmp(d->path, "/"))
			found = d;
	}
	if (found) {
		snprintf(root, size, "%s", found->path);
		return true;
	}
	if (s->working)
		return false;
	for (unsigned int i = 0; i < SEEN_MAX; i++) {
		const struct seen_directory *d = &g->seen[i];
		size_t n = parent_length(s->path);

		if (d->path && d->read && strcmp(d->path, s->path) && parent_length(d->path) == n && n > 1 &&
		    !strncmp(d->path, s->path, n)) {
			snprintf(root, size, "%.*s", (int)n, s->path);
			return true;
		}
	}
	return false;
}

/* The number may stand for another directory by now, whose `..` would lead above the tree. */
static int open_seen(const struct feed_seen *s)
{
	int fd = open(s->link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char link[64], path[FEED_PATH];
	ssize_t n;

	if (fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	if (strcmp(path, s->path)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void seen_directory(struct guess *g, const struct feed_seen *s)
{
	struct seen_directory *d = remember(g, s);
	char root[FEED_PATH];
	enum walk_atime atime;
	enum walk_how how;
	int fd;

	if (!d)
		return;
	if (!s->working && d->read)
		order_see(&g->order, s, g->walk);
	if (walk_reached(g->walk, s->dev, s->ino) || (!s->working && !d->read))
		return;
	if (d->done >= 0 && d->generation != walk_generation(g->walk))
		d->done = -1;
	if (d->done == WALK_BELOW) /* it is on its way */
		return;
	how = find_root(g, s, root, sizeof(root)) ? WALK_BELOW : WALK_ALONE;
	if (how == WALK_ALONE && (s->working || d->done == WALK_ALONE))
		return;
	if (s->way) /* it comes with what lies below it */
		return;
	if (!mounts_allowed(s->pid, s->mount, &atime))
		return;
	fd = open_seen(s);
	if (fd < 0)
		return;
	d->done = how;
	d->generation = walk_generation(g->walk);
	if (how == WALK_ALONE) {
		walk_push(g->walk, fd, WALK_ALONE, atime, NULL);
	} else {
		bool on_the_way = walk_busy(g->walk) && is_root(g, root);

		if (g->nroots)
			walk_astray(g->walk, on_the_way);
		walk_below(g, fd, s->path, root, atime);
		if (on_the_way)
			return; /* sampling again soon would only take time from the walk */
	}
	g->news = true;
}

/* --- files ---------------------------------------------------------------------------------------------- */

static bool was_read(const struct guess *g, const struct feed_seen *directory)
{
	for (unsigned int i = 0; i < SEEN_MAX; i++)
		if (g->seen[i].path && g->seen[i].read && g->seen[i].dev == directory->dev &&
		    g->seen[i].ino == directory->ino)
			return true;
	return false;
}

/* The file's directory, as if it had been seen. The command went through it a moment ago: nothing waits
   here. */
static bool directory_of(const struct feed_seen *s, struct feed_seen *d)
{
	struct statx st;

	*d = *s;
	d->path[parent_length(d->path)] = 0;
	d->directory = true;
	memcpy(d->link, d->path, sizeof(d->link));
	if (statx(AT_FDCWD, d->path, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_MNT_ID, &st) ||
	    !S_ISDIR(st.stx_mode) || st.stx_mnt_id != s->mount)
		return false;
	d->dev = (uint64_t)makedev(st.stx_dev_major, st.stx_dev_minor);
	d->ino = st.stx_ino;
	return true;
}

static void seen_file(struct guess *g, const struct feed_seen *s)
{
	static struct feed_seen d;
	char root[FEED_PATH];
	bool walked, asked = false, fresh = s->ino != g->file_ino[0] && s->ino != g->file_ino[1];

	if (!s->reading)
		return;
	if (words_above(&g->words, s->path, root, sizeof(root)))
		asked = g->word && !strcmp(g->word, root);
	walked = asked;
	for (unsigned int i = 0; i < g->nroots; i++)
		walked |= path_is_below(s->path, g->root[i]);
	if (!walked || !directory_of(s, &d))
		return;
	d.position = asked || was_read(g, &d);
	d.working = !d.position;
	seen_directory(g, &d);
	if (!d.position)
		return;
	if (fresh) {
		g->file_ino[1] = g->file_ino[0];
		g->file_ino[0] = s->ino;
		if (g->files)
			walk_reached_file(g->walk, d.dev, d.ino, s->size);
	}
	if (!g->files && g->file_ino[1]) {
		g->files = true;
		walk_read_files(g->walk, PART_FIRST);
		seen_directory(g, &d); /* it was forgotten just now */
	}
	if (g->files && s->position > PART_FIRST)
		walk_read_files(g->walk, PART_MAX);
}

void guess_seen(void *to, const struct feed_seen *s)
{
	struct guess *g = to;

	if (s->working)
		words_take(&g->words, s->pid, s->path);
	if (s->directory)
		seen_directory(g, s);
	else if (!s->reading || !words_seen(&g->words, s))
		seen_file(g, s);
	else
		g->news = true;
}

void guess_seen_working(void *to, const struct feed_seen *s)
{
	struct guess *g = to;

	if (s->directory && !s->working && s->position > 0) {
		order_see(&g->order, s, g->walk);
		walk_reached(g->walk, s->dev, s->ino);
	}
}

bool guess_go_on(struct guess *g)
{
	bool news = g->news;

	g->news = false;
	words_go_on(&g->words, g->walk);
	walk_pump(g->walk);
	return news;
}
