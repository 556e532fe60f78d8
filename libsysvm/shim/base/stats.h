/* SPDX-License-Identifier: MIT */
/*
 * The statistics of a run of a command: one file, shared by all its processes, which add to it with relaxed
 * atomics.
 */
#ifndef SYSVM_SHIM_STATS_H
#define SYSVM_SHIM_STATS_H

#include <stdint.h>

#include "procedures/svp.h"

#define SHIM_STATS_MAGIC 0x5354535359535631ull

/* Sizes are fixed so that readers can check them. */
struct shim_stats {
	uint64_t magic;
	uint64_t processes; /* that the shim was initialised in */
	uint64_t seen;	    /* calls that reached the shim */
	uint64_t forwarded; /* made plainly: by the application itself, or by the shim in its place */
	/* calls answered without a crossing of their own (hits + answers + late closes) */
	uint64_t answered;
	uint64_t runs;	    /* machine runs: one crossing each with the kernel engine */
	uint64_t inner;	    /* calls made inside runs */
	uint64_t own;	    /* calls that the shim made for itself (start-up, fstatfs, undo) */
	/* calls made while off, or by the child of a vfork: neither in seen nor in forwarded */
	uint64_t plain;
	uint64_t off[16];   /* processes that went plain, by shim_reason */
	struct {
		uint64_t hits, misses, undone, runs, off;
	} proc[SVP_MAX_PROCS];
};

#endif
