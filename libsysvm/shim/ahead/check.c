// SPDX-License-Identifier: MIT
/*
 * Whether a procedure keeps the rules at all (docs/semantics.md): each is checked at start-up, and one that
 * does not is off in this process. What can only be checked at the moment of a run is in trigger.c. Tested by
 * tests/shim/ahead.
 */
#include "libsysvm/shim/ahead/check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/procedures.h"
#include "uapi/syscalls.h"
#include "vm/opcodes.h"

/* The descriptor of a follower: the trigger's result after an open, the trigger's own descriptor otherwise.
   */
static bool follows_trigger_fd(const struct svp_proc *p, bool open, const struct svp_arg *a)
{
	return a->kind == SVP_ARG_REG && a->reg == (open ? p->trigger_result : 0);
}

static bool follower_allowed(const struct svp_proc *p, uint32_t trigger_nr, const struct svp_follower *f,
			     struct follower_rule *rule)
{
	bool open = check_is_open(trigger_nr);

	if (!follower_may_run(f))
		return false;
	follower_prepare(f, rule);
	if (follower_is_kept(f))
		return true;
	/* the name that the trigger just opened */
	if (f->nr == SYS_newfstatat && f->arg[1].kind == SVP_ARG_PATH)
		return trigger_nr == SYS_openat && f->arg[0].kind == SVP_ARG_REG && f->arg[0].reg == 0;
	if (f->nr == SYS_newfstatat || f->nr == SYS_statx) {
		if (f->arg[1].value >= p->data_size || svp.data[p->data_offset + f->arg[1].value])
			return false; /* not "" */
	}
	if (!follows_trigger_fd(p, open, &f->arg[0]))
		return false;
	/* To undo it, the state before must be known, as it is for a descriptor that the trigger made. */
	if ((rule->undo == UNDO_CLOEXEC || rule->undo == UNDO_CLOSE || f->nr == SYS_getdents64) && !open)
		return false;
	/* After a lock on a descriptor that may be written to: only what leaves nothing to undo. */
	if (trigger_nr == SYS_fcntl && f->nr != SYS_pread64 && f->nr != SYS_fstat &&
	    f->nr != SYS_newfstatat && f->nr != SYS_statx)
		return false;
	return rule->undo != UNDO_NEVER;
}

/* Every call in the code is the trigger, an allowed follower or guard, or the late close at the head. */
static bool code_allowed(uint32_t number, const struct svp_proc *p, uint32_t trigger_nr)
{
	const unsigned char *code = svp.code + p->code_offset;
	struct sysvm_insn insn;
	uint8_t closes = 0;
	bool first = true;

	for (uint32_t at = 0; at < p->code_size; at += (uint32_t)insn.size) {
		const struct sysvm_syscall_info *info;

		if (sysvm_decode(code, p->code_size, at, &insn) <= 0)
			return false;
		if (sysvm_is_wide(insn.op)) /* stat and statx of names, which may run ahead */
			first = false;
		if (!sysvm_is_call(insn.form))
			continue;
		info = sysvm_syscall_by_index(insn.call);
		if (!info)
			return false;
		if (info->nr == SYS_close) {
			static const uint8_t from[] = { SVP_REG_CLOSE, SVP_REG_CLOSE2 };

			if (!first || closes == 2 || insn.form == SYSVM_FORM_CALL_SHORT ||
			    insn.reg[1] != from[closes])
				return false;
			procedures[number].closes = ++closes;
			continue;
		} else if (info->nr != trigger_nr && !(info->flags & SYSVM_FLAG_AHEAD)) {
			return false;
		}
		first = false;
	}
	return true;
}

bool check_procedure(uint32_t number)
{
	const struct svp_proc *p = &svp.procs[number];
	struct procedure *state = &procedures[number];
	uint32_t nr;

	if (p->mode != SVP_RUN_AHEAD)
		return true;
	if (!p->triggers || p->staging > STAGING_BYTES || p->staging < sizeof(struct stat))
		return false;
	if (state->loop && !check_loop(number))
		return false;
	nr = svp.triggers[p->first_trigger].nr;
	for (uint32_t t = 0; t < p->triggers; t++) {
		const struct svp_trigger *trigger = &svp.triggers[p->first_trigger + t];
		const struct sysvm_syscall_info *info = sysvm_syscall_by_nr(trigger->nr);

		if (trigger->nr != nr || !info || !(info->flags & SYSVM_FLAG_TRIGGER) || info->index < 0)
			return false;
		if (!check_is_open(nr) && info->arg[0].kind != SYSVM_KIND_FD && !state->at_dirent)
			return false; /* a path that nobody has checked */
		if (nr == SYS_fcntl &&
		    !(trigger->arg[1].kind == SVP_ARG_CONST && (uint32_t)trigger->arg[1].value == F_SETLK))
			return false;
	}
	for (uint32_t i = 0; i < p->followers; i++) {
		const struct svp_follower *f = &svp.followers[p->first_follower + i];

		if (check_of_loop(state->loop, i))
			continue;
		if (!follower_allowed(p, nr, f, &follower_rules[p->first_follower + i]))
			return false;
		for (unsigned int a = 0; a < 6; a++)
			state->needs_path |= f->arg[a].kind == SVP_ARG_PATH;
	}
	return code_allowed(number, p, nr);
}
