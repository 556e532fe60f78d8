// SPDX-License-Identifier: MIT
/*
 * From a trigger to a log: find the procedure, check that the contract lets it run now, run it, note what it made.
 *
 * The trigger itself is always the application's own call with its own arguments, made first. A procedure that the
 * contract forbids is refused once, at start-up (start_check); conditions of the moment (whose descriptor, which
 * path) are checked at each trigger.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"
#include "uapi/syscalls.h"
#include "vm/opcodes.h"

#define FUEL 65536

static bool is_open(uint32_t nr)
{
	return nr == SYS_open || nr == SYS_openat;
}

/* The descriptor of a follower: the trigger's result behind an open, the trigger's own descriptor otherwise. */
static bool follows_trigger_fd(const struct svp_proc *p, bool open, const struct svp_arg *a)
{
	return a->kind == SVP_ARG_REG && a->reg == (open ? p->trigger_result : 0);
}

static bool follower_allowed(const struct svp_proc *p, uint32_t trigger_nr, const struct svp_follower *f,
			     struct follower_rule *rule)
{
	bool open = is_open(trigger_nr);

	if (!rules_follower(f))
		return false;
	rules_prepare(f, rule);
	if (rules_kept(f))
		return true;
	if (f->nr == SYS_newfstatat && f->arg[1].kind == SVP_ARG_PATH) /* the name that the trigger just opened */
		return trigger_nr == SYS_openat && f->arg[0].kind == SVP_ARG_REG && f->arg[0].reg == 0;
	if (f->nr == SYS_newfstatat || f->nr == SYS_statx) {
		const char *s = (const char *)ahead.svp.data + p->data_offset + f->arg[1].value;

		if (f->arg[1].value >= p->data_size || *s)
			return false;
	}
	if (!follows_trigger_fd(p, open, &f->arg[0]))
		return false;
	/* What is taken back needs the state before: known for a descriptor that the trigger made. */
	if ((rule->undo == UNDO_CLOEXEC || rule->undo == UNDO_CLOSE || f->nr == SYS_getdents64) && !open)
		return false;
	/* Behind a lock on a descriptor that may be written to: what leaves nothing to take back. */
	if (trigger_nr == SYS_fcntl && f->nr != SYS_pread64 && f->nr != SYS_fstat && f->nr != SYS_newfstatat && f->nr != SYS_statx)
		return false;
	return rule->undo != UNDO_NEVER;
}

/* Every call in the code is the trigger, an allowed follower or guard, or the late close at the head. */
static bool code_allowed(uint32_t number, const struct svp_proc *p, uint32_t trigger_nr)
{
	const unsigned char *code = ahead.svp.code + p->code_offset;
	struct sysvm_insn insn;
	uint8_t closes = 0;
	bool first = true;

	for (uint32_t at = 0; at < p->code_size; at += (uint32_t)insn.size) {
		const struct sysvm_syscall_info *info;

		if (sysvm_decode(code, p->code_size, at, &insn) <= 0)
			return false;
		if (!sysvm_is_call(insn.form))
			continue;
		info = sysvm_syscall_by_index(insn.call);
		if (!info)
			return false;
		if (info->nr == SYS_close) {
			static const uint8_t from[] = { SVP_REG_CLOSE, SVP_REG_CLOSE2 };

			if (!first || closes == 2 || insn.form == SYSVM_FORM_CALL_SHORT || insn.reg[1] != from[closes])
				return false;
			ahead.proc[number].closes = ++closes;
			continue;
		} else if (info->nr != trigger_nr && !(info->flags & SYSVM_FLAG_AHEAD)) {
			return false;
		}
		first = false;
	}
	return true;
}

static bool of_loop(const struct svp_loop *loop, uint32_t follower)
{
	return loop && follower - loop->first < loop->followers;
}

