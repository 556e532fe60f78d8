/* SPDX-License-Identifier: MIT */
/*
 * What `sysvm run` and the prefetcher share: one page of counters in a file that `run` made. The prefetcher
 * adds, run reads when the command has ended. It is used for nothing but a report.
 */
#ifndef SYSVM_PREFETCH_SHARED_H
#define SYSVM_PREFETCH_SHARED_H

#include <stdint.h>

#define PREFETCH_MAGIC 0x5046564d53595331ull

struct prefetch_stats {
	uint64_t magic;
	uint64_t pid;
	uint64_t samples;      /* of what the command does */
	uint64_t waiting;      /* of them: it waited for storage */
	uint64_t walks;	       /* subtrees that were walked ahead */
	uint64_t directories;  /* read ahead */
	uint64_t entries;      /* dirents asked about ahead */
	uint64_t files;	       /* opened ahead */
	uint64_t bytes;	       /* of them, asked for */
	uint64_t listed;       /* paths of lists, and words of the command line */
	uint64_t lists;	       /* lists of the procedure file that were followed */
	uint64_t list_used;    /* of the latest: items up to the last one that the command was seen at */
	uint64_t strayed;      /* lists that the command strayed from */
	uint64_t changed;      /* files on lists that have changed since */
	uint64_t used;	       /* dirents of the directories that the command was seen in or past */
	uint64_t astray;       /* how often it was where no guess had led */
	uint64_t dropped;      /* directories left out: too many, no descriptors */
	uint64_t held;	       /* how often it was found that storage must be left to the command */
	uint64_t refused;      /* directories that could not be opened or would have shown the read */
	uint64_t requests;     /* runs of the machine */
	uint64_t depth;	       /* calls in flight: the most that were */
	uint64_t processor_ns; /* of all threads */
	uint64_t ended;	       /* enum prefetch_end */
};

enum prefetch_end {
	PREFETCH_RUNNING = 0, /* still running, or ended without a report */
	PREFETCH_ENDED = 1,   /* with the command */
	PREFETCH_FAILED = 2,  /* could not begin: no /proc, no memory */
	PREFETCH_LIMITED = 3, /* the command's limits leave no room for it */
};

#endif
