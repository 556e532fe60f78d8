// SPDX-License-Identifier: MIT
/*
 * What each system call means to the ahead half: one byte for each number, derived from the table (uapi/syscalls.inc)
 * at start-up, and the contract's conditions on a follower (docs/semantics.md).
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "uapi/syscalls.h"

bool rules_memory(uint64_t nr)
{
	switch (nr) {
	case SYS_brk:
	case SYS_mmap:
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_mremap:
	case SYS_madvise:
	case SYS_remap_file_pages:
	case SYS_shmdt:
		return true;
	default:
		return false;
	}
}

static bool watched(unsigned int nr)
{
	switch (nr) {
	case SYS_open:
	case SYS_openat:
	case SYS_close:
	case SYS_close_range:
	case SYS_dup:
	case SYS_dup2:
	case SYS_dup3:
	case SYS_fcntl:
	case SYS_flock:
	case SYS_read:
	case SYS_lseek:
	case SYS_getdents64:
	case SYS_getdents:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_chdir:
	case SYS_fchdir:
	case SYS_chroot:
		return true;
	default:
		return rules_memory(nr);
	}
}

static bool harmless_to_fd(unsigned int effect)
{
	return effect == SYSVM_EFFECT_PURE || effect == SYSVM_EFFECT_QUIET || effect == SYSVM_EFFECT_ADVICE;
}

/* Not at other processes (getppid) or the time. */
static bool looks_at_file(const struct sysvm_syscall_info *info)
{
	unsigned int first = info->nargs ? info->arg[0].kind : SYSVM_KIND_NONE;

	return first == SYSVM_KIND_PATH || first == SYSVM_KIND_FD || first == SYSVM_KIND_DIRFD;
}

void rules_init(void)
{
	for (unsigned int nr = 0; nr < AHEAD_CALLS; nr++) {
		const struct sysvm_syscall_info *info = sysvm_syscall_by_nr(nr);
		uint8_t rule = 0;

		if (!info) {
			ahead.rule[nr] = RULE_WATCH; /* an unknown call: facts_after forgets everything */
			continue;
		}
		if (info->effect == SYSVM_EFFECT_QUIET || nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_madvise)
			rule |= RULE_QUIET;
		if (nr == SYS_close)
			rule |= RULE_CLOSE;
		if (ahead.set.relaxed_age && info->effect == SYSVM_EFFECT_PURE && !(info->flags & SYSVM_FLAG_BLOCK) &&
		    looks_at_file(info))
			rule |= RULE_LOOK;
		for (unsigned int i = 0; i < info->nargs; i++)
			if (info->arg[i].kind == SYSVM_KIND_FD && !harmless_to_fd(info->effect))
				rule |= RULE_WATCH;
		if (watched(nr) || info->result == SYSVM_RESULT_FD || info->effect == SYSVM_EFFECT_FD)
			rule |= RULE_WATCH;
		if (info->index >= 0 && (info->effect <= SYSVM_EFFECT_PRIV || info->effect == SYSVM_EFFECT_MUT) &&
		    nr != SYS_ioctl && nr != SYS_fcntl && nr != SYS_mmap)
			rule |= RULE_RIDE;
		ahead.rule[nr] = rule;
	}
	for (uint32_t p = 0; p < ahead.svp.nprocs; p++) {
		const struct svp_proc *proc = &ahead.svp.procs[p];

		for (uint32_t t = 0; t < proc->triggers; t++) {
			uint32_t nr = ahead.svp.triggers[proc->first_trigger + t].nr;

			if (nr >= AHEAD_CALLS || ahead.proc[p].off)
				continue;
			if (proc->mode == SVP_RUN_AHEAD)
				ahead.rule[nr] |= RULE_TRIGGER;
			else if (proc->mode == SVP_ANSWER)
				ahead.rule[nr] |= RULE_ANSWER;
		}
	}
}

static const struct sysvm_command_info *command(const struct svp_follower *f)
{
	if (f->arg[1].kind != SVP_ARG_CONST)
		return NULL;
	return f->nr == SYS_fcntl ? sysvm_fcntl_by_cmd((unsigned int)f->arg[1].value) :
				    sysvm_ioctl_by_cmd((unsigned int)f->arg[1].value);
}

static bool by_command(uint32_t nr)
{
	return nr == SYS_fcntl || nr == SYS_ioctl;
}

/* Is it a look at a path that is kept, from the root? Whether it may be looked at is asked before each run. */
bool rules_kept(const struct svp_follower *f)
{
	return f->nr == SYS_newfstatat && f->arg[1].kind == SVP_ARG_KEPT && f->arg[2].kind == SVP_ARG_OUT &&
	       f->arg[0].kind == SVP_ARG_CONST && (int)f->arg[0].value == AT_FDCWD && f->arg[3].kind == SVP_ARG_CONST &&
	       (f->arg[3].value == 0 || f->arg[3].value == AT_SYMLINK_NOFOLLOW);
}

