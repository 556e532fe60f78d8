/* SPDX-License-Identifier: MIT */
/*
 * The one file that a process under the shim reads at start-up: settings, the procedure file, what is known
 * about object files and their sites. `sysvm run` writes it (libsysvm/run/bundle.cc) into a private folder
 * and names it in the environment variable below. Flat, checksummed, mapped read-only; a file that is not
 * exactly right leaves the shim off (bundle.c).
 * Tested by tests/run/bundle_test.cc: any byte flipped keeps it off.
 *
 * A program gets us by two more variables, at the end of its environment:
 *
 *   LD_PRELOAD=library       if it had none; else an empty SYSVM_BUNDLE=, so that it is always two
 *   SYSVM_BUNDLE=bundle path\nlibrary path
 *
 * An LD_PRELOAD that it has keeps its place (the last of several, which is the loader's) and gets ":library"
 * at its end, whatever stands there, even nothing: cutting that off restores it byte for byte
 * (process/environment.c).
 */
#ifndef SYSVM_SHIM_BUNDLE_H
#define SYSVM_SHIM_BUNDLE_H

#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/base/stats.h"
#include "libsysvm/shim/bundle/plain_lines.h"
#include "libsysvm/sites/table.h"

#define BUNDLE_MAGIC 0x31444e4256535953ull /* "SYSVBND1" */
#define BUNDLE_VARIABLE "SYSVM_BUNDLE"
#define BUNDLE_MAX (64u << 20)
#define BUNDLE_PATH_MAX 512

struct sysvm_bundle {
	uint64_t magic;
	uint64_t file_size;
	uint64_t checksum; /* svp_checksum of the whole file with this field 0 */
	uint32_t engine;   /* enum sysvm_engine */
	uint32_t strict;
	uint32_t age_ms;
	uint32_t allow_seccomp; /* stay on under a filter */
	uint32_t relaxed_age;
	uint32_t reserved;
	uint64_t svp_offset, svp_size;	     /* multiple of 8; size 0: no procedures */
	uint64_t objects_offset, objects;    /* struct sysvm_object[] */
	uint64_t sites_offset, sites;	     /* struct sysvm_site[] */
	/* the one shared mapping that libc makes for itself; all 0: none */
	struct sysvm_identity gconv_cache;
	char stats_path[BUNDLE_PATH_MAX];    /* absolute, terminated */
	char library_path[BUNDLE_PATH_MAX];  /* what LD_PRELOAD holds for us */
	char bundle_path[BUNDLE_PATH_MAX];   /* this file */
};

/* The statistics file: counters, then a list of object files that were met and not known, for the next run.
   */
#define STATS_UNKNOWN_MAX 64
struct shim_stats_file {
	struct shim_stats stats;
	uint64_t forked; /* some process of the run has forked: counters are shared from then on */
	/* The first word of each counts; stats.plain is to be added. */
	uint64_t plain[PLAIN_LINES][1 << (PLAIN_LINE_SHIFT - 3)]
		__attribute__((aligned(1 << PLAIN_LINE_SHIFT)));
	uint64_t unknown_count; /* may pass STATS_UNKNOWN_MAX: the rest was not noted */
	char unknown[STATS_UNKNOWN_MAX][BUNDLE_PATH_MAX]; /* NUL-terminated paths */
};

#endif
