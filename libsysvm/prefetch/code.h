/* SPDX-License-Identifier: MIT */
/*
 * The byte code that the prefetcher runs, and what its registers mean. Each run of a program is one request
 * of libsysvm-async: a helper thread runs it and blocks in it. Only the prefetcher's main thread (walk.c)
 * reads what the calls returned.
 *
 * Only these programs open files, all in the same way: first by O_PATH without following anything, then as
 * fstat says what it is. Nothing whose opening has an effect is ever opened: O_PATH opens neither a FIFO nor
 * a device and starts no automount.
 *
 * Tested by tests/prefetch.
 */
#ifndef SYSVM_PREFETCH_CODE_H
#define SYSVM_PREFETCH_CODE_H

#include <stdint.h>

#include "libsysvm/sysvm_async.h"

enum code_kind {
	CODE_ENTER, /* open a directory, read its dirents, stat the first of them */
	CODE_MORE,  /* read more dirents of an open directory, stat the first of them */
	CODE_LOOK,  /* stat what the dirents that were read name */
	CODE_DATA,  /* the same; read ahead the first bytes of regular files */
	CODE_LIST,  /* paths: look them up, read ahead the range that each has, read dirents */
	CODE_KINDS,
};

/*
 * CODE_LIST: the type of a dirent. Before its end stand, in 8 bytes each, the size that a file must have (all
 * bits set: any), and the seconds and nanoseconds of its mtime.
 */
enum code_type {
	CODE_TYPE_NAME = 4,
	CODE_TYPE_FILE = 8,
	CODE_TYPE_DIRENTS = 12,
};

/* Registers. in: set for each request; out: read from it. */
enum code_reg {
	REG_PARENT = 0,	      /* in, ENTER: descriptor that the name counts from */
	REG_NAME = 1,	      /* in, ENTER: address of the name */
	REG_HOW = 2,	      /* in: address of the struct open_how of every first open: O_PATH */
	REG_HOW_SIZE = 3,
	REG_STAT = 4,	      /* in: CODE_STAT_ROOM bytes; ENTER leaves the directory's struct stat there */
	REG_BUFFER = 5,	      /* in, ENTER, MORE: room for dirents; out: where the next would go */
	REG_ROOM = 6,	      /* in, ENTER, MORE: bytes of it */
	REG_DIRECTORY = 7,    /* flags of the second open of a directory, with O_NOATIME */
	REG_DOT = 8,	      /* address of "." */
	REG_EMPTY = 9,	      /* address of "" */
	REG_SCRATCH = 10,     /* in, LIST: room for dirents that nobody reads */
	REG_SCRATCH_ROOM = 11,
	REG_NOATIME = 12,     /* in: 1: reading never changes an atime here */
	REG_WINDOW = 13,      /* in: dirents to ask about in this request */
	REG_NUMBERS = 14,     /* address of the names in /proc/self/fd, 8 bytes each */
	REG_SELF = 15,	      /* descriptor of /proc/self/fd */
	REG_PART = 16,	      /* in, DATA: bytes of each file to be read ahead */
	REG_BYTES = 17,	      /* in: 0; out: bytes asked for */
	REG_FILES = 18,	      /* in: 0; out: files that were opened */
	REG_CHANGED = 19,     /* in: 0; out, LIST: files that are not what they were */
	REG_LISTED = 22,      /* in: 0; out, LIST: directories that were read */
	REG_WAIT = 23,	      /* in, DATA, LIST: 1: a request ends when its last file has been read */
	/* in: the open directory (ENTER: -EIO); out, ENTER: the directory, or an error */
	REG_FD = 20,
	REG_READ = 21,	      /* out, ENTER, MORE: what the latest getdents64 returned */
	REG_ATIME = 251,      /* in: seconds: a read renews an atime that is older than this */
	REG_ENTRY = 248,      /* in, out: the next dirent */
	REG_ENTRY_END = 247,  /* in, out: after the last dirent */
};

/* Define every program in pool. 0, or -errno with a message. */
int code_define(struct sysvm_async *pool, uint32_t procs[CODE_KINDS], char *message, size_t size);

/* Set what is the same in every request. consts: memory of code_consts_size() bytes that the machine may
   read. */
size_t code_consts_size(void);
void code_consts(void *consts);
void code_registers(uint64_t *reg, const void *consts, int self_fd);

#define CODE_STAT_ROOM 512 /* of two */
#define CODE_NUMBERS 4096 /* descriptors from here on are not opened for reading */
#define CODE_ENTRY_ROOM 1024 /* of the buffer: less than this is no room for dirents (a name has 255 bytes) */

#endif
