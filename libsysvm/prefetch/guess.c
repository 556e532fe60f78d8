// SPDX-License-Identifier: MIT
/*
 * A program that reads one directory after the other, each below the one before or beside it, walks a tree: the rest of the tree is
 * next. One that has a directory on its command line and is below it does so too. One directory alone is read ahead alone. A program
 * that has two files of such a tree open for reading, one after the other, reads files. Words of the command line that are files, one of which
 * is open: the words after it are next.
 *
 * A wrong guess costs work that stops as soon as it gets too far from where the command is seen (walk.c).
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

#define SEEN_MAX 128
#define ROOTS_MAX 32
#define CHAIN_MAX 64
#define WORDS_MAX (256u << 10)
#define PART_FIRST (128u << 10)
#define PART_MAX (8u << 20)
#define LIST_PART (1u << 20)
#define LIST_AHEAD 512 /* words */
#define LIST_BATCH 32

struct seen_directory {
	uint64_t dev, ino;
	char *path;
	bool read;
	int done; /* -1 nothing, else enum walk_how */
	uint32_t generation;
};

/* The order in which the command comes to the directories of one directory. */
struct order {
	char *parent, *name; /* the latest */
};
#define ORDERS 32
#define BY_NAME_AFTER 4 /* of five names in any order, one in 120 is sorted */

struct guess {
	struct walk *walk;
	struct order order[ORDERS];
	unsigned int next_order, ascending;
	bool by_name, in_no_order;
	struct prefetch_stats *stats;
	struct seen_directory seen[SEEN_MAX];
	unsigned int next;
	char *root[ROOTS_MAX]; /* of walks that have begun */
	unsigned int nroots;
	uint64_t file_ino[2]; /* the latest two that were open for reading in a walk */
	bool files;
	/* The command line of one process. */
	int words_pid;
	char words[WORDS_MAX];
	unsigned int words_len, words_age;
	char cwd[FEED_PATH];
	/* A list of words that are files. */
	bool news; /* the latest look led to something */
	unsigned int list_at;	/* offset of the next word, 0: no list */
	unsigned int list_next; /* its number */
	unsigned int list_seen; /* the number of the word that the command has open */
	int list_fd;		/* its working directory */
};

struct guess *guess_make(struct walk *walk, struct prefetch_stats *stats)
{
	struct guess *g = calloc(1, sizeof(*g));

	if (g) {
		g->walk = walk;
		g->stats = stats;
		g->list_fd = -1;
	}
	return g;
}

static bool is_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (n && root[n - 1] == '/')
		n--;
	return !strncmp(path, root, n) && path[n] == '/' && path[n + 1];
}

static size_t parent_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash != path ? (size_t)(slash - path) : 1;
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
			d->read |= s->position > 0;
			return d;
		}
	}
	d = &g->seen[g->next++ % SEEN_MAX];
	free(d->path);
	*d = (struct seen_directory){s->dev, s->ino, strdup(s->path), s->position > 0, -1, 0};
	return d->path ? d : NULL;
}

/* --- the command line ---------------------------------------------------------------------------------------- */

static void take_words(struct guess *g, int pid, const char *cwd)
{
	if (g->words_pid == pid && g->words_len && g->words_age++ % 4096)
		return;
	g->words_len = feed_words(pid, g->words, sizeof(g->words));
	g->words_pid = pid;
	snprintf(g->cwd, sizeof(g->cwd), "%s", cwd);
	g->list_at = g->list_next = g->list_seen = 0;
	if (g->list_fd >= 0)
		close(g->list_fd);
	g->list_fd = -1;
}

/* A word as an absolute path, without looking at anything. */
static bool word_path(const struct guess *g, const char *word, char *path, size_t size)
{
	size_t n;

	while (!strncmp(word, "./", 2))
		word += 2;
	if (!*word || *word == '-')
		return false;
	if (!strcmp(word, "."))
		word = "";
	n = (size_t)(*word == '/' ? snprintf(path, size, "%s", word) : snprintf(path, size, "%s/%s", g->cwd, word));
	if (n >= size)
		return false;
	while (n > 1 && path[n - 1] == '/')
		path[--n] = 0;
	return true;
}

/* The word that names a directory above path. */
static bool word_above(const struct guess *g, const char *path, char *root, size_t size)
{
	const char *word = g->words, *end = g->words + g->words_len;

	for (word += strlen(word) + 1; word < end; word += strlen(word) + 1)
		if (word_path(g, word, root, size) && strcmp(root, "/") && is_below(path, root))
			return true;
	return false;
}

