// SPDX-License-Identifier: MIT
/*
 * What is known about each descriptor.
 *
 * A descriptor is `mine` from the read-only open that this process made until anything passes it on: fork,
 * exec, dup, a control message, a mapping, a call that the table does not know as harmless. Only what is mine
 * is read ahead, answered or closed late. Nothing here is a guess: each fact is a result that the kernel
 * gave.
 * Tested by tests/shim/hazards (passing, shared_flag, closes) and tests/shim/ahead.
 */
#include "libsysvm/shim/known/descriptors.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/devices.h"
#include "libsysvm/shim/known/memory.h"
#include "uapi/syscalls.h"

#define O_TMPFILE_BIT 020000000

static struct descriptor table[DESCRIPTORS];
static uint32_t descriptions;
static bool locks;

void descriptors_reset(void)
{
	bytes_zero(table, sizeof(table));
	locks = false;
}

bool descriptors_locked(void)
{
	return locks;
}

struct descriptor *descriptor(uint64_t fd)
{
	/* The kernel uses the low 32 bits. */
	return (uint32_t)fd < DESCRIPTORS ? &table[(uint32_t)fd] : NULL;
}

bool descriptors_read_only(uint64_t flags)
{
	return (flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_DIRECT | O_ASYNC | O_TMPFILE_BIT)) ==
	       O_RDONLY;
}

static void opened(int fd, uint64_t flags)
{
	struct descriptor *f = descriptor((uint64_t)fd);

	if (!f)
		return;
	f->mine = descriptors_read_only(flags);
	f->ours = !(flags & (O_TRUNC | O_PATH | O_DIRECT | O_ASYNC | O_TMPFILE_BIT)) &&
		  (flags & O_ACCMODE) != O_WRONLY;
	f->description = ++descriptions;
	f->kind = KIND_UNKNOWN;
	f->shared = 0;
	f->cloexec = (flags & O_CLOEXEC) != 0;
	f->getfl = -1;
	f->position = 0;
}

bool descriptors_stat(int fd, const unsigned char *bytes, uint64_t *noatime)
{
	const struct stat *st = (const struct stat *)bytes;
	struct descriptor *f = descriptor((uint64_t)fd);

	if (!f || !(f->mine || f->ours))
		return false;
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return false;
	if (device_of_fd(fd, st->st_dev, noatime) != DEVICE_GOOD)
		return false;
	f->kind = S_ISREG(st->st_mode) ? KIND_REGULAR : KIND_DIRECTORY;
	f->device = st->st_dev;
	f->inode = st->st_ino;
	f->noatime = *noatime != 0;
	return true;
}

static void not_ours(struct descriptor *f)
{
	f->mine = f->ours = 0;
}

void descriptors_forget_all(void)
{
	for (unsigned int i = 0; i < DESCRIPTORS; i++)
		not_ours(&table[i]);
}

static void duplicated(uint64_t from, int64_t to, int cloexec)
{
	struct descriptor *a = descriptor(from), *b = descriptor((uint64_t)to);

	if (to < 0)
		return;
	if (!a || !b) { /* a copy that cannot be followed */
		if (a)
			not_ours(a);
		if (b)
			not_ours(b);
		return;
	}
	if (a == b)
		return;
	a->shared = 1;
	*b = *a;
	b->cloexec = (uint8_t)cloexec;
}

static void fcntl_after(const struct shim_call *c, struct descriptor *f)
{
	switch (c->arg[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		duplicated(c->arg[0], c->result, c->arg[1] == F_DUPFD_CLOEXEC);
		break;
	case F_GETFD:
	case F_GETPIPE_SZ:
	case F_GETLK:
		break;
	case F_SETFD:
		if (f && c->result == 0)
			f->cloexec = c->arg[2] & FD_CLOEXEC;
		break;
	case F_GETFL:
		if (f && c->result >= 0)
			f->getfl = (int32_t)c->result;
		break;
	case F_SETFL:
		if (f)
			f->getfl = -1;
		break;
	case F_SETLK: /* the lock belongs to the process, and changes nothing about the descriptor */
	case F_SETLKW:
		locks = true;
		if (f)
			f->mine = 0;
		break;
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
	case F_SETLEASE:
		locks = true;
		/* fall through */
	default:
		if (f)
			not_ours(f);
	}
}

static int64_t last_cookie(const struct shim_call *c)
{
	const unsigned char *p = (const unsigned char *)c->arg[1];
	int64_t at = 0, cookie = -1;

	if (!memory_writable(c->arg[1], (uint64_t)c->result, c->sp))
		return -1;
	while (at < c->result) {
		uint16_t length = *(const uint16_t *)(p + at + 16);

		cookie = *(const int64_t *)(p + at + 8);
		if (!length)
			break;
		at += length;
	}
	return cookie;
}

void descriptors_mapped(uint64_t fd)
{
	struct descriptor *f = descriptor(fd);

	if (f)
		not_ours(f);
}

/* A call whose effect on its descriptors is not followed here. */
static void not_followed(const struct shim_call *c)
{
	const struct sysvm_syscall_info *info = sysvm_syscall_by_nr((unsigned int)c->nr);

	if (!info) {
		descriptors_forget_all();
		return;
	}
	for (unsigned int i = 0; i < info->nargs; i++) {
		struct descriptor *f = info->arg[i].kind == SYSVM_KIND_FD ? descriptor(c->arg[i]) : NULL;

		if (f)
			not_ours(f);
	}
}

void descriptors_after(const struct shim_call *c)
{
	struct descriptor *f = descriptor(c->arg[0]);

	switch (c->nr) {
	case SYS_open:
		if (c->result >= 0)
			opened((int)c->result, c->arg[1]);
		break;
	case SYS_openat:
		if (c->result >= 0)
			opened((int)c->result, c->arg[2]);
		break;
	case SYS_close:
		if (f)
			not_ours(f);
		break;
	case SYS_dup:
		duplicated(c->arg[0], c->result, 0);
		break;
	case SYS_dup2:
	case SYS_dup3:
		duplicated(c->arg[0], c->result, c->nr == SYS_dup3 && (c->arg[2] & O_CLOEXEC));
		break;
	case SYS_fcntl:
		fcntl_after(c, f);
		break;
	case SYS_flock:
		locks = true;
		break;
	case SYS_read:
		if (f && f->position >= 0 && f->kind != KIND_DIRECTORY)
			f->position = c->result >= 0 ? f->position + c->result : -1;
		break;
	case SYS_lseek:
		if (f)
			f->position = c->result >= 0 ? c->result : -1;
		break;
	case SYS_pread64:
	case SYS_fstat:
	case SYS_newfstatat:
	case SYS_statx:
	case SYS_fadvise64:
	case SYS_fstatfs:
	case SYS_readahead:
		break;
	case SYS_getdents64: /* the position is the cookie of the last dirent */
		if (f && c->result > 0)
			f->position = last_cookie(c);
		break;
	case SYS_ioctl: {
		const struct sysvm_command_info *command = sysvm_ioctl_by_cmd((unsigned int)c->arg[1]);

		if (f && (!command || command->effect != SYSVM_EFFECT_PURE))
			not_ours(f);
		break;
	}
	case SYS_sendmsg: /* may carry descriptors */
	case SYS_sendmmsg:
	case SYS_close_range:
		descriptors_forget_all();
		break;
	default:
		not_followed(c);
	}
}
