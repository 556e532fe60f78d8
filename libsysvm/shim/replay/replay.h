/* SPDX-License-Identifier: MIT */
/*
 * The shim's own decisions, asked about calls that nobody makes: dispatch.c, tasks.c, the ahead half and the user
 * engine, compiled a second time with a scripted kernel below them (raw.h) and without the parts that touch a real
 * process (patched sites, memory, clock). The optimizer plays a recording past it (optimizer/prove/replay.cc), so what it
 * predicts is decided by the code that will run.
 *
 * One replay at a time: the shim has one state for a process. Only these functions are visible outside
 * (the object is linked on its own and every other symbol made local).
 */
#ifndef SYSVM_SHIM_REPLAY_H
#define SYSVM_SHIM_REPLAY_H

#include "libsysvm/shim/shim.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What stands outside of the shim. Pointers in arguments are real: the script hands the shim real strings and buffers, and
 * where a procedure follows names in a row (SVP_ARG_ROW) there is memory for two gaps behind each.
 */
struct replay_script {
	void *who;
	/* A call that the shim makes. arg as the kernel would get them. */
	long (*call)(void *who, long nr, const uint64_t arg[6]);
	uint64_t (*resolve)(void *who, const struct svp_place *place); /* shim_resolve */
	uint64_t now_ms;	/* both clocks of the shim */
	uint64_t here_device;	/* st_dev of the working directory */
	uint64_t clone_flags;	/* of the clone3 that is being made */
};

/* ahead_init for a new process; the settings' statistics go to *stats. 0, or the shim_reason that keeps it plain. */
int replay_begin(const struct shim_settings *settings, struct replay_script *script, struct shim_stats *stats);
int replay_call(struct shim_call *call); /* a call of the application: enum shim_verdict, or more than that */
void replay_after(struct shim_call *call, int verdict); /* it was made: call->result */
void replay_signal(void); /* a handler was entered */
void replay_stop(enum shim_reason reason); /* what the entry half would find out by itself */
void replay_end(void); /* the process ends: counters are complete, memory is given back */

#ifdef __cplusplus
}
#endif
#endif
