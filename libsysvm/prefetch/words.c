// SPDX-License-Identifier: MIT
/* See words.h. Nothing here touches a file: words are compared with what the command was seen to have open.
   */
#define _GNU_SOURCE
#include "words.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIST_PART (1u << 20)
#define LIST_AHEAD 512 /* words */
#define LIST_BATCH 32

void words_take(struct words *w, int pid, const char *cwd)
{
	if (w->pid == pid && w->len && !strcmp(w->cwd, cwd) && w->age++ % 4096)
		return;
	w->len = feed_words(pid, w->text, sizeof(w->text));
	w->pid = pid;
	snprintf(w->cwd, sizeof(w->cwd), "%s", cwd);
	w->list_at = w->list_next = w->list_seen = 0;
	if (w->list_fd >= 0)
		close(w->list_fd);
	w->list_fd = -1;
}

/* A word as an absolute path: if it is relative, below base. */
static bool word_path(const char *base, const char *word, char *path, size_t size)
{
	size_t n;

	while (!strncmp(word, "./", 2))
		word += 2;
	if (!*word || *word == '-')
		return false;
	if (!strcmp(word, "."))
		word = "";
	n = (size_t)(*word == '/' ? snprintf(path, size, "%s", word)
				  : snprintf(path, size, "%s/%s", base, word));
	if (n >= size)
		return false;
	while (n > 1 && path[n - 1] == '/')
		path[--n] = 0;
	return true;
}

/* The lowest word above path, words taken from base; "" if there is none. False: path is a word. */
static bool lowest_above(const struct words *w, const char *base, const char *path, char *root, size_t size)
{
	const char *word = w->text, *end = w->text + w->len;
	char one[FEED_PATH];
	size_t most = 0;

	*root = 0;
	for (word += strlen(word) + 1; word < end; word += strlen(word) + 1) {
		if (!word_path(base, word, one, sizeof(one)) || !strcmp(one, "/"))
			continue;
		if (!strcmp(path, one))
			return false;
		if (path_is_below(path, one) && strlen(one) > most && strlen(one) < size) {
			most = strlen(one);
			memcpy(root, one, most + 1);
		}
	}
	return true;
}

bool words_above(const struct words *w, const char *path, char *root, size_t size)
{
	char base[FEED_PATH], lower[FEED_PATH];

	if (!lowest_above(w, w->cwd, path, base, sizeof(base)) || !*base)
		return false;
	/* `tar -C a b` reads a/b, and never has a as its working directory. */
	if (!lowest_above(w, base, path, lower, sizeof(lower)))
		return false;
	snprintf(root, size, "%s", strlen(lower) > strlen(base) ? lower : base);
	return true;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

bool words_seen(struct words *w, const struct feed_seen *s)
{
	const char *word = w->text, *end = w->text + w->len, *name = strrchr(s->path, '/') + 1;
	char path[FEED_PATH], cwd[64];
	unsigned int number = 1;

	for (word += strlen(word) + 1; word < end; word += strlen(word) + 1, number++) {
		unsigned int next = (unsigned int)(word - w->text + strlen(word) + 1);

		if (!ends_with(word, name) || !word_path(w->cwd, word, path, sizeof(path)) ||
		    strcmp(path, s->path))
			continue;
		w->list_seen = number;
		if (next < w->len && (!w->list_at || number >= w->list_next)) {
			w->list_at = next;
			w->list_next = number + 1;
		}
		if (w->list_fd < 0 && w->list_at) {
			snprintf(cwd, sizeof(cwd), "/proc/%d/cwd", s->pid);
			w->list_fd = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
		}
		return true;
	}
	return false;
}

/*
 * The next words, as a list for the walk. An absolute one is looked up from "/", and must be on that mount.
 */
static bool go_on(struct words *w, struct walk *walk)
{
	struct walk_item items[LIST_BATCH];
	unsigned int at[LIST_BATCH + 1], next[LIST_BATCH + 1], n = 0, taken;

	at[0] = w->list_at;
	next[0] = w->list_next;
	while (at[n] < w->len && n < LIST_BATCH && next[n] < w->list_seen + LIST_AHEAD) {
		const char *word = w->text + at[n];
		unsigned int after = at[n] + (unsigned int)strlen(word) + 1, number = next[n] + 1;

		if (*word && *word != '-')
			items[n++] = (struct walk_item){.kind = WALK_FILE, .name = word, .length = LIST_PART};
		at[n] = after;
		next[n] = number;
	}
	taken = n ? walk_list(walk, w->list_fd, WALK_ATIME_RELATIVE, items, n) : 0;
	w->list_at = at[taken == n ? n : taken];
	w->list_next = next[taken == n ? n : taken];
	return taken;
}

void words_go_on(struct words *w, struct walk *walk)
{
	while (w->list_fd >= 0 && w->list_at && walk_list_wanted(walk) && go_on(w, walk))
		;
}
