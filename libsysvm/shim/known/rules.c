// SPDX-License-Identifier: MIT
/*
 * One byte for each system call number, derived from the table of system calls (uapi/syscalls.inc) at
 * start-up.
 *
 * Say the answers to fstat and read are outstanding. madvise is silent: it changes nothing that another
 * process could see or show, so they stay. write is not: a process that reads what was written may change the
 * file in turn, so they are dropped. Tested by tests/shim/hazards (news) and tests/shim/ahead.
 */
#include "libsysvm/shim/known/rules.h"

#include <stddef.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/quick.h"
#include "uapi/syscalls.h"

_Static_assert(offsetof(struct follower_rule, exact) == FOLLOWER_EXACT, "entry.S");

static uint8_t table[RULES];

uint8_t rules_of(uint64_t nr)
{
	return nr < RULES ? table[nr] : RULE_WATCH;
}

void rules_add(uint64_t nr, enum rule rule)
{
	if (nr < RULES)
		table[nr] |= (uint8_t)rule;
}

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

/* These change the descriptors, paths or mappings of this process. */
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

/* Not other processes (getppid) or the time. */
static bool reads_a_file(const struct sysvm_syscall_info *info)
{
	unsigned int first = info->nargs ? info->arg[0].kind : SYSVM_KIND_NONE;

	return first == SYSVM_KIND_PATH || first == SYSVM_KIND_FD || first == SYSVM_KIND_DIRFD;
}

static uint8_t rule_of(unsigned int nr, const struct sysvm_syscall_info *info, bool relaxed_age)
{
	uint8_t rule = 0;

	if (info->effect == SYSVM_EFFECT_QUIET || nr == SYS_munmap || nr == SYS_mprotect || nr == SYS_madvise)
		rule |= RULE_SILENT;
	if (nr == SYS_close)
		rule |= RULE_CLOSE;
	if (relaxed_age && info->effect == SYSVM_EFFECT_PURE && !(info->flags & SYSVM_FLAG_BLOCK) &&
	    reads_a_file(info))
		rule |= RULE_READS;
	for (unsigned int i = 0; i < info->nargs; i++)
		if (info->arg[i].kind == SYSVM_KIND_FD && !harmless_to_fd(info->effect))
			rule |= RULE_WATCH;
	if (watched(nr) || info->result == SYSVM_RESULT_FD || info->effect == SYSVM_EFFECT_FD)
		rule |= RULE_WATCH;
	if (info->index >= 0 && (info->effect <= SYSVM_EFFECT_PRIV || info->effect == SYSVM_EFFECT_MUT) &&
	    nr != SYS_ioctl && nr != SYS_fcntl && nr != SYS_mmap)
		rule |= RULE_RIDE;
	return rule;
}

void rules_reset(bool relaxed_age)
{
	for (unsigned int nr = 0; nr < RULES; nr++) {
		const struct sysvm_syscall_info *info = sysvm_syscall_by_nr(nr);

		/* After an unknown call nothing is known about any descriptor. */
		table[nr] = info ? rule_of(nr, info, relaxed_age) : RULE_WATCH;
	}
}
