// SPDX-License-Identifier: MIT
/*
 * Random arguments of a call, good for their kind as the system call table names it. What the table cannot
 * say is here: flags that mean something, what would block (nothing may), and what would reach beyond the
 * scratch tree and the process.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "calls.h"

#define PICK(c, ...)                                                                                         \
	((const uint64_t[]){__VA_ARGS__}[next((c)->random) % (sizeof((uint64_t[]){__VA_ARGS__}) / 8)])

static uint64_t buffer(struct call *c)
{
	return ARENA + next(c->random) % ((ARENA_SIZE - 4096) / 8) * 8;
}

static void set(struct call *c, unsigned int i, uint64_t v)
{
	c->arg[i] = (struct argument){VALUE, v};
	c->fixed |= 1u << i;
}

static void set_constant(struct call *c, unsigned int i, enum constant kind)
{
	c->arg[i] = (struct argument){CONSTANT, constant(kind, next(c->random))};
}

/* Mostly a good one of its kind. */
static void choose(struct call *c, unsigned int i)
{
	const struct sysvm_arg_info *info = &c->row->arg[i];
	struct argument *a = &c->arg[i];
	uint64_t r = next(c->random);

	a->how = VALUE;
	switch (info->kind) {
	case SYSVM_KIND_FD:
		if (r % 2)
			*a = (struct argument){REGISTER, R_FD + r / 2 % R_FDS};
		else if (c->row->index >= SYSVM_CALL_socket && c->row->index <= SYSVM_CALL_getpeername)
			a->v = PICK(c, 5, 6, 9, 10, 11, 3);
		else
			a->v = r / 2 % 12;
		break;
	case SYSVM_KIND_DIRFD:
		a->v = r % 4 ? (uint64_t)AT_FDCWD : r / 4 % 10;
		break;
	case SYSVM_KIND_PATH:
		set_constant(c, i, C_PATHS);
		break;
	case SYSVM_KIND_STR:
		set_constant(c, i, C_NAMES);
		break;
	case SYSVM_KIND_MODE:
		a->v = r % 010000;
		break;
	case SYSVM_KIND_SIZE:
		a->v = PICK(c, 0, 1, 8, 100, 500, 1024, 2048);
		break;
	case SYSVM_KIND_OFF:
		a->v = PICK(c, 0, 1, 50, 500, 4096, 10000, 70000, (uint64_t)-1);
		break;
	case SYSVM_KIND_FLAGS:
		a->v = 0;
		break;
	case SYSVM_KIND_IN:
	case SYSVM_KIND_OUT:
	case SYSVM_KIND_OUTN:
	case SYSVM_KIND_INS:
	case SYSVM_KIND_OUTS:
		a->v = buffer(c);
		break;
	case SYSVM_KIND_IOV_IN:
	case SYSVM_KIND_IOV_OUT:
		set_constant(c, i, C_IOVS);
		break;
	case SYSVM_KIND_MSG_IN:
	case SYSVM_KIND_MSG_OUT:
		set_constant(c, i, C_MSGS);
		break;
	default:
		a->v = r % 4;
	}
}

/* Now and then something else: a register with whatever it holds, or a number that nobody expects. */
static void disturb(struct call *c, unsigned int i)
{
	unsigned int kind = c->row->arg[i].kind;

	if (c->fixed >> i & 1 || kind == SYSVM_KIND_CMD)
		return;
	if (next(c->random) % 10 == 0 &&
	    (kind == SYSVM_KIND_SIZE || kind == SYSVM_KIND_OFF || kind == SYSVM_KIND_INT ||
	     kind == SYSVM_KIND_MODE || kind == SYSVM_KIND_IN))
		c->arg[i] = (struct argument){REGISTER, R_VALUE + next(c->random) % R_VALUES};
	else if (next(c->random) % 24 == 0)
		c->arg[i] =
			(struct argument){VALUE, PICK(c, 0, 16, (uint64_t)-1, 1ull << 63, 0xffffffff81000000,
						      0x7fffffff, 0x80000000, NOWHERE, 0x8000000000000000)};
}

/* A buffer whose size is at a second address. */
static void set_sized(struct call *c, unsigned int address, unsigned int size_at, uint64_t size)
{
	c->arg[address] = (struct argument){VALUE, buffer(c)};
	c->length_at = buffer(c);
	c->length = size;
	set(c, size_at, c->length_at);
}

static void set_window(struct call *c, unsigned int address, unsigned int size)
{
	set(c, address, WINDOW + 4096 * (next(c->random) % WINDOW_PAGES));
	set(c, size, 4096 * (1 + next(c->random) % 3));
}