/* --- walks --------------------------------------------------------------------------------------------------- */

static int above(int fd)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, fd, "..", &how, sizeof(how));
}

/* 1: it has been read ahead, 0: not, -1: cannot be told. */
static int is_reached(struct guess *g, int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st))
		return -1;
	return walk_reached(g->walk, (uint64_t)makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino);
}

static void note_root(struct guess *g, const char *root)
{
	for (unsigned int i = 0; i < g->nroots; i++)
		if (!strcmp(g->root[i], root))
			return;
	if (g->nroots == ROOTS_MAX || !(g->root[g->nroots] = strdup(root)))
		return;
	g->nroots++;
	g->stats->walks++;
}

/* fd is the directory at path, below root: it comes first, then what lies after it on each level up to root. */
static void walk_below(struct guess *g, int fd, const char *path, const char *root, enum walk_atime atime)
{
	int fds[CHAIN_MAX];
	char *names[CHAIN_MAX];
	int n = 0;
	char *at = strdup(path);

	fds[n] = fd;
	names[n++] = NULL;
	while (at && n < CHAIN_MAX && is_below(at, root)) {
		size_t up = parent_length(at);
		int next = above(fds[n - 1]);

		if (next < 0)
			break;
		names[n] = strdup(up == 1 ? at + 1 : at + up + 1);
		fds[n++] = next;
		at[up] = 0;
	}
	for (int i = n - 1; i >= 0; i--) {
		if (i && is_reached(g, fds[i]))
			close(fds[i]);
		else
			walk_push(g->walk, fds[i], WALK_BELOW, atime, names[i]);
		free(names[i]);
	}
	free(at);
	note_root(g, root);
	walk_credit(g->walk); /* what lies ahead is counted from here */
}

