// SPDX-License-Identifier: MIT
/*
 * Which loops over the dirents of a directory may run ahead at all: those whose calls change nothing, follow
 * no link (unless the call before has shown that there is none), and ask about nothing but the dirents, or a
 * kept path. Each procedure is checked at start-up. Tested by tests/shim/ahead/directory_test.cc.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/check.h"
#include "libsysvm/shim/known/procedures.h"
#include "libsysvm/shim/names/run.h"
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

/* These follow a link: allowed after a call that has shown that there is none. */
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

	if (!info || info->index < 0 || info->effect != SYSVM_EFFECT_PURE ||
	    !(info->flags & SYSVM_FLAG_AHEAD) || f->nargs != info->nargs)
		return false;
	if (!first && follower_is_kept(f)) { /* not a dirent's: names/kept.c decides before each run */
		follower_prepare(f, rule);
		return true;
	}
	if (!follows_no_link(f) && (first || !may_follow_none(f->nr)))
		return false;
	for (unsigned int i = 0; i < info->nargs; i++) {
		const struct svp_arg *a = &f->arg[i];
		unsigned int kind = info->arg[i].kind;

		if (kind == SYSVM_KIND_PATH) {
			/* A name is looked up in the directory's own descriptor, a path where the open looked
			   it up. */
			if (i == 1 ? (a->kind == SVP_ARG_NAME) != (f->arg[0].kind == SVP_ARG_REG) :
				     a->kind == SVP_ARG_NAME)
				return false;
			if (!run_is_dirent(a))
				return false;
			path = true;
		} else if (kind == SYSVM_KIND_DIRFD) {
			if (a->kind != SVP_ARG_REG &&
			    !(a->kind == SVP_ARG_CONST && (int)a->value == AT_FDCWD))
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
	follower_prepare(f, rule);
	return rule->undo == UNDO_NONE;
}

/* Is the trigger a call about a dirent, and one that this loop may start at? */
static bool trigger_allowed(const struct svp_trigger *trigger, const struct svp_proc *p,
			    const struct svp_loop *l, bool pool, bool *at_dirent)
{
	const struct svp_follower *first = &svp.followers[p->first_follower + l->first];

	*at_dirent = false;
	for (unsigned int i = 0; i < 6; i++) {
		if (run_is_dirent(&trigger->arg[i]) && (trigger->arg[i].kind == SVP_ARG_ROW) != pool)
			return false;
		*at_dirent |= run_is_dirent(&trigger->arg[i]);
	}
	if (!*at_dirent)
		return !pool;
	/* The first record answers the trigger, so it must be that call. */
	return l->first == 0 && trigger->nr == first->nr && p->followers == l->followers;
}

bool check_loop(uint32_t number)
{
	const struct svp_proc *p = &svp.procs[number];
	const struct svp_loop *l = procedures[number].loop;
	uint32_t first = p->first_follower + l->first;
	const struct svp_follower *f = &svp.followers[first];
	bool pool = f->arg[0].kind == SVP_ARG_ROW || f->arg[1].kind == SVP_ARG_ROW;

	for (uint32_t i = 0; i < l->followers; i++)
		if (!follower_allowed(&f[i], i == 0, &follower_rules[first + i]))
			return false;
	if (pool && (l->followers != 1 || !shows_kind(f->nr))) /* the code asks whether it is a directory */
		return false;
	for (uint32_t t = 0; t < p->triggers; t++) {
		bool at_dirent;

		if (!trigger_allowed(&svp.triggers[p->first_trigger + t], p, l, pool, &at_dirent))
			return false;
		if (t && at_dirent != procedures[number].at_dirent)
			return false;
		procedures[number].at_dirent = at_dirent;
	}
	return true;
}
