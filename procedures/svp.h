/* SPDX-License-Identifier: MIT */
/*
 * The procedure file (.svp): stored procedures, what starts them, and which calls of the application they
 * answer.
 *
 * Flat little-endian structs that can be mapped and checked without allocation: a header, a table of
 * sections, the sections. Header-and-table and each section carry a checksum (FNV-1a, 64 bits). The optimizer
 * writes it through this header (procedures/writer.cc), the shim and the tools read it through svp.c.
 * Document: docs/svp-format.md. Tested by tests/libsysvm/svp_test.cc (any byte flipped is refused, by name).
 *
 * How a procedure meets the application (mode run_ahead):
 *
 *   1. The application makes a call that a trigger names. The runtime puts its arguments into r0..r5, fills
 *      the result register of every follower with SVP_NOT_MADE, sets the registers below, and runs the code.
 *   2. The code makes the trigger call (result in svp_proc.trigger_result) and, guarded, the followers, whose
 *      output goes to the staging area.
 *   3. The trigger's result goes to the application. Every follower whose result register no longer holds
 *      SVP_NOT_MADE is outstanding, in file order. A later call of the application is answered from the log
 *      only if number and every argument match the next outstanding follower by the rules of its svp_arg.
 */
#ifndef SYSVM_SVP_H
#define SYSVM_SVP_H

#include <stddef.h>
#include <stdint.h>

#include "uapi/sysvm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SVP_MAGIC "SYSVMSVP"
#define SVP_VERSION 1
#define SVP_FILE_MAX (16u << 20)     /* bytes */
#define SVP_STAGING_MAX (256u << 10) /* bytes that one procedure may stage */
#define SVP_MAX_PROCS 256
#define SVP_MAX_FOLLOWERS 64 /* for each procedure */
#define SVP_MAX_TRIGGERS 64  /* for each procedure */

#define SVP_NOT_MADE 0x8000000000000000ull

/* Registers with a meaning for procedures of a file; the runtime sets them before each run. */
#define SVP_REG_STAGING 255 /* address of the staging area, 64-byte aligned */
#define SVP_REG_CLOSE 254   /* descriptor whose late close rides on this crossing, or -1: closed first */
#define SVP_REG_DEVICE 253  /* st_dev of the file system last found good for reading ahead: for guards */
#define SVP_REG_PATH 252    /* address of a snapshot of the trigger's path argument, or 0 */
#define SVP_REG_ATIME 251   /* seconds: a read makes the kernel renew an atime older than this (now - 24 h) */
#define SVP_REG_CLOSE2 249  /* one more such descriptor, closed after SVP_REG_CLOSE, or -1 */
#define SVP_REG_NOATIME 250 /* 1: reads never change atime on SVP_REG_DEVICE (noatime, read-only), else 0 */
/* For procedures with a loop (struct svp_loop): */
#define SVP_REG_ENTRY 248     /* address of the next dirent; set by the code itself after a getdents64 */
#define SVP_REG_ENTRY_END 247 /* address past the last */
#define SVP_REG_WINDOW 246    /* dirents that one run may take at most */
#define SVP_REG_UNDER 245     /* address of the directory's path and '/' in a buffer of the runtime */
#define SVP_REG_NAME 244      /* address after that '/': the code copies the name here (264 bytes) */
#define SVP_REG_DEVICE2 242   /* st_dev of what is no directory there: on overlayfs perhaps another one */
#define SVP_REG_AVOID 243     /* address of inode numbers, closed by 0: directories with a mount point that
				 must not be touched; the code takes no name of one of them */

/*
 * The guard. A procedure that reads data or directory entries ahead first makes fstat (or newfstatat with
 * AT_EMPTY_PATH) on the descriptor, with its struct stat staged at offset SVP_GUARD_STAT of the staging area,
 * whether or not the application makes that call too, and goes on only if
 *   - st_dev == SVP_REG_DEVICE (the runtime found that file system good for reading ahead),
 *   - st_mode is a regular file with st_size > 0 (for reads) or a directory (for getdents64),
 *   - SVP_REG_NOATIME is 1, or the read would not change atime: (st_atime, nsec) > (st_mtime, nsec),
 *     (st_atime, nsec) > (st_ctime, nsec), and st_atime > SVP_REG_ATIME.
 * The runtime reads the struct stat there to learn what the descriptor is. Before the run it sets st_dev
 * there to SVP_NO_DEVICE.
 */
