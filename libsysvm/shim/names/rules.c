// SPDX-License-Identifier: MIT
/*
 * Which loops over a directory's entries may run ahead at all: looks that change nothing, follow no link that was not seen to be
 * none, and ask about nothing but the entries (or a kept path). Asked of each procedure at init.
 * Tested by tests/shim/ahead/directory_test.cc.
 */
#include "libsysvm/shim/names/names.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "uapi/syscalls.h"

static bool follows_no_link(const struct svp_follower *f)
{
	switch (f->nr) {
	case SYS_newfstatat:
		return f->arg[3].kind == SVP_ARG_CONST && (f->arg[3].value & AT_SYMLINK_NOFOLLOW) &&
		       !(f->arg[3].value & AT_EMPTY_PATH);
	case SYS_statx:
		return f->arg[2].kind == SVP_ARG_CONST && (f->arg[2].value & AT_SYMLINK_NOFOLLOW) &&
		       !(f->arg[2].value & (AT_EMPTY_PATH | AT_STATX_FORCE_SYNC));
	case SYS_lstat:
	case SYS_lgetxattr:
	case SYS_llistxattr:
	case SYS_readlink:
	case SYS_readlinkat:
		return true;
	default:
		return false;
	}
}

/* These follow a link: allowed behind a look that has shown that the entry is none. */
static bool may_follow_none(uint32_t nr)
{
	return nr == SYS_getxattr || nr == SYS_listxattr || nr == SYS_access || nr == SYS_faccessat;
}

static bool shows_kind(uint32_t nr)
{
	return nr == SYS_newfstatat || nr == SYS_statx || nr == SYS_lstat;
}

static bool follower_allowed(const struct svp_follower *f, bool first, struct follower_rule *rule)
{
	const struct sysvm_syscall_info *info = sysvm_syscall_by_nr(f->nr);
	bool path = false;

	if (!info || info->index < 0 || info->effect != SYSVM_EFFECT_PURE || !(info->flags & SYSVM_FLAG_AHEAD) ||
	    f->nargs != info->nargs)
		return false;
	if (!first && rules_kept(f)) { /* no entry's path: which may be looked at is asked before each run (mounts_path) */
		rules_prepare(f, rule);
		return true;
	}
	if (!follows_no_link(f) && (first || !may_follow_none(f->nr)))
		return false;
	for (unsigned int i = 0; i < info->nargs; i++) {
		const struct svp_arg *a = &f->arg[i];
		unsigned int kind = info->arg[i].kind;

		if (kind == SYSVM_KIND_PATH) {
			/* A name is looked up in the directory's own descriptor, a path where the open looked it up. */
			if (i == 1 ? (a->kind == SVP_ARG_NAME) != (f->arg[0].kind == SVP_ARG_REG) :
				     a->kind == SVP_ARG_NAME)
				return false;
			if (!is_entry(a))
				return false;
			path = true;
		} else if (kind == SYSVM_KIND_DIRFD) {
			if (a->kind != SVP_ARG_REG && !(a->kind == SVP_ARG_CONST && (int)a->value == AT_FDCWD))
				return false;
		} else if (kind == SYSVM_KIND_OUT || kind == SYSVM_KIND_OUTS || kind == SYSVM_KIND_OUTN) {
			if (a->kind != SVP_ARG_OUT)
				return false;
		} else if (kind == SYSVM_KIND_STR ? a->kind != SVP_ARG_STRING :
						    a->kind != SVP_ARG_CONST && a->kind != SVP_ARG_COUNT) {
			return false;
		}
	}
	if (!path)
		return false;
	rules_prepare(f, rule);
	return rule->undo == UNDO_NONE;
}

bool directory_allowed(uint32_t number)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	const struct svp_loop *l = ahead.proc[number].loop;
	const struct svp_follower *looks = &ahead.svp.followers[p->first_follower + l->first];
	bool at_entry = false, row = looks->arg[path_of(looks)].kind == SVP_ARG_ROW;

	for (uint32_t i = 0; i < l->followers; i++) {
		uint32_t f = p->first_follower + l->first + i;

		if (!follower_allowed(&ahead.svp.followers[f], i == 0, &ahead.follower[f]))
			return false;
	}
	if (row && (l->followers != 1 || !shows_kind(looks->nr))) /* the code asks whether it is a directory */
		return false;
	for (uint32_t t = 0; t < p->triggers; t++) {
		const struct svp_trigger *trigger = &ahead.svp.triggers[p->first_trigger + t];
		const struct svp_follower *first = &ahead.svp.followers[p->first_follower + l->first];
		bool names = false;

		for (unsigned int i = 0; i < 6; i++) {
			names |= is_entry(&trigger->arg[i]);
			if (is_entry(&trigger->arg[i]) && (trigger->arg[i].kind == SVP_ARG_ROW) != row)
				return false;
		}
		if (row && !names)
			return false;
		/* The trigger is what the first record answers, so it must be that call. */
		if (names && (l->first != 0 || trigger->nr != first->nr || p->followers != l->followers))
			return false;
		if (t && names != at_entry)
			return false;
		at_entry = names;
	}
	ahead.proc[number].at_entry = at_entry;
	return true;
}
