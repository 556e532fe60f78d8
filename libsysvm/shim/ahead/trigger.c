// SPDX-License-Identifier: MIT
/*
 * From a trigger to a log: find the procedure, check whether it may run now, run it, note what it has
 * fetched.
 *
 * In `cat file`, the open is the trigger. The application's own open, with its own arguments, is the first
 * call of the run; fstat, fadvise64 and read follow, made by the byte code. The open's result goes to the
 * application at once, the other results to the log.
 *
 * What the rules forbid at all is refused at start-up (check.c). The conditions of the moment (whose
 * descriptor, which path) are checked here, at each trigger.
 * Tested by tests/shim/ahead.
 */
#include "libsysvm/shim/ahead/trigger.h"

#include <errno.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/check.h"
#include "libsysvm/shim/ahead/late.h"
#include "libsysvm/shim/ahead/machine.h"
#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/answers/withdraw.h"
#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/clock.h"
#include "libsysvm/shim/known/descriptors.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/names/kept.h"
#include "libsysvm/shim/names/name_pool.h"
#include "libsysvm/shim/names/names.h"
#include "libsysvm/shim/names/run.h"

#define FUEL 65536

/* fcntl calls in a row with this descriptor and command. */
static struct {
	uint8_t calls;
	uint32_t fd, command;
} streak;

void trigger_reset(void)
{
	streak.calls = 0;
}

void trigger_count(const struct shim_call *c)
{
	if (c->nr != SYS_fcntl) {
		streak.calls = 0;
		return;
	}
	if ((uint32_t)c->arg[0] != streak.fd || (uint32_t)c->arg[1] != streak.command)
		streak.calls = 0;
	streak.fd = (uint32_t)c->arg[0];
	streak.command = (uint32_t)c->arg[1];
	streak.calls += streak.calls < 255;
}

static bool matches(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_trigger *trigger = &svp.triggers[svp.procs[number].first_trigger + t];
	const struct procedure *state = &procedures[number];

	if (trigger->nr != c->nr || (trigger->streak && trigger->streak != streak.calls))
		return false;
	if (trigger->site.build_id_len && state->site[t] != c->site)
		return false;
	if (trigger->caller.build_id_len && state->caller[t] != *(const uint64_t *)c->sp)
		return false;
	for (unsigned int i = 0; i < 6; i++) {
		const struct svp_arg *a = &trigger->arg[i];

		if (a->kind == SVP_ARG_CONST && (uint32_t)c->arg[i] != (uint32_t)a->value)
			return false;
		if (a->kind == SVP_ARG_MASK && (c->arg[i] & a->mask) != a->value)
			return false;
		if (a->kind == SVP_ARG_STRING &&
		    !memory_same_string(c->arg[i], procedure_string(number, a), PATH_BYTES, c->sp))
			return false;
	}
	return !state->at_dirent || run_find(number, t, c);
}

bool trigger_named(enum svp_mode mode, const struct shim_call *c, uint32_t *number)
{
	for (uint32_t i = 0; i < svp.nprocs; i++)
		if (svp.procs[i].mode == (uint32_t)mode && !procedures[i].off)
			for (uint32_t t = 0; t < svp.procs[i].triggers; t++)
				if (matches(i, t, c)) {
					*number = i;
					return true;
				}
	return false;
}

/* The conditions of the moment. */
static bool may_run(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_trigger *trigger = &svp.triggers[svp.procs[number].first_trigger + t];
	const struct procedure *state = &procedures[number];
	const struct descriptor *f;
	long n;

	if (state->off)
		return false;
	if (state->at_dirent) /* run_find has checked it */
		return true;
	if (check_is_open(c->nr)) {
		if (!descriptors_read_only(c->arg[c->nr == SYS_open ? 1 : 2]))
			return false;
		if (!state->needs_path)
			return true;
		/* One component, so that no mount point or link lies on the way to it. */
		n = trigger->path_arg < 6 ? memory_string(c->arg[trigger->path_arg], PATH_BYTES, c->sp) : -1;
		if (n <= 0)
			return false;
		for (long i = 0; i < n; i++)
			if (((const char *)c->arg[trigger->path_arg])[i] == '/')
				return false;
		bytes_copy(areas.path, (const void *)c->arg[trigger->path_arg], (size_t)n + 1);
		return true;
	}
	f = descriptor(c->arg[0]);
	if (c->nr == SYS_fcntl) /* the guard finds out what it is */
		return f && f->ours && !f->shared;
	return f && f->mine && !f->shared && f->kind == KIND_REGULAR;
}