/* Conditions that depend on the follower alone; those on its descriptor are in trigger.c. */
bool rules_follower(const struct svp_follower *f)
{
	const struct sysvm_syscall_info *info = sysvm_syscall_by_nr(f->nr);
	bool path = false;

	if (!info || info->index < 0 || !(info->flags & SYSVM_FLAG_AHEAD) || f->nargs != info->nargs)
		return false;
	if (by_command(f->nr)) {
		const struct sysvm_command_info *c = command(f);

		if (!c || !(c->flags & SYSVM_FLAG_AHEAD))
			return false;
	}
	if (rules_kept(f))
		return true;
	/* Only the query of the position: anything else moves it in a way that is not taken back. */
	if (f->nr == SYS_lseek && !(f->arg[1].kind == SVP_ARG_CONST && f->arg[1].value == 0 &&
				    f->arg[2].kind == SVP_ARG_CONST && f->arg[2].value == SEEK_CUR))
		return false;
	for (unsigned int i = 0; i < info->nargs; i++) {
		unsigned int kind = info->arg[i].kind;
		const struct svp_arg *a = &f->arg[i];

		if (kind == SYSVM_KIND_PATH) {
			path = true;
			if (a->kind != SVP_ARG_PATH && a->kind != SVP_ARG_STRING)
				return false;
		} else if (a->kind == SVP_ARG_PATH || a->kind == SVP_ARG_STRING) {
			return false;
		} else if (kind == SYSVM_KIND_OUT || kind == SYSVM_KIND_OUTS || kind == SYSVM_KIND_OUTN) {
			if (a->kind != SVP_ARG_OUT)
				return false;
		} else if (a->kind == SVP_ARG_OUT) {
			if (!by_command(f->nr))
				return false;
		} else if (a->kind == SVP_ARG_COUNT) {
			if (i == 0 || f->arg[i - 1].kind != SVP_ARG_OUT)
				return false;
		} else if (a->kind != SVP_ARG_CONST && a->kind != SVP_ARG_REG) {
			if (!(by_command(f->nr) && i == 2 && command(f)->arg.kind == SYSVM_KIND_NONE))
				return false; /* every argument that the call looks at is compared */
		}
	}
	/* A path is followed only by newfstatat, below a descriptor: "" on it, or the trigger's own name, no link. */
	if (path) {
		const struct svp_arg *name = &f->arg[1], *flags = &f->arg[3];

		if (f->nr == SYS_statx) /* of the descriptor itself */
			return name->kind == SVP_ARG_STRING && f->arg[2].kind == SVP_ARG_CONST &&
			       (f->arg[2].value & AT_EMPTY_PATH) && !(f->arg[2].value & AT_STATX_FORCE_SYNC);
		if (f->nr != SYS_newfstatat || flags->kind != SVP_ARG_CONST)
			return false;
		if (name->kind == SVP_ARG_STRING)
			return flags->value == AT_EMPTY_PATH;
		return flags->value == AT_SYMLINK_NOFOLLOW;
	}
	return true;
}

static bool wide(unsigned int kind)
{
	switch (kind) {
	case SYSVM_KIND_FD:
	case SYSVM_KIND_DIRFD:
	case SYSVM_KIND_INT:
	case SYSVM_KIND_UINT:
	case SYSVM_KIND_FLAGS:
	case SYSVM_KIND_MODE:
	case SYSVM_KIND_CMD:
		return false;
	default:
		return true;
	}
}

static enum undo undo_of(const struct svp_follower *f, unsigned int undo)
{
	switch (undo) {
	case SYSVM_UNDO_NONE:
		return UNDO_NONE;
	case SYSVM_UNDO_SEEK: /* lseek only asks for the position (rules_follower) */
		return f->nr == SYS_lseek ? UNDO_NONE : UNDO_SEEK;
	case SYSVM_UNDO_CLOSE:
		return UNDO_CLOSE;
	case SYSVM_UNDO_CLRFD:
		return UNDO_CLOEXEC;
	default:
		return UNDO_NEVER;
	}
}

/* Calls that change nothing that is kept here but the position that make_quick knows, and that no row of dispatch.c is
   about: entry.S may serve them. */
static bool plain(uint32_t nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_pread64:
	case SYS_fstat:
	case SYS_newfstatat:
	case SYS_statx:
	case SYS_fadvise64:
		return true;
	default:
		return false;
	}
}

/* f has passed rules_follower. */
void rules_prepare(const struct svp_follower *f, struct follower_rule *rule)
{
	const struct sysvm_syscall_info *info = sysvm_syscall_by_nr(f->nr);
	const struct sysvm_command_info *c = by_command(f->nr) ? command(f) : NULL;

	*rule = (struct follower_rule){ .undo = (uint8_t)undo_of(f, c ? c->undo : info->undo),
					.out = 6,
					.plain = plain(f->nr) };
	for (unsigned int i = 0; i < info->nargs; i++) {
		struct sysvm_arg_info a = c && i == 2 ? c->arg : info->arg[i];

		switch (f->arg[i].kind) {
		case SVP_ARG_CONST:
		case SVP_ARG_REG: /* libraries leave junk above the 32 bits of an int */
			rule->quick[i] = rule->mask[i] = wide(a.kind) ? ~0ull : 0xffffffff;
			break;
		case SVP_ARG_KEPT:
		case SVP_ARG_PATH: /* the name may be another one by then */
			rule->plain = 0;
			/* fall through */
		case SVP_ARG_COUNT:
		case SVP_ARG_STRING:
			rule->quick[i] = ~0ull;
			rule->special |= (uint8_t)(1u << i);
			break;
		default:
			break;
		}
		if (f->arg[i].kind == SVP_ARG_OUT) {
			rule->out = (uint8_t)i;
			rule->out_bytes = a.kind == SYSVM_KIND_OUT;
			rule->out_size = a.kind == SYSVM_KIND_OUTS ? a.param : 0;
		}
	}
}