static void choose_fcntl(struct call *c)
{
	static const struct {
		int command;
		enum { NOTHING, BITS, NUMBER, LOCK, STATUS } argument;
	} commands[] = {{F_GETFD, NOTHING}, {F_SETFD, BITS},   {F_GETFL, NOTHING},
			{F_SETFL, STATUS},  {F_DUPFD, NUMBER}, {F_DUPFD_CLOEXEC, NUMBER},
			{F_SETLK, LOCK},    {36 + 1, LOCK},    {F_GETOWN, NOTHING},
			{1031, NUMBER},	    {1032, NOTHING},   {1033, BITS},
			{1034, NOTHING},    {9999, NUMBER}};
	unsigned int which = next(c->random) % (sizeof(commands) / sizeof(commands[0]));

	set(c, 1, commands[which].command);
	switch (commands[which].argument) {
	case NOTHING:
		set(c, 2, 0);
		break;
	case BITS:
		set(c, 2, next(c->random) % 2);
		break;
	case NUMBER:
		set(c, 2, commands[which].command == 1031 ? PICK(c, 4096, 8192) : next(c->random) % 30);
		break;
	case LOCK:
		set_constant(c, 2, C_LOCKS);
		c->fixed |= 4;
		break;
	case STATUS:
		set(c, 2, O_NONBLOCK | PICK(c, 0, O_APPEND));
		break;
	}
}

static void choose_ioctl(struct call *c)
{
	set(c, 1,
	    PICK(c, FIONREAD, FIOCLEX, FIONCLEX, TCGETS, TIOCGWINSZ, FIGETBSZ, FIOQSIZE, FICLONE,
		 FICLONERANGE, FIONBIO));
	set(c, 2, buffer(c));
	if (c->arg[1].v == FICLONE)
		set(c, 2, next(c->random) % 8);
	if (c->arg[1].v == FICLONERANGE)
		set_constant(c, 2, C_CLONES);
	if (c->arg[1].v == FIONBIO) /* on, never off: nothing may wait */
		c->arg[2] = (struct argument){CONSTANT, constant(C_NUMBERS, 1)};
	c->fixed |= 4;
}