#define SVP_GUARD_STAT 0
#define SVP_NO_DEVICE 0xffffffffffffffffull

enum svp_section_kind {
	SVP_STRINGS = 1,   /* zero-terminated names; offset 0 is "" */
	SVP_CODE = 2,	   /* byte code of all procedures */
	SVP_DATA = 3,	   /* read-only data of all procedures; DATA counts from svp_proc.data_offset */
	SVP_PROCS = 4,	   /* struct svp_proc[] */
	SVP_TRIGGERS = 5,  /* struct svp_trigger[] */
	SVP_FOLLOWERS = 6, /* struct svp_follower[] */
	SVP_LOOPS = 8,	   /* struct svp_loop[]; absent: none */
	SVP_NOTES = 7,	   /* JSON for people and tools (costs, provenance); the runtime does not read it */
};

/* 1 was a mode that was never made: docs/benchmarks.md, negative results. */
enum svp_mode { SVP_RUN_AHEAD = 2, SVP_ANSWER = 3, SVP_LATE_CLOSE = 4, SVP_DEFER = 5 };

struct svp_header {
	char magic[8];
	uint32_t version;  /* SVP_VERSION */
	uint32_t abi;	   /* SYSVM_ABI_VERSION that the code was made for */
	uint64_t file_size;
	uint32_t sections; /* entries of the table that follows */
	uint32_t reserved;
	uint64_t checksum; /* of this header with this field 0, and of the table */
};

struct svp_section {
	uint32_t kind; /* enum svp_section_kind; unknown kinds are skipped, a kind occurs once */
	uint32_t reserved;
	uint64_t offset; /* from the start of the file, multiple of 8 */
	uint64_t size;
	uint64_t checksum;
};

#define SVP_BUILD_ID_MAX 20
struct svp_place { /* a code address as build-id and offset in the file; length 0: any place */
	uint8_t build_id[SVP_BUILD_ID_MAX];
	uint32_t build_id_len;
	uint64_t offset;
};

enum svp_arg_kind {
	SVP_ARG_ANY = 0,    /* not compared: the call does not have this argument, or does not use it */
	SVP_ARG_CONST = 1,  /* equals value */
	SVP_ARG_MASK = 2,   /* (argument & mask) == value; triggers only */
	SVP_ARG_REG = 3,    /* equals register reg as it stands after the run */
	SVP_ARG_PATH = 4,   /* string equal to the snapshot of the trigger's path (SVP_REG_PATH) */
	SVP_ARG_STRING = 5, /* string equal to the one at offset value of the procedure's data */
	SVP_ARG_OUT = 6,    /* buffer that the call fills: staged at offset value of the staging area; so
			       many bytes as the table says (OUT: the result, OUTS: the structure) */
	SVP_ARG_COUNT = 7,  /* size of the out-buffer; register reg holds the size that the code used. Equal,
			       or the transfer was short (result < reg) and the application's size is at
			       least the result */
	SVP_ARG_NAME = 8,   /* string equal to the dirent's name; in a trigger: to the name of a dirent */
	SVP_ARG_UNDER = 9,  /* string equal to the directory's path, '/' and the dirent's name; the same */
	SVP_ARG_KEPT = 10,  /* a path that begins with '/': equal to what the application passed here the last
			       time, which the runtime keeps. Before a run it sets register reg to the address
			       of its copy, or to 0: not known yet, or not to be touched now; then the code
			       must leave the call out */
	SVP_ARG_ROW = 11,   /* string equal to the dirent's name, which is a whole path below the working
			       directory. In a trigger: one of names that lie in a row in memory, the one
			       after that of length n at address p being at p + ((n + value) & ~mask), or a
			       directory on the way to the next */
};

struct svp_arg {
	uint8_t kind; /* enum svp_arg_kind */
	uint8_t reg;
	uint16_t reserved;
	uint32_t size; /* OUT: bytes reserved in the staging area */
	uint64_t value;
	uint64_t mask;
};

struct svp_trigger {
	uint32_t nr; /* system call number */
	uint8_t path_arg; /* index of its path argument, 6: none */
	uint8_t streak;	  /* 0, or: the call that many in a row of the same number, descriptor and command */
	uint16_t reserved;
	struct svp_place site;	 /* of the syscall instruction (its own address, not the next one's) */
	struct svp_place caller; /* of the word at the stack pointer there */
	struct svp_arg arg[6]; /* ANY, CONST, MASK; STRING for a path */
};