int start_check(uint32_t number)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	struct ahead_proc *state = &ahead.proc[number];
	uint32_t nr;

	if (p->mode != SVP_RUN_AHEAD)
		return 0;
	if (!p->triggers || p->staging > AHEAD_STAGING || p->staging < sizeof(struct stat))
		return -1;
	if (state->loop && !directory_allowed(number))
		return -1;
	nr = ahead.svp.triggers[p->first_trigger].nr;
	for (uint32_t t = 0; t < p->triggers; t++) {
		const struct svp_trigger *trigger = &ahead.svp.triggers[p->first_trigger + t];
		const struct sysvm_syscall_info *info = sysvm_syscall_by_nr(trigger->nr);

		if (trigger->nr != nr || !info || !(info->flags & SYSVM_FLAG_TRIGGER) || info->index < 0)
			return -1;
		if (!is_open(nr) && info->arg[0].kind != SYSVM_KIND_FD && !state->at_entry)
			return -1; /* a path that nobody has checked */
		if (nr == SYS_fcntl &&
		    !(trigger->arg[1].kind == SVP_ARG_CONST && (uint32_t)trigger->arg[1].value == F_SETLK))
			return -1;
	}
	for (uint32_t i = 0; i < p->followers; i++) {
		const struct svp_follower *f = &ahead.svp.followers[p->first_follower + i];

		if (of_loop(state->loop, i))
			continue;
		if (!follower_allowed(p, nr, f, &ahead.follower[p->first_follower + i]))
			return -1;
		for (unsigned int a = 0; a < 6; a++)
			state->needs_path |= f->arg[a].kind == SVP_ARG_PATH;
	}
	return code_allowed(number, p, nr) ? 0 : -1;
}

bool start_match(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	const struct svp_trigger *trigger = &ahead.svp.triggers[p->first_trigger + t];
	const struct ahead_proc *state = &ahead.proc[number];

	if (trigger->nr != c->nr || (trigger->streak && trigger->streak != ahead.streak))
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
		    !log_same_string(c->arg[i], (const char *)ahead.svp.data + p->data_offset + a->value, c->sp))
			return false;
	}
	return !state->at_entry || directory_find(number, t, c);
}

/* The conditions of the moment. */
static bool may_run(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	const struct svp_trigger *trigger = &ahead.svp.triggers[p->first_trigger + t];
	const struct ahead_proc *state = &ahead.proc[number];
	const struct fd_fact *f;
	long n;

	if (state->off)
		return false;
	if (state->at_entry) /* directory_find has looked */
		return true;
	if (is_open((uint32_t)c->nr)) {
		if (!facts_read_only(c->arg[c->nr == SYS_open ? 1 : 2]))
			return false;
		if (!state->needs_path)
			return true;
		/* One component, so that no mount point or link lies on the way to it. */
		n = trigger->path_arg < 6 ? memory_string(c->arg[trigger->path_arg], AHEAD_PATH_MAX, c->sp) : -1;
		if (n <= 0)
			return false;
		for (long i = 0; i < n; i++)
			if (((const char *)c->arg[trigger->path_arg])[i] == '/')
				return false;
		bytes_copy(ahead.path, (const void *)c->arg[trigger->path_arg], (size_t)n + 1);
		return true;
	}
	f = fact(c->arg[0]);
	if (c->nr == SYS_fcntl) /* the guard looks what it is */
		return f && f->ours && !f->shared;
	return f && f->mine && !f->shared && f->kind == KIND_REGULAR;
}

static void define(uint32_t number)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	struct ahead_proc *state = &ahead.proc[number];

	state->defined = 1;
	if (sysvm_define(ahead.vm, ahead.svp.code + p->code_offset, p->code_size,
			 (uint64_t)(ahead.svp.data + p->data_offset), &state->number, NULL, 0))
		state->off = 1;
}

/* A procedure that saves less than one entry for each of its runs is switched off for this process. */
void start_judge(uint32_t number)
{
	struct ahead_proc *state = &ahead.proc[number];

	if (state->runs < 32 || state->hits >= state->runs - 1)
		return;
	state->off = 1;
	ahead.n.proc[number].off = 1;
}

