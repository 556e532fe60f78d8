/* SPDX-License-Identifier: MIT */
/*
 * Directories, ahead of the command: which to read next, how many calls in flight, how far ahead.
 *
 * Only the main thread uses this, and makes no call here that could wait for storage. Programs of code.h do,
 * on threads of libsysvm-async.
 */
#ifndef SYSVM_PREFETCH_WALK_H
#define SYSVM_PREFETCH_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "code.h"
#include "pace.h"
#include "shared.h"

#define WALK_DEPTH_MAX 64
#define WALK_READY 16 /* requests that wait for a thread, so that none sleeps while the next is made */
#define WALK_JOBS (WALK_DEPTH_MAX + WALK_READY)
#define WALK_SLOTS (WALK_JOBS + 64)
#define WALK_BUFFER (32u << 10)

struct walk_options {
	/* requests in flight, at first; unless it is depth_max, once storage is fast */
	unsigned int depth;
	unsigned int depth_max; /* and at most */
	uint64_t entries_ahead; /* of the place where the command was seen last, at most */
	uint64_t bytes_ahead;
	uint64_t directories_first; /* the same for a guess that has not proved right yet */
	uint64_t bytes_first;
	uint64_t unproved_first_ns; /* so long something may be in flight without a sign that it is of use */
	uint64_t unproved_ns;	    /* the same for a walk that has been of use */
	struct prefetch_stats *stats;
};

struct walk;

struct walk *walk_make(const struct walk_options *options, char *message, size_t size);

/* Readable when walk_reap has something to do. */
int walk_event_fd(const struct walk *walk);

/* Start what may be started, and handle what has ended. */
void walk_pump(struct walk *walk);
void walk_reap(struct walk *walk);
bool walk_busy(const struct walk *walk);
enum pace_storage walk_storage(const struct walk *walk); /* as its requests found it */
void walk_go_deep(struct walk *walk); /* many at a time, although nothing is known of storage */
/* Nothing is begun, and what waits is forgotten. When that ends: whether storage is slow, or may be. */
void walk_hold(struct walk *walk, bool held, bool slow, bool suspected);
bool walk_is_ahead(const struct walk *walk); /* of the place where the command was seen last */

/* How a directory is read ahead. */
enum walk_how {
	WALK_ALONE = 0, /* its entries only */
	WALK_BELOW = 1, /* and all directories below it */
};

/* When a read changes a directory's atime: by the options of its mount. */
enum walk_atime {
	WALK_ATIME_RELATIVE = 0,
	WALK_ATIME_NEVER = 1,
	WALK_ATIME_ALWAYS = 2,
};

/*
 * Next, a directory, given as a descriptor (O_PATH) that becomes the walk's. What lies after the dirent
 * `after` (may be NULL) goes before what lies before it: the command is there.
 */
void walk_push(struct walk *walk, int fd, enum walk_how how, enum walk_atime atime,
	       const char *after);

/*
 * Whether the directory has been read ahead; if so, the command has come this far. What it has passed has
 * proved useful, and that much more may be fetched.
 */
bool walk_reached(struct walk *walk, uint64_t dev, uint64_t ino);
/* Whether it has been read ahead, and what is below it has been or will be. */
bool walk_goes_below(struct walk *walk, uint64_t dev, uint64_t ino);
/* The same as walk_reached, seen by a file that the command reads for the first time that we know of. */
bool walk_reached_file(struct walk *walk, uint64_t dev, uint64_t ino, uint64_t size);

/* A directory: itself, and by the one above it and its name there (in_ino 0: not known). */
struct walk_directory {
	uint64_t dev, ino, in_dev, in_ino;
	const char *name;
};

/* Whether it waits to be read ahead soon, or is being read. */
enum walk_place {
	WALK_UNKNOWN,
	WALK_WAITS,
	WALK_IN_FLIGHT,
};
enum walk_place walk_find(const struct walk *walk, const struct walk_directory *d);
/* One that waits: it is to be pushed. */
void walk_take_out(struct walk *walk, const struct walk_directory *d);

/*
 * The command is where no guess has led: what may be fetched without having proved useful is halved. The
 * command being where the walk has not come yet counts as much only if it happens again and again.
 */
void walk_astray(struct walk *walk, bool on_the_way);

/* Read files' contents too, at most part bytes of each: what the command has not passed yet is done again. */
void walk_read_files(struct walk *walk, uint64_t part);

/* The command takes the directories in a directory in this order. What is in flight is done again in it. */
enum walk_order {
	WALK_BY_DIRENT = 0,
	WALK_BY_NAME,
	WALK_BY_INODE,
};
void walk_sort(struct walk *walk, enum walk_order order);

/* Paths one after the other: of what is to be done about each. */
enum walk_kind {
	WALK_NAME,    /* it is looked up */
	WALK_FILE,    /* a part of it is read ahead */
	WALK_DIRENTS, /* its dirents are read, and nothing is asked about them */
};

struct walk_item {
	enum walk_kind kind;
	const char *name;
	uint64_t from, length; /* FILE */
	bool checked;	       /* FILE: it is left alone if it has another size or mtime */
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_ns;
};

/* Below the directory fd, which stays the caller's. Returns how many, of the first ones, were copied. */
unsigned int walk_list(struct walk *walk, int fd, enum walk_atime atime, const struct walk_item *items,
		       unsigned int count);
bool walk_list_wanted(const struct walk *walk); /* there is room for more of a list */

/* Forget what is waiting to be done: the command does something else. */
void walk_drop(struct walk *walk);

/* Counts up each time that what was pushed is forgotten. */
uint32_t walk_generation(const struct walk *walk);

/* What lies ahead is counted from here. */
void walk_credit(struct walk *walk);
/* The same, and go on although it is not known how far the command is. */
void walk_go_on(struct walk *walk);

/* Files that somebody holds a lease of: opening one would break it. */
struct walk_file {
	uint64_t dev, ino;
};

/* Which files are not opened. all: none is. The memory stays the caller's. */
void walk_leases(struct walk *walk, const struct walk_file *files, size_t count, bool all);

/* Whether files' contents are wanted, so that leases matter. */
bool walk_reads_files(const struct walk *walk);

#endif