struct svp_follower {
	uint32_t nr;
	uint8_t result; /* register */
	uint8_t nargs;
	uint16_t reserved;
	struct svp_arg arg[6];
};

struct svp_proc {
	uint32_t name; /* offset into STRINGS */
	uint32_t mode; /* enum svp_mode */
	uint32_t code_offset, code_size;
	uint32_t data_offset, data_size;
	uint32_t first_trigger, triggers;
	uint32_t first_follower, followers;
	uint32_t staging; /* bytes of staging area that it uses */
	uint8_t trigger_result; /* register */
	uint8_t reserved[3];
	struct svp_place exe; /* executable that it was made for (offset 0); length 0: any */
	uint64_t seen;	      /* occurrences in the trace it was made from */
};

/*
 * The loop of a procedure over the dirents of a directory. Its followers (those from `first` on, `followers`
 * of them) are made for each dirent; what they gave lies in records in the staging area, and is answered in
 * order: for each dirent, each of its followers that was made. Followers before `first` come before the loop,
 * the others after it.
 *
 *   record        8 bytes: address of the struct linux_dirent64
 *   + 8 + 8 i     result of the loop's follower i, or SVP_NOT_MADE
 *   + value       of an OUT argument: counted from the record's start
 *
 * Two kinds. After an open: the code makes getdents64, sets SVP_REG_ENTRY and SVP_REG_ENTRY_END itself, and
 * loops. At a dirent: the trigger has an argument NAME or UNDER; the runtime finds the dirent among those
 * that it has seen the application read, sets the registers to it and what follows it, and the first record
 * answers the trigger. Or ROW: the dirents are the names that the runtime finds in a row in the application's
 * memory, each directory on the way to one before it, as a dirent of type SVP_ENTRY_ON_THE_WAY; the code must
 * stop after such a one if it is no directory. The code must leave at SVP_REG_WINDOW dirents, and at the
 * first one on another device than SVP_REG_DEVICE or, if it is no directory, SVP_REG_DEVICE2.
 */
#define SVP_LOOP_MAX 8 /* followers of a loop */
#define SVP_ENTRY_ON_THE_WAY 4 /* d_type: DT_DIR; other names of a row have 0 */
#define SVP_ROW_GAP 4096       /* most that value may be; mask is 0, 7 or 15 */
struct svp_loop {
	uint32_t proc;  /* number of its procedure; a procedure has at most one */
	uint32_t first; /* counted from the procedure's first follower */
	uint32_t followers;
	uint32_t records; /* offset in the staging area */
	uint32_t stride;  /* bytes of a record, a multiple of 8 */
	uint32_t capacity; /* records that the staging area has room for */
	uint8_t end;	   /* register: address past the last whole record */
	uint8_t flags;	   /* SVP_LOOP_* */
	uint8_t reserved[6];
};
#define SVP_LOOP_LEAVES 1 /* the code stops after a directory, since the application goes into it */
#define SVP_LOOP_ALL (SVP_LOOP_LEAVES)

/* A checked view of a mapped file. The memory stays the caller's and must stay mapped and unchanged. */
struct svp {
	const unsigned char *base;
	const char *strings;
	const unsigned char *code, *data;
	const struct svp_proc *procs;
	const struct svp_trigger *triggers;
	const struct svp_follower *followers;
	const char *notes;
	uint64_t strings_size, code_size, data_size, notes_size;
	const struct svp_loop *loops;
	uint32_t nprocs, ntriggers, nfollowers, nloops;
};

/*
 * Check size bytes at base and fill *out. Everything is checked: magic, sizes, checksums, ranges, cross
 * references, register and follower limits, and each code by the verifier. Returns 0 or -EINVAL; message
 * (size message_size, always terminated) then says what, where, and what was expected: "procedure 3
 * (open-read), byte 14: jump target 92 past end 40". Allocates nothing, makes no call, thread-safe.
 */
int svp_check(const void *base, size_t size, struct svp *out, char *message, size_t message_size);

/* start: SVP_CHECKSUM_START, or what came before */
uint64_t svp_checksum(const void *bytes, size_t size, uint64_t start);
#define SVP_CHECKSUM_START 0xcbf29ce484222325ull

const struct svp_loop *svp_loop_of(const struct svp *svp, uint32_t proc); /* NULL: it has none */

const char *svp_mode_name(uint32_t mode); /* "run_ahead"; "?" if unknown */

#ifdef __cplusplus
}
#endif
#endif