/* One entry: the late closes, then the procedure. */
void start_machine(uint32_t number, const struct shim_call *c, uint64_t signals)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	struct ahead_proc *state = &ahead.proc[number];
	struct sysvm_page *page = ahead.page;
	uint64_t calls = page->calls;
	uint32_t closing;

	while (ahead.pending > state->closes)
		close_oldest();
	closing = ahead.pending;
	for (unsigned int i = 0; i < 6; i++)
		page->reg[i] = c->arg[i];
	for (uint32_t i = 0; i < p->followers; i++)
		page->reg[ahead.svp.followers[p->first_follower + i].result] = SVP_NOT_MADE;
	page->reg[p->trigger_result] = SVP_NOT_MADE;
	page->reg[SVP_REG_STAGING] = (uint64_t)ahead.staging;
	page->reg[SVP_REG_CLOSE] = closing > 0 ? (uint64_t)ahead.late[0] : ~0ull;
	page->reg[SVP_REG_CLOSE2] = closing > 1 ? (uint64_t)ahead.late[1] : ~0ull;
	page->reg[SVP_REG_ATIME] = clock_seconds() - 24 * 60 * 60;

	if (ahead.used && ahead.log_proc != number)
		log_wipe_used();
	log_start(number, signals);
	ahead.pending = 0; /* before the closes: a handler must not close a number that is in use again */
	(void)sysvm_run(ahead.vm, state->number, FUEL);
	ahead.n.runs++;
	ahead.n.proc[number].runs++;
	state->runs++;
	ahead.n.inner += page->calls - calls;
	for (uint64_t i = page->calls - calls; i < closing; i++) /* stopped before it made them all */
		ahead_own(SYS_close, page->reg[i ? SVP_REG_CLOSE2 : SVP_REG_CLOSE], 0, 0, 0);
}

__attribute__((noinline)) bool start_run(uint32_t number, uint32_t t, struct shim_call *c)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	struct ahead_proc *state = &ahead.proc[number];
	bool open = is_open((uint32_t)c->nr);
	struct sysvm_page *page;
	uint64_t signals = shim_signals;
	uint64_t *guard = (uint64_t *)(ahead.staging + SVP_GUARD_STAT);
	uint32_t before = 0;
	int64_t result;

	if (!may_run(number, t, c) || ahead_engine_make())
		return false;
	if (!state->defined)
		define(number);
	if (state->off)
		return false;
	if (state->at_entry)
		return directory_run(number, c);

	page = ahead.page;
	page->reg[SVP_REG_DEVICE] = state->device;
	page->reg[SVP_REG_PATH] = (uint64_t)ahead.path;
	page->reg[SVP_REG_NOATIME] = state->noatime;
	if (state->loop)
		directory_prepare(number, t, c);
	else
		kept_set(number);
	ahead.streak = 0;
	*guard = SVP_NO_DEVICE;
	start_machine(number, c, signals);

	result = (int64_t)page->reg[p->trigger_result];
	if ((uint64_t)result == SVP_NOT_MADE) {
		if (page->status != SYSVM_RESTART)
			return false; /* refused before it began: the plain call follows */
		c->result = -4;	      /* EINTR */
		return true;
	}
	c->result = result;
	facts_after(c);
	if (result < 0) {
		state->runs--; /* an entry for an entry: it says nothing about the procedure */
		return true;
	}
	if (*guard != SVP_NO_DEVICE &&
	    facts_stat(open ? (int)result : (int)c->arg[0], (const unsigned char *)guard, &state->noatime))
		state->device = *guard; /* st_dev is the first field */

	ahead.log_time = clock_mark(&ahead.q.log_clock);
	for (uint32_t i = 0; i < p->followers; i++) {
		uint32_t f = p->first_follower + i;
		uint64_t r = page->reg[ahead.svp.followers[f].result];

		if (of_loop(state->loop, i)) {
			before = i == state->loop->first ? (uint32_t)(ahead.q.end - ahead.log) : before;
			continue;
		}
		if (r != SVP_NOT_MADE)
			log_add(f, (int64_t)r);
	}
	if (state->loop)
		directory_take(number, before);
	if (shim_signals != signals) /* a handler ran during the run: it must not be followed by older results */
		log_take_back();
	start_judge(number);
	return true;
}
