/* SPDX-License-Identifier: MIT */
/*
 * The words of a command line that name files and directories: `wc a b c` opens a, then b, then c.
 * Tested by tests/prefetch.
 */
#ifndef SYSVM_PREFETCH_WORDS_H
#define SYSVM_PREFETCH_WORDS_H

#include "feed.h"
#include "walk.h"

#define WORDS_MAX (256u << 10)

struct words {
	int pid;
	char text[WORDS_MAX];
	unsigned int len, age;
	char cwd[FEED_PATH];
	/* A list of words that are files. */
	unsigned int list_at;	/* offset of the next word, 0: no list */
	unsigned int list_next; /* its number */
	unsigned int list_seen; /* the number of the word that the command has open */
	int list_fd;		/* its working directory, -1: no list */
};

/* Of that process, whose working directory is cwd; read anew now and then. */
void words_take(struct words *w, int pid, const char *cwd);

/*
 * The word that names a directory above path, as an absolute path; of several the lowest. None for a path
 * that is itself a word: it is not known yet whether the command goes below it.
 */
bool words_above(const struct words *w, const char *path, char *root, size_t size);

/* One of the words is this file: those after it are next. */
bool words_seen(struct words *w, const struct feed_seen *what);

/* Gives the walk the words that are next. */
void words_go_on(struct words *w, struct walk *walk);

#endif
