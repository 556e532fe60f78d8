/* SPDX-License-Identifier: MIT */
/*
 * The shim's own decisions about calls that nobody makes: dispatch.c and tasks.c of process/, the ahead half
 * and the user engine, compiled a second time with a scripted kernel below them (raw.h) and without the files
 * that touch a real process (patched sites, memory, clock). The optimizer plays a recording past it
 * (optimizer/prove/replay.cc), so what it predicts is decided by the code that will run.
 *
 * One replay at a time: the shim has one state for a process. Only these functions are visible outside
 * (the object is linked on its own and every other symbol made local). So that several processors can replay,
 * the object is there more than once, each time with a state of its own and a table of functions to reach it.
 */
#ifndef SYSVM_SHIM_REPLAY_H
#define SYSVM_SHIM_REPLAY_H

#include <stdbool.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "uapi/sysvm.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What is outside of the shim. Pointers in arguments are real: the script gives the shim real strings and
 * buffers, and where a procedure follows names in a name pool (SVP_ARG_ROW) there is memory for two gaps
 * after each.
 */
struct replay_script {
	void *who;
	/* A call that the shim makes. arg as the kernel would get them. */
	long (*call)(void *who, long nr, const uint64_t arg[6]);
	/* as shim_settings.resolve, which need not be set */
	uint64_t (*resolve)(void *who, const struct svp_place *place);
	uint64_t now_ms;	/* both clocks of the shim */
	uint64_t here_device;	/* st_dev of the working directory */
	uint64_t clone_flags;	/* of the clone3 that is being made */
};

/* ahead_init for a new process; the settings' statistics go to *stats. 0, or the shim_reason that keeps it
   plain. */
int replay_begin(const struct shim_settings *settings, struct replay_script *script,
		    struct shim_stats *stats);
/* a call of the application: enum shim_verdict, or more than that */
int replay_call(struct shim_call *call);
void replay_after(struct shim_call *call, int verdict); /* it was made: call->result */
/* What is outstanding is older than the settings allow: the next call finds it dropped. */
bool replay_too_old(void);
bool replay_outstanding(void); /* something is that may answer a call */
void replay_signal(void); /* a handler was entered */
void replay_stop(enum shim_reason reason); /* what process/ would find out by itself */
void replay_end(void); /* the process ends: counters are complete, memory is given back */

struct replay_functions {
	int (*begin)(const struct shim_settings *settings, struct replay_script *script,
		     struct shim_stats *stats);
	int (*call)(struct shim_call *call);
	void (*after)(struct shim_call *call, int verdict);
	bool (*too_old)(void);
	void (*signal)(void);
	void (*stop)(enum shim_reason reason);
	void (*end)(void);
};
#define REPLAY_COPIES 4 /* as many as CMakeLists.txt makes */
/* The first one's functions are those above. */
extern const struct replay_functions replay_copy_1, replay_copy_2, replay_copy_3, replay_copy_4;

/* --- trial.c: one procedure, the file's first ---------------------------------------------------------- */

struct replay_counts {
	uint64_t runs, hits, misses, undone, inner;
};

bool replay_refused(uint32_t proc); /* after replay_begin: the shim would not run it, ever */
/* Another process of the same program: nothing is known. False: the one before went plain, begin again. */
bool replay_next_process(void);
void replay_know_device(uint64_t device); /* a run of each procedure has met a good file system, this one */
/* A guard has checked it. */
void replay_know_descriptor(int fd, bool regular, int64_t position, uint64_t device);
/* replay_call; which of the file's followers answered, or -1 */
int replay_try(struct shim_call *call, int32_t *follower);
/* Made before; the calls of followers with a kept path, in their order. Nothing may be outstanding. */
void replay_know_path(const struct shim_call *call, bool first);
void replay_hold(bool hold); /* the procedure does not run */
void replay_drop(void); /* nothing more is asked for: what is outstanding is withdrawn */
void replay_counts_of(uint32_t proc, struct replay_counts *to); /* since replay_begin */
const struct sysvm_page *replay_page(void); /* as the latest run has left it; null: none yet */

#ifdef __cplusplus
}
#endif
#endif
