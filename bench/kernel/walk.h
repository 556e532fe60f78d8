/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SYSVM_BENCH_KERNEL_WALK_H
#define SYSVM_BENCH_KERNEL_WALK_H

#include <linux/types.h>

#include "vm/vm.h"

/* What is timed apart: for each directory once, or for each name. */
enum walk_part {
	WALK_OPENAT,
	WALK_FSTAT,
	WALK_FCNTL,
	WALK_GETDENTS,
	WALK_GETDENTS_END, /* the call that says that there are no more */
	WALK_NAMES,
	WALK_CLOSE, /* with the work that waits for the return to user space */
	WALK_PARTS
};

/* What is done for the names of a directory. */
enum walk_way {
	WALK_SEPARATE, /* newfstatat of each */
	WALK_PROGRAM,  /* byte code, once for the directory */
	WALK_LIST,     /* statx, lgetxattr, getxattr of each, by a path from the root, as ls -l does */
	WALK_STATX,    /* the three of them one by one */
	WALK_LGETXATTR,
	WALK_GETXATTR,
	WALK_LSTAT,  /* newfstatat by a path from the root */
	WALK_NOTHING /* the price of the clock */
};

#define WALK_CLASSES 7 /* by names in the directory: 1, 2-3, 4-7, 8-15, 16-31, 32-63, more */

struct walk_times {
	u64 cycles[WALK_PARTS], times[WALK_PARTS];
	u64 class_cycles[WALK_CLASSES], class_names[WALK_CLASSES];
	u64 directories, names,
		unlike; /* unlike: a call or a program gave something else than was expected */
	u64 ns, all_cycles;
};

struct walk_program {
	u8 code[SYSVM_PAGE_CODE_MAX], starts[SYSVM_STARTS_SIZE(SYSVM_PAGE_CODE_MAX)];
	u32 len;
};

/* Walks everything below top, directory for directory. -errno if that cannot be done. */
int walk(const char *top, enum walk_way way, const struct walk_program *program, struct walk_times *times);

/* What a task does between a system call and its program: the rest of a close, among others. */
void walk_back_to_user(void);

#endif