/* One crossing: the late closes, then the procedure. The caller has set the registers that are special. */
static void run(uint32_t number, const struct shim_call *c, uint64_t signals)
{
	const struct svp_proc *p = &svp.procs[number];
	__u64 *reg = machine_page()->reg;
	uint64_t late;

	while (late_count(late_waiting()) > procedures[number].closes)
		late_close_oldest();
	for (unsigned int i = 0; i < 6; i++)
		reg[i] = c->arg[i];
	for (uint32_t i = 0; i < p->followers; i++)
		reg[svp.followers[p->first_follower + i].result] = SVP_NOT_MADE;
	reg[p->trigger_result] = SVP_NOT_MADE;
	reg[SVP_REG_STAGING] = (uint64_t)areas.staging;
	reg[SVP_REG_ATIME] = clock_seconds() - 24 * 60 * 60;

	if (outstanding_proc() != number)
		log_wipe_used();
	log_begin();
	outstanding_begin(number, signals);
	late = late_waiting();
	if (!late_take(late))
		late = 0; /* a handler has made them */
	reg[SVP_REG_CLOSE] = late_fd(late, 0);
	reg[SVP_REG_CLOSE2] = late_fd(late, 1);
	machine_run(procedures[number].number, FUEL, late);
	counts.proc[number].runs++;
	procedures[number].runs++;
}

/* At a dirent, the application's call is the first record's: the run has made it with our buffer in place of
   its own. */
static bool run_at_dirent(uint32_t number, struct shim_call *c)
{
	uint64_t signals = shim_signals;
	__u64 *reg = machine_page()->reg;

	if (!run_prepare_dirent(number, c, reg))
		return false;
	run(number, c, signals);
	outstanding_made();
	/* A run that a signal has stopped before its first record has made nothing. */
	if (!records_take(number, reg) || !records_serve(c)) {
		records_drop();
		if (run_names()->pool)
			name_pool_failed();
		procedures_judge(number);
		return false;
	}
	/* That was the call itself: its crossing is the run's. */
	counts.answered--;
	counts.proc[number].hits--;
	procedures[number].hits--;
	if (shim_signals != signals)
		withdraw();
	procedures_judge(number);
	return true;
}

/* After an open, or on a descriptor, a run first asks about the file: the guard. */
static void take_guard(uint32_t number, int fd, const uint64_t *guard)
{
	struct procedure *state = &procedures[number];

	if (*guard != SVP_NO_DEVICE && descriptors_stat(fd, (const unsigned char *)guard, &state->noatime))
		state->device = *guard; /* st_dev is the first field */
}

/* The followers that the run has made. Those after its loop wait until the records are used. */
static void take_followers(uint32_t number, const __u64 *reg)
{
	const struct svp_proc *p = &svp.procs[number];
	const struct svp_loop *loop = procedures[number].loop;
	uint32_t before_loop = 0;

	for (uint32_t i = 0; i < p->followers; i++) {
		uint64_t result = reg[svp.followers[p->first_follower + i].result];

		if (loop && i == loop->first)
			before_loop = log_made();
		if (!check_of_loop(loop, i) && result != SVP_NOT_MADE)
			log_add(p->first_follower + i, (int64_t)result, reg);
	}
	if (loop && records_take(number, reg))
		log_hide(before_loop);
}

/* A function of its own: it keeps more on the stack than other calls have room for. */
__attribute__((noinline)) static bool run_trigger(uint32_t number, uint32_t t, struct shim_call *c)
{
	const struct svp_proc *p = &svp.procs[number];
	struct procedure *state = &procedures[number];
	uint64_t *guard = (uint64_t *)(areas.staging + SVP_GUARD_STAT), signals = shim_signals;
	__u64 *reg;

	if (!may_run(number, t, c) || machine_make() || !machine_define(number))
		return false;
	if (state->at_dirent)
		return run_at_dirent(number, c);

	reg = machine_page()->reg;
	reg[SVP_REG_DEVICE] = state->device;
	reg[SVP_REG_PATH] = (uint64_t)areas.path;
	reg[SVP_REG_NOATIME] = state->noatime;
	if (state->loop)
		run_prepare_open(number, t, c, reg);
	else
		kept_set(number, reg);
	streak.calls = 0;
	*guard = SVP_NO_DEVICE;
	run(number, c, signals);

	if (reg[p->trigger_result] == SVP_NOT_MADE) {
		if (machine_page()->status != SYSVM_RESTART)
			return false; /* refused before it began: the plain call follows */
		c->result = -EINTR;
		return true;
	}
	c->result = (int64_t)reg[p->trigger_result];
	names_after(c);
	if (c->result < 0) {
		state->runs--; /* a crossing for a crossing: it says nothing about the procedure */
		return true;
	}
	take_guard(number, check_is_open(c->nr) ? (int)c->result : (int)c->arg[0], guard);
	outstanding_made();
	take_followers(number, reg);
	if (shim_signals != signals) /* a handler has run in between: older results must not follow it */
		withdraw();
	procedures_judge(number);
	return true;
}

bool trigger_run(struct shim_call *c)
{
	for (uint32_t i = 0; i < svp.nprocs; i++) {
		if (svp.procs[i].mode != SVP_RUN_AHEAD || procedures[i].off)
			continue;
		for (uint32_t t = 0; t < svp.procs[i].triggers; t++) {
			if (!matches(i, t, c))
				continue;
			withdraw();
			if (run_trigger(i, t, c))
				return true;
		}
	}
	return false;
}
