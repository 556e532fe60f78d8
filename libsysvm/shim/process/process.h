/* SPDX-License-Identifier: MIT */
/*
 * The process that the shim is in. The files of process/ see every call of the application and decide nothing
 * about results; for those they ask the ahead half (ahead/ahead.h).
 *
 *   entry.S       from a patched site to shim_dispatch and back; stubs.S: signal handlers are entered here
 *   dispatch.c    what each call means for the process: one table
 *   tasks.c       fork, vfork, clone, exit
 *   exec.c        puts our environment back where the new program can use it; target.c: whether it can
 *   signals.c     handlers are counted
 *   plain.c       the process goes plain
 *   init.c        constructor: environment, bundle, reasons to stay off, patching
 *   environment.c takes our variables out of it; linkmap.c: where it is
 *   limits.c      whether there is room for us
 *   objects.c     which object files are mapped, and which executable memory belongs to none that is known
 *   patch.c       writes jumps and slots
 *   copy.c        the application's memory, without faults
 */
#ifndef SYSVM_SHIM_PROCESS_H
#define SYSVM_SHIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/base/raw.h"
#include "libsysvm/shim/bundle/bundle.h"
#include "libsysvm/shim/process/slots.h"

/* What is true of this process. Written in the constructor and by the one thread; only read by a vfork child.
   */
struct process {
	const struct sysvm_bundle *bundle; /* null: no bundle, nothing was patched */
	struct shim_stats_file *file;	   /* shared; or private if it could not be mapped */
	uint32_t off;			   /* enum shim_reason */
	uint32_t patched, left;		   /* sites */
	unsigned char *slot_memory;	   /* entry.S: shim_slots */
	uint32_t slots;			   /* used */
	/* our calls may be judged, or our files not be seen: exec plainly */
	bool confined;
	bool alone;			   /* no other process of this run writes the statistics */
};
extern struct process process;
extern struct shim_stats_file process_private_file; /* for counters where the shared one cannot be had */

/* What entry.S reads and writes besides. */
extern uint8_t shim_mode;		    /* 1: on. 0: plain */
extern uint64_t shim_vfork_return;	    /* after the syscall of the vfork in progress */
extern uint64_t shim_vfork_mask;	    /* its caller's signal mask */
extern uint8_t shim_vfork_mode;		    /* shim_mode for the parent when it returns */
extern uint8_t shim_plain_looks[PLAIN_CALLS]; /* calls that come to shim_dispatch even while plain */
extern uint64_t *shim_plain_counter;	    /* the first of its lines */

/*
 * Another process of this run may write the statistics from now on. Also called on going plain, after which
 * forks are not seen.
 */
void process_not_alone(void);

static inline void bump_n(uint64_t *counter, uint64_t n)
{
	if (process.alone)
		*(volatile uint64_t *)counter += n;
	else
		__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}
static inline void bump(uint64_t *counter)
{
	bump_n(counter, 1);
}

/* A system call for ourselves, counted as such. */
#define own4(nr, a, b, c, d) (bump(&process.file->stats.own), raw4(nr, a, b, c, d))
#define own3(nr, a, b, c) own4(nr, a, b, c, 0)
#define own2(nr, a, b) own4(nr, a, b, 0, 0)
#define own1(nr, a) own4(nr, a, 0, 0, 0)

#endif
