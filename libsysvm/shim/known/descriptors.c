// SPDX-License-Identifier: MIT
/*
 * What is known about each descriptor.
 *
 * A descriptor is `mine` from the read-only open that this process made until anything hands it on: fork, exec,
 * dup, a control message, a mapping, a call that the table does not know as harmless. Only what is mine is read
 * ahead, answered or closed late. Facts never come from guesses: each is a result that the kernel gave.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "uapi/syscalls.h"

#define O_TMPFILE_BIT 020000000

static uint32_t descriptions;

struct fd_fact *fact(uint64_t fd)
{
	/* The kernel looks at the low 32 bits. */
	return (uint32_t)fd < AHEAD_FDS ? &ahead.fd[(uint32_t)fd] : NULL;
}

bool facts_read_only(uint64_t flags)
{
	return (flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_DIRECT | O_ASYNC | O_TMPFILE_BIT)) == O_RDONLY;
}

void facts_opened(int fd, uint64_t flags)
{
	struct fd_fact *f = fact((uint64_t)fd);

	if (!f)
		return;
	f->mine = facts_read_only(flags);
	f->ours = !(flags & (O_TRUNC | O_PATH | O_DIRECT | O_ASYNC | O_TMPFILE_BIT)) && (flags & O_ACCMODE) != O_WRONLY;
	f->description = ++descriptions;
	f->kind = KIND_UNKNOWN;
	f->shared = 0;
	f->cloexec = (flags & O_CLOEXEC) != 0;
	f->getfl = -1;
	f->position = 0;
}

bool facts_stat(int fd, const unsigned char *bytes, uint64_t *noatime)
{
	const struct stat *st = (const struct stat *)bytes;
	struct fd_fact *f = fact((uint64_t)fd);

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

static void not_ours(struct fd_fact *f)
{
	f->mine = f->ours = 0;
}

void facts_forget_all(void)
{
	for (unsigned int i = 0; i < AHEAD_FDS; i++)
		not_ours(&ahead.fd[i]);
}

static void duplicated(uint64_t from, int64_t to, int cloexec)
{
	struct fd_fact *a = fact(from), *b = fact((uint64_t)to);

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

static void fcntl_after(const struct shim_call *c, struct fd_fact *f)
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
	case F_SETLK: /* the lock is the process's own, and changes nothing about the descriptor */
	case F_SETLKW:
		ahead.locks = 1;
		if (f)
			f->mine = 0;
		break;
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
	case F_SETLEASE:
		ahead.locks = 1;
		/* fall through */
	default:
		if (f)
			not_ours(f);
	}
}

/* A call that does something to its descriptors which the facts do not follow. */
static void not_followed(const struct shim_call *c)
{
	const struct sysvm_syscall_info *info = sysvm_syscall_by_nr((unsigned int)c->nr);

	if (!info) {
		facts_forget_all();
		return;
	}
	for (unsigned int i = 0; i < info->nargs; i++) {
		struct fd_fact *f = info->arg[i].kind == SYSVM_KIND_FD ? fact(c->arg[i]) : NULL;

		if (f)
			not_ours(f);
	}
}

/* A call of the application has been made, by itself or inside a run; c->result is what the kernel said. */
void facts_after(const struct shim_call *c)
{
	struct fd_fact *f = fact(c->arg[0]);

	switch (c->nr) {
	case SYS_open:
		if (c->result >= 0) {
			facts_opened((int)c->result, c->arg[1]);
			listing_opened(c, c->arg[0]);
		}
		break;
	case SYS_openat:
		if (c->result >= 0) {
			facts_opened((int)c->result, c->arg[2]);
			if ((int)c->arg[0] == AT_FDCWD)
				listing_opened(c, c->arg[1]);
		}
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
		ahead.locks = 1;
		break;
	case SYS_read:
		if (f && f->position >= 0 && f->kind != KIND_DIRECTORY)
			f->position = c->result >= 0 ? f->position + c->result : -1;
		break;
	case SYS_lseek:
		if (f && c->arg[2] != SEEK_CUR)
			listing_forget(f->description);
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
	case SYS_getdents64: /* the position is the cookie of the last entry */
		if (f && c->result > 0) {
			const unsigned char *p = (const unsigned char *)c->arg[1];
			int64_t at = 0;

			if (!memory_writable(c->arg[1], (uint64_t)c->result, c->sp)) {
				f->position = -1;
				break;
			}
			while (at < c->result) {
				uint16_t length = *(const uint16_t *)(p + at + 16);

				f->position = *(const int64_t *)(p + at + 8);
				if (!length)
					break;
				at += length;
			}
			listing_seen(c);
		}
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
		facts_forget_all();
		break;
	case SYS_chdir: /* a path means another directory now */
	case SYS_fchdir:
	case SYS_chroot:
		listing_forget_all();
		kept_forget();
		mounts_moved();
		/* fall through */
	default:
		not_followed(c);
	}
}