/* The root of the tree that the command walks, as far as what was seen tells. */
static bool find_root(struct guess *g, const struct feed_seen *s, char *root, size_t size)
{
	const struct seen_directory *found = NULL;

	if (word_above(g, s->path, root, size))
		return true;
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

/* Sorted names go on for as long as no two of them are in the other order. */
static void seen_order(struct guess *g, const char *path)
{
	size_t n = parent_length(path);
	const char *name = path + n + (n > 1);
	struct order *o = NULL;

	for (unsigned int i = 0; i < ORDERS && !o; i++)
		if (g->order[i].parent && strlen(g->order[i].parent) == n && !strncmp(g->order[i].parent, path, n))
			o = &g->order[i];
	if (o) {
		int compared = o->name ? strcmp(o->name, name) : 0;

		if (!compared)
			return;
		if (compared > 0)
			g->in_no_order = true;
		else
			g->ascending++;
	} else {
		o = &g->order[g->next_order++ % ORDERS];
		free(o->parent);
		o->parent = strndup(path, n);
	}
	free(o->name);
	o->name = strdup(name);
	if (g->ascending >= BY_NAME_AFTER && !g->in_no_order && !g->by_name) {
		g->by_name = true;
		walk_by_name(g->walk);
	}
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
		seen_order(g, s->path);
	if (walk_reached(g->walk, s->dev, s->ino) || (!s->working && !d->read))
		return;
	if (d->done >= 0 && d->generation != walk_generation(g->walk))
		d->done = -1;
	if (d->done == WALK_BELOW) /* it is on its way */
		return;
	how = find_root(g, s, root, sizeof(root)) ? WALK_BELOW : WALK_ALONE;
	if (how == WALK_ALONE && (s->working || d->done == WALK_ALONE))
		return;
	if (!mounts_allowed(s->pid, s->mount, &atime))
		return;
	fd = open(s->link, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	d->done = how;
	d->generation = walk_generation(g->walk);
	g->news = true;
	if (how == WALK_BELOW)
		walk_below(g, fd, s->path, root, atime);
	else
		walk_push(g->walk, fd, WALK_ALONE, atime, NULL);
}

/* --- files --------------------------------------------------------------------------------------------------- */

/* The file's directory, as if it had been seen; asked_for: as if it had been read, since it is below a word of the command line. The command went through it a moment ago: nothing waits here. */
static void seen_directory_of(struct guess *g, const struct feed_seen *s, bool asked_for)
{
	static struct feed_seen d;
	struct statx st;

	d = *s;
	d.path[parent_length(d.path)] = 0;
	d.directory = true;
	d.working = !asked_for; /* it need not have been read */
	memcpy(d.link, d.path, sizeof(d.link));
	if (statx(AT_FDCWD, d.path, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_MNT_ID, &st) ||
	    !S_ISDIR(st.stx_mode) || st.stx_mnt_id != s->mount)
		return;
	d.dev = (uint64_t)makedev(st.stx_dev_major, st.stx_dev_minor);
	d.ino = st.stx_ino;
	d.position = asked_for;
	seen_directory(g, &d);
}

static void seen_file(struct guess *g, const struct feed_seen *s)
{
	char root[FEED_PATH];
	bool asked_for, inside = false;

	if (!s->reading)
		return;
	asked_for = word_above(g, s->path, root, sizeof(root));
	for (unsigned int i = 0; i < g->nroots; i++)
		inside |= is_below(s->path, g->root[i]);
	if (!inside && !asked_for)
		return;
	seen_directory_of(g, s, asked_for);
	if (s->ino != g->file_ino[0] && s->ino != g->file_ino[1]) {
		g->file_ino[1] = g->file_ino[0];
		g->file_ino[0] = s->ino;
	}
	if (!g->files && g->file_ino[1]) {
		g->files = true;
		walk_read_files(g->walk, PART_FIRST);
		seen_directory_of(g, s, asked_for); /* it was forgotten just now */
	}
	if (g->files && s->position > PART_FIRST)
		walk_read_files(g->walk, PART_MAX);
}

/* --- words that are files ------------------------------------------------------------------------------------ */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* One of the words is open: those after it are next. */
static bool seen_word(struct guess *g, const struct feed_seen *s)
{
	const char *word = g->words, *end = g->words + g->words_len, *name = strrchr(s->path, '/') + 1;
	char path[FEED_PATH], cwd[64];
	unsigned int number = 1;

	for (word += strlen(word) + 1; word < end; word += strlen(word) + 1, number++) {
		unsigned int next = (unsigned int)(word - g->words + strlen(word) + 1);

		if (!ends_with(word, name) || !word_path(g, word, path, sizeof(path)) || strcmp(path, s->path))
			continue;
		g->list_seen = number;
		if (next < g->words_len && (!g->list_at || number >= g->list_next)) {
			g->list_at = next;
			g->list_next = number + 1;
		}
		if (g->list_fd < 0 && g->list_at) {
			snprintf(cwd, sizeof(cwd), "/proc/%d/cwd", s->pid);
			g->list_fd = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
		}
		return true;
	}
	return false;
}

struct list_entry { /* struct linux_dirent64, with the range in place of numbers */
	uint64_t from, length;
	uint16_t size;
	uint8_t type;
	char name[];
} __attribute__((packed));

/* The next words, as a list for the walk. An absolute one is looked up from "/", in whose mount it must be. */
static void go_on_with_words(struct guess *g)
{
	static _Alignas(8) char entries[WALK_BUFFER];
	unsigned int count = 0;
	size_t len = 0;

	while (g->list_at && g->list_at < g->words_len && count < LIST_BATCH && g->list_next < g->list_seen + LIST_AHEAD) {
		const char *word = g->words + g->list_at;
		size_t n = strlen(word), size = (sizeof(struct list_entry) + n + 1 + 7) & ~(size_t)7;
		struct list_entry *e = (struct list_entry *)(entries + len);

		if (len + size > sizeof(entries))
			break;
		if (n && *word != '-') {
			*e = (struct list_entry){.length = LIST_PART, .size = (uint16_t)size, .type = 8};
			memcpy(e->name, word, n + 1);
			len += size;
			count++;
		}
		g->list_at += (unsigned int)n + 1;
		g->list_next++;
	}
	if (count)
		walk_list(g->walk, g->list_fd, entries, len, count);
}

void guess_seen(void *to, const struct feed_seen *s)
{
	struct guess *g = to;

	if (s->working)
		take_words(g, s->pid, s->path);
	if (s->directory)
		seen_directory(g, s);
	else if (!s->reading || !seen_word(g, s))
		seen_file(g, s);
	else
		g->news = true;
}

bool guess_go_on(struct guess *g)
{
	bool news = g->news;

	g->news = false;
	while (g->list_fd >= 0 && g->list_at && walk_list_wanted(g->walk)) {
		unsigned int at = g->list_at;

		go_on_with_words(g);
		if (g->list_at == at)
			break;
	}
	walk_pump(g->walk);
	return news;
}
