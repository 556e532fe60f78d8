/* SPDX-License-Identifier: MIT */
/*
 * What the analyser found out about one object file, in flat structs that the shim reads without a decoder.
 *
 * A site is a `syscall` instruction that the shim can see by overwriting one earlier instruction (at `patch`)
 * with a jump. The jump covers bytes of that one instruction only, the `syscall` itself and everything
 * between stay: a uprobe or breakpoint on the overwritten instruction executes the original out of line and
 * goes on at the next one, which must be intact. The instructions from `patch` up to the `syscall` run as a
 * copy (`code`, relocated by `fix`) in a trampoline. An instruction of less than 5 bytes gets a 2-byte jump
 * to padding near by (`hop`), which holds the 5-byte one.
 *
 * Written by analyse.cc, kept by cache.cc, used by shim/process/patch.c. Tested by tests/sites/.
 */
#ifndef SYSVM_SITES_TABLE_H
#define SYSVM_SITES_TABLE_H

#include <stdint.h>

#define SITES_CODE_MAX 34   /* bytes of a trampoline slot that are free for copies (shim/process/entry.S) */
#define SITES_EXPECT_MAX 44 /* longest run of original bytes, `syscall` included */
#define SITES_FIX_MAX 3

enum site_flags {
	SITE_LEAKY = 1,	  /* some path reaches the syscall without passing `patch` */
	SITE_HOP = 2,	  /* patched through `hop` */
	SITE_LEFT = 4,	  /* not patched: no safe place, or never to be touched */
	SITE_HARMLESS = 8 /* LEFT or LEAKY, but what it does carries no news that run-ahead could miss */
};

/* Why a site is LEFT: nothing to patch was found, or the proof (proof.h) does not hold. */
enum site_doubt {
	SITE_SOUND = 0,
	SITE_NO_PLACE = 1,
	SITE_RESTORER = 2,
	SITE_OTHER_BYTES = 3,
	SITE_CROSSES = 4,
	SITE_NO_FUNCTION = 5,
	SITE_OUT_OF_STEP = 6,
	SITE_OTHER_CODE = 7,
	SITE_LEAVES_LINE = 8,
	SITE_MOVES_STACK = 9,
	SITE_UNWINDS = 10,
	SITE_TOO_SHORT = 11,
	SITE_TARGET_INSIDE = 12,
	SITE_HOP_REACHED = 13,
	SITE_TAKEN = 14,
	SITE_POINTED_INTO = 15,
};

struct sysvm_site { /* addresses are virtual addresses of the file (before the load bias) */
	uint64_t patch;
	/* Of patch in the file (of the syscall, if LEFT): where it is mapped is found by it. */
	uint64_t offset;
	uint64_t syscall;
	uint64_t hop;
	int32_t nr; /* -1: not constant */
	uint8_t flags;
	uint8_t expect_len;
	uint8_t code_len;
	uint8_t fixes;
	uint8_t expect[SITES_EXPECT_MAX]; /* original bytes from patch to the end of the syscall */
	uint8_t hop_expect[5];
	uint8_t code[SITES_CODE_MAX];
	uint8_t doubt; /* enum site_doubt */
	uint8_t reserved[4];
	struct {
		uint32_t at;  /* offset in code of a rel32 or disp32 */
		uint32_t end; /* offset in code of the end of its instruction: what it is relative to */
		uint64_t target;
	} fix[SITES_FIX_MAX];
};

/*
 * How to recognise a file when it is mapped: all of it equal, as stat(2) says. Whoever writes a file can set
 * mtime back, and can keep its build-id, but not ctime.
 */
struct sysvm_identity {
	uint64_t dev, ino, size, mtime_ns, ctime_ns;
};

enum object_verdict {
	OBJECT_CLEAN = 1,   /* no system call instruction at all */
	OBJECT_PATCHED = 2, /* every one is seen after patching, or harmless */
	OBJECT_UNSEEN = 3,  /* some are not seen: a process that maps it executable is not closed */
};

/* What makes an object OBJECT_UNSEEN. */
enum object_why {
	WHY_NOTHING = 0,
	WHY_SITES = 1,	  /* some of its system calls cannot be seen */
	WHY_MACHINE = 2,  /* not 64-bit x86 */
	WHY_WRITABLE = 3, /* its text can be written, or is by the loader: it may not stay what it is */
	WHY_CUT = 4,	  /* an executable segment lies past the end of the file */
	WHY_PIECES = 5,	  /* more executable segments than this table has room for, or some that overlap */
	WHY_CHANGED = 6,  /* the file was written while it was read */
};

/* Pages of the file that are mapped executable by its program headers. */
struct sysvm_piece {
	uint32_t page, pages;
};

#define SITES_BUILD_ID_MAX 20
#define SITES_PIECES_MAX 4
struct sysvm_object {
	struct sysvm_identity identity;
	uint8_t build_id[SITES_BUILD_ID_MAX];
	uint32_t build_id_len; /* 0: has none */
	uint32_t verdict;      /* enum object_verdict */
	uint32_t first_site;   /* into the sites of the same bundle or cache file */
	uint32_t sites;	       /* patched ones and LEFT ones */
	uint32_t unseen;       /* that make it OBJECT_UNSEEN */
	/* A program that glibc's loader starts and no sanitizer has to come first in. */
	uint32_t takes_shim;
	uint32_t why;	       /* enum object_why */
	struct sysvm_piece code[SITES_PIECES_MAX]; /* what was analysed; unused ones have no pages */
};

#endif
