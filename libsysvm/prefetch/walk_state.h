/* SPDX-License-Identifier: MIT */
/*
 * The state of a walk, for the files of walk.h: what waits (directories, ranges of dirents), what
 * is in flight, what was done. Private.
 */
#ifndef SYSVM_PREFETCH_WALK_STATE_H
#define SYSVM_PREFETCH_WALK_STATE_H

#include "walk.h"

struct stat;

#define PENDING_MAX (1u << 17) /* directories that wait */
#define RANGES_MAX 4096	      /* ranges of dirents that wait */
#define SOON 2048	      /* directories that wait at the front of the queue */
#define FOLDERS_MAX 1024      /* open at a time; below CODE_NUMBERS with what the threads open */
#define RECORDS_MAX (1u << 18)
#define LOOK_RANGE 32	      /* dirents for one request: a few blocks of inodes */
#define DATA_RANGE 4	      /* files for one request */
#define PROBE_LOOK_RANGE 4    /* the same while storage may be slow */
#define PROBE_DATA_RANGE 1

struct names { /* of the directories in a batch of dirents */
	unsigned int refs;
	char text[];
};

struct folder {
	int fd;
	uint64_t dev, ino;
	unsigned int refs;
	enum walk_how how;
	enum walk_atime atime;
	struct pending *place; /* while its dirents are not all read */
	/* owned: the dirent that has not been read yet, of those after which are first */
	char *after;
};

/* A directory that waits, or (in is NULL) the place of one that is being read: what is found in it goes
   there. */
struct pending {
	struct pending *previous, *next;
	struct folder *in;
	struct names *names;
	const char *name;
	uint64_t ino;
	char *after; /* owned */
};

struct slot {
	uint8_t *memory; /* the name, then the buffer */
	unsigned int refs;
};
#define SLOT_BUFFER 512
#define SLOT_SIZE (SLOT_BUFFER + WALK_BUFFER)

struct range {
	struct slot *slot;
	struct folder *folder;
	uint64_t from, to;
	unsigned int count;
	enum code_kind kind;
};

struct job {
	struct sysvm_request request;
	enum code_kind kind;
	bool busy;
	struct slot *slot;
	struct folder *folder;
	char *after;
	uint64_t began_ns;
	struct pending *place;
	struct stat *st; /* the job's own: several jobs use one slot at a time */
	uint8_t *scratch;
	uint64_t reg[SYSVM_NREGS];
};
#define ASTRAY_WHOLE 64 /* places that the walk would have come to, for one that it would not */

struct record {
	uint64_t dev, ino;
	uint32_t generation;
	bool below;  /* the directories below it, too */
	bool passed; /* the command has been seen there, or was before it was read ahead */
	uint64_t entries, bytes, directories; /* begun before it */
};

struct walk {
	struct walk_options o;
	struct sysvm_async *pool;
	uint32_t procs[CODE_KINDS];
	int event_fd, self_fd;
	uint64_t start_reg[SYSVM_NREGS];
	struct slot slots[WALK_SLOTS];
	struct job jobs[WALK_JOBS];
	unsigned int in_flight, entering, depth; /* entering: directories, among those in flight */

	struct pending head; /* of a ring, in the order of the walk */
	unsigned int waiting;
	struct range ranges[RANGES_MAX];
	unsigned int first_range, nranges;
	struct folder *more[WALK_SLOTS]; /* whose dirents are not all read */
	unsigned int nmore, folders;

	struct record *records; /* hash table */
	uint32_t generation, dropped;
	uint64_t entries, bytes, directories;			/* begun */
	uint64_t entries_seen, bytes_seen, directories_seen;	/* the command is there */
	uint64_t bytes_proved, directories_proved; /* it came there through what was fetched */
	/* for how long something was in flight since it was last seen to do so */
	uint64_t clock_ns, unproved_ns;
	/* places where it was that no guess led to, since one did: see walk_astray */
	unsigned int astray;

	enum walk_order order;
	bool data, lists;
	uint64_t part;
	const struct walk_file *leases;
	size_t nleases;
	bool all_leased;

	/* How deep: see adapt(). */
	uint64_t period_start, period_work, period_longest;
	unsigned int period_requests;
	double rate;
	int direction;
	enum pace_storage storage; /* the latest period's requests were over soon, or not */
	unsigned int probes, slow_probes; /* of the first requests, those that waited, and waited long */
	bool held, known_slow, suspected;
};

/* A struct linux_dirent64. */
struct dirent_at {
	uint64_t ino, off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));

/* walk_state.c */
uint64_t walk_now_ns(void);
void walk_folder_put(struct walk *w, struct folder *f);
void walk_names_put(struct names *n);
struct pending *walk_pending_add(struct walk *w, struct pending *before, struct folder *in,
				 struct names *names, const char *name, uint64_t ino, char *after);
struct pending *walk_pending_first(struct walk *w); /* NULL: none waits */
void walk_pending_put(struct walk *w, struct pending *p);
struct slot *walk_slot_get(struct walk *w);
struct record *walk_record_find(struct walk *w, uint64_t dev, uint64_t ino);
bool walk_is_done(const struct walk *w, const struct record *r, uint64_t dev, uint64_t ino);
void walk_add_range(struct walk *w, struct slot *slot, struct folder *f, uint64_t from, uint64_t to,
		    unsigned int count, enum code_kind kind);

/* walk_depth.c */
bool walk_probes(const struct walk *w); /* one request at a time, to find out how storage is */
void walk_probe(struct walk *w, const struct job *j); /* one that has ended */
void walk_adapt(struct walk *w);

#endif
