// SPDX-License-Identifier: MIT
/*
 * Which followers may be run ahead at all: the conditions that depend on the follower alone
 * (docs/semantics.md), and what is compared when the application makes the call. Each follower is checked at
 * start-up; the conditions on its descriptor are in check.c. Tested by tests/shim/ahead.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/check.h"
#include "uapi/syscalls.h"

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

/* A stat of a kept path, from the root. Whether the path may be looked up is asked before each run
   (names/kept.c). */
bool follower_is_kept(const struct svp_follower *f)
{
	return f->nr == SYS_newfstatat && f->arg[1].kind == SVP_ARG_KEPT && f->arg[2].kind == SVP_ARG_OUT &&
	       f->arg[0].kind == SVP_ARG_CONST && (int)f->arg[0].value == AT_FDCWD &&
	       f->arg[3].kind == SVP_ARG_CONST &&
	       (f->arg[3].value == 0 || f->arg[3].value == AT_SYMLINK_NOFOLLOW);
}

bool follower_may_run(const struct svp_follower *f)
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
	if (follower_is_kept(f))
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
				return false; /* every argument that the call uses is compared */
		}
	}
	/* Only the stat calls may have a path: "" for the descriptor itself, or the trigger's own name, no
	   link. */
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
	case SYSVM_UNDO_SEEK: /* lseek only asks for the position (follower_may_run) */
		return f->nr == SYS_lseek ? UNDO_NONE : UNDO_SEEK;
	case SYSVM_UNDO_CLOSE:
		return UNDO_CLOSE;
	case SYSVM_UNDO_CLRFD:
		return UNDO_CLOEXEC;
	default:
		return UNDO_NEVER;
	}
}

/* Calls that change nothing that is known but a position, and that process/dispatch.c leaves alone: entry.S
   may serve them. */
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

void follower_prepare(const struct svp_follower *f, struct follower_rule *rule)
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
			rule->exact[i] = rule->mask[i] = wide(a.kind) ? ~0ull : 0xffffffff;
			break;
		case SVP_ARG_KEPT:
		case SVP_ARG_PATH: /* the name may be another one by then */
			rule->plain = 0;
			/* fall through */
		case SVP_ARG_COUNT:
		case SVP_ARG_STRING:
			rule->exact[i] = ~0ull;
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
