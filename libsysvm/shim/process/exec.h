/* SPDX-License-Identifier: MIT */
/*
 * What one exec needs besides its few words of stack: exec is called on whatever stack the application has
 * left, from signal handlers too, and memory that the child of a vfork allocated would stay allocated in its
 * parent.
 */
#ifndef SYSVM_SHIM_EXEC_H
#define SYSVM_SHIM_EXEC_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/process/copy.h"

#define MAX_VARIABLES 2048
#define MAX_PRELOAD 1024 /* bytes of LD_PRELOAD */
#define STRINGS 256	 /* read in one call */

struct exec_work {
	uint32_t owner; /* thread number; 0: free */
	uint64_t count;	/* variables of the application */
	uint64_t preload; /* index of the LD_PRELOAD that the loader takes, or count */
	uint64_t envp[MAX_VARIABLES + 3];
	struct iovec there[STRINGS];
	char start[STRINGS][COPY_START], packed[STRINGS * COPY_START];
	char preload_text[MAX_PRELOAD];

	/* target.c */
	struct stat st;
	Elf64_Dyn dyn;
	Elf64_Phdr ph, dynamic;
	union {
		Elf64_Ehdr eh;
		char line[256];
	} head;
	char interpreter[256];
};

void exec_init(void);
int exec_before(struct shim_call *call);

/* target.c: can the shim be loaded into what execve would run? */
bool target_takes_us(struct exec_work *w, int dirfd, const char *path, int flags);

#endif