/* What the table cannot say. False: not for us. */
static bool choose_specially(struct call *c)
{
	const uint64_t open_flags =
		PICK(c, O_RDONLY, O_RDONLY, O_RDWR, O_WRONLY | O_CREAT, O_RDWR | O_CREAT | O_TRUNC,
		     O_RDWR | O_CREAT | O_EXCL, O_DIRECTORY, O_PATH, O_NOFOLLOW, O_APPEND | O_WRONLY,
		     O_TMPFILE | O_RDWR, O_RDONLY | O_CLOEXEC) |
		O_NONBLOCK;

	switch (c->row->index) {
	case SYSVM_CALL_open:
		set(c, 1, open_flags);
		break;
	case SYSVM_CALL_openat:
		set(c, 2, open_flags);
		break;
	case SYSVM_CALL_openat2:
		set_constant(c, 2, C_HOWS);
		set(c, 3, 24);
		break;
	case SYSVM_CALL_fcntl:
		choose_fcntl(c);
		break;
	case SYSVM_CALL_ioctl:
		choose_ioctl(c);
		break;
	case SYSVM_CALL_dup2:
	case SYSVM_CALL_dup3:
		set(c, 1, next(c->random) % 30);
		if (c->row->index == SYSVM_CALL_dup3)
			set(c, 2, PICK(c, 0, O_CLOEXEC));
		break;
	case SYSVM_CALL_pipe2:
		set(c, 1, O_NONBLOCK | PICK(c, 0, O_CLOEXEC));
		break;
	case SYSVM_CALL_lseek:
		set(c, 2, next(c->random) % 6);
		break;
	case SYSVM_CALL_flock:
		set(c, 1, LOCK_NB | PICK(c, LOCK_SH, LOCK_EX, LOCK_UN));
		break;
	case SYSVM_CALL_fallocate:
		set(c, 1,
		    PICK(c, 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 FALLOC_FL_ZERO_RANGE));
		break;
	case SYSVM_CALL_fadvise64:
		set(c, 3, next(c->random) % 7);
		break;
	case SYSVM_CALL_newfstatat:
		c->arg[3].v = PICK(c, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_NO_AUTOMOUNT);
		break;
	case SYSVM_CALL_statx:
		c->arg[2].v = PICK(c, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, AT_STATX_DONT_SYNC);
		c->arg[3].v = PICK(c, 0x7ff, 0x17ff, 0, 0x200);
		break;
	case SYSVM_CALL_access:
		c->arg[1].v = next(c->random) % 8;
		break;
	case SYSVM_CALL_faccessat:
	case SYSVM_CALL_faccessat2:
		c->arg[2].v = next(c->random) % 8;
		if (c->row->index == SYSVM_CALL_faccessat2)
			c->arg[3].v = PICK(c, 0, AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH);
		break;
	case SYSVM_CALL_unlinkat:
		c->arg[2].v = PICK(c, 0, AT_REMOVEDIR);
		break;
	case SYSVM_CALL_linkat:
		c->arg[4].v = PICK(c, 0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH);
		break;
	case SYSVM_CALL_symlink:
	case SYSVM_CALL_symlinkat:
		set_constant(c, 0, C_LINKS);
		break;
	case SYSVM_CALL_renameat2:
		c->arg[4].v = PICK(c, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, 4);
		break;
	case SYSVM_CALL_fchownat:
		c->arg[4].v = PICK(c, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH);
		break;
	case SYSVM_CALL_utimensat:
		set_constant(c, 2, C_TIMES);
		c->arg[3].v = PICK(c, 0, AT_SYMLINK_NOFOLLOW);
		break;
	case SYSVM_CALL_fgetxattr:
		if (next(c->random) % 2)
			set(c, 0, 0); /* f, which has one */
		break;
	case SYSVM_CALL_setxattr:
	case SYSVM_CALL_lsetxattr:
	case SYSVM_CALL_fsetxattr:
		c->arg[4].v = PICK(c, 0, 1, 2);
		break;
	case SYSVM_CALL_readv:
	case SYSVM_CALL_writev:
	case SYSVM_CALL_preadv:
	case SYSVM_CALL_preadv2:
		set(c, 2, next(c->random) % 5);
		if (c->row->index == SYSVM_CALL_preadv || c->row->index == SYSVM_CALL_preadv2)
			c->arg[4].v = 0;
		break;
	case SYSVM_CALL_sendfile:
	case SYSVM_CALL_copy_file_range:
	case SYSVM_CALL_splice: {
		unsigned int at = c->row->index == SYSVM_CALL_sendfile ? 2 : 1;

		set(c, at, 0);
		if (next(c->random) % 3 == 0) {
			c->length_at = buffer(c);
			c->length = next(c->random) % 600;
			set(c, at, c->length_at);
		}
		if (at == 1)
			set(c, 3, 0);
		if (c->row->index == SYSVM_CALL_splice)
			set(c, 5, 2 /* SPLICE_F_NONBLOCK */);
		break;
	}
	case SYSVM_CALL_socket:
		set(c, 0, AF_UNIX);
		set(c, 1, SOCK_NONBLOCK | PICK(c, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET));
		set(c, 2, 0);
		break;
	case SYSVM_CALL_bind:
	case SYSVM_CALL_connect:
		set_constant(c, 1, C_ADDRS);
		set(c, 2, PICK(c, 8, 24, 110)); /* shorter than 3 would draw a name by lot */
		c->fixed |= 2;
		break;
	case SYSVM_CALL_accept4:
		set_sized(c, 1, 2, 110);
		set(c, 3, SOCK_NONBLOCK);
		break;
	case SYSVM_CALL_getsockname:
	case SYSVM_CALL_getpeername:
		set_sized(c, 1, 2, PICK(c, 2, 24, 110));
		break;
	case SYSVM_CALL_getsockopt:
		set_sized(c, 3, 4, 4);
		set(c, 1, SOL_SOCKET);
		set(c, 2, PICK(c, SO_TYPE, SO_ERROR, SO_RCVBUF, SO_ACCEPTCONN, SO_DOMAIN, 9999));
		break;
	case SYSVM_CALL_setsockopt:
		set(c, 1, SOL_SOCKET);
		set(c, 2, PICK(c, SO_RCVBUF, SO_SNDBUF, SO_KEEPALIVE, 9999));
		set_constant(c, 3, C_NUMBERS);
		set(c, 4, PICK(c, 4, 4, 8, 1));
		break;
	case SYSVM_CALL_sendto:
		set(c, 3, MSG_DONTWAIT | MSG_NOSIGNAL);
		set_constant(c, 4, C_ADDRS);
		set(c, 5, PICK(c, 0, 8, 24, 110));
		if (next(c->random) % 2)
			set(c, 4, 0);
		break;
	case SYSVM_CALL_recvfrom:
		set(c, 3, MSG_DONTWAIT | PICK(c, 0, MSG_PEEK, MSG_TRUNC));
		set_sized(c, 4, 5, 110);
		break;
	case SYSVM_CALL_sendmsg:
		set(c, 2, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case SYSVM_CALL_recvmsg: /* writes into its msghdr: a copy of which must be made first, by hand */
		set(c, 1, buffer(c));
		c->length_at = 0;
		set(c, 2, MSG_DONTWAIT | PICK(c, 0, MSG_PEEK));
		break;
	case SYSVM_CALL_shutdown:
		set(c, 1, next(c->random) % 4);
		break;
	case SYSVM_CALL_listen:
		set(c, 1, 3);
		break;
	case SYSVM_CALL_epoll_create1:
		set(c, 0, PICK(c, 0, EPOLL_CLOEXEC));
		break;
	case SYSVM_CALL_epoll_ctl:
		if (next(c->random) % 2) {
			set(c, 0, 8);
			set(c, 2, PICK(c, 3, 4, 5, 9));
		}
		set(c, 1, 1 + next(c->random) % 3);
		set_constant(c, 3, C_EVENTS);
		break;
	case SYSVM_CALL_epoll_wait:
		set(c, 1, buffer(c));
		set(c, 2, 1 + next(c->random) % 8);
		set(c, 3, 0);
		break;
	case SYSVM_CALL_mmap:
		set_window(c, 0, 1);
		set(c, 2, next(c->random) % 8 & ~PROT_EXEC);
		set(c, 3, MAP_FIXED | PICK(c, MAP_PRIVATE, MAP_SHARED, MAP_PRIVATE | MAP_ANONYMOUS));
		set(c, 5, PICK(c, 0, 4096, 8192));
		break;
	case SYSVM_CALL_munmap:
		set_window(c, 0, 1);
		break;
	case SYSVM_CALL_madvise:
		set_window(c, 0, 1);
		set(c, 2, PICK(c, MADV_NORMAL, MADV_WILLNEED, MADV_DONTNEED, MADV_SEQUENTIAL, 9999));
		break;
	case SYSVM_CALL_prlimit64:
		set(c, 0, 0);
		set(c, 1, PICK(c, RLIMIT_NOFILE, RLIMIT_FSIZE));
		set_constant(c, 2, C_LIMITS);
		if (c->arg[1].v == RLIMIT_FSIZE || next(c->random) % 2)
			set(c, 2, 0);
		set(c, 3, buffer(c));
		c->fixed |= 4;
		break;
	case SYSVM_CALL_getrusage:
		set(c, 0, 0);
		set(c, 1, buffer(c));
		c->volatile_words = 0x3ffff;
		break;
	case SYSVM_CALL_getrandom:
		set(c, 1, PICK(c, 0, 8, 100, 256));
		set(c, 2, 1);
		c->volatile_words = 0xffffffff;
		break;
	case SYSVM_CALL_clock_gettime:
		c->arg[0].v = PICK(c, 0, 1, 4, 5, 6, 7, 99);
		c->volatile_words = 3;
		break;
	case SYSVM_CALL_stat:
	case SYSVM_CALL_lstat:
	case SYSVM_CALL_fstat:
		break;
	case SYSVM_CALL_statfs:
	case SYSVM_CALL_fstatfs:
		c->volatile_words = 0x7ffe;
		break;
	case SYSVM_CALL_getdents64:
		c->dirents = c->arg[1].v;
		c->fixed |= 2;
		break;
	case SYSVM_CALL_getpid:
	case SYSVM_CALL_gettid:
		c->minus = R_PID;
		break;
	case SYSVM_CALL_getppid:
		c->minus = R_PPID;
		break;
	case SYSVM_CALL_getgid:
	case SYSVM_CALL_getegid:
	case SYSVM_CALL_getpgrp:
	case SYSVM_CALL_getresuid:
	case SYSVM_CALL_getresgid:
		break;
	default:
		/*
		 * A call with an opcode of two bytes that is not named above: it may wait, or tell the time.
		 */
		if (c->row->index >= SHORT_CALLS)
			return false;
	}
	return true;
}

bool choose_arguments(struct call *c)
{
	for (unsigned int i = 0; i < c->row->nargs; i++)
		choose(c, i);
	return choose_specially(c);
}

void disturb_arguments(struct call *c)
{
	for (unsigned int i = 0; i < c->row->nargs; i++)
		disturb(c, i);
}
