/* SPDX-License-Identifier: MIT */
/* The next run of a loop: which names it takes, and the registers that tell it so. */
#ifndef SYSVM_SHIM_RUN_H
#define SYSVM_SHIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/known/areas.h"
#include "procedures/svp.h"

/* of SVP_REG_UNDER; the machine writes a path of at most PATH_BYTES + 264 there */
#define RUN_PATH_BYTES 4096
#define RUN_STRING_MOST (PATH_BYTES + 256) /* longest path about a dirent, with its 0 */

/* What the run that was prepared last is about. Valid while its records are outstanding. */
struct run_names {
	const unsigned char *own, *own_end; /* its dirents lie in here */
	bool pool;			    /* they are the name pool's */
	uint16_t under;			    /* bytes of the directory's path, with its '/' */
	char path[PATH_BYTES];
};
const struct run_names *run_names(void);

void run_reset(char *path); /* RUN_PATH_BYTES */
char *run_path(void);

/* An argument that stands for a dirent. */
static inline bool run_is_dirent(const struct svp_arg *a)
{
	return a->kind == SVP_ARG_NAME || a->kind == SVP_ARG_UNDER || a->kind == SVP_ARG_ROW;
}

/* The trigger is about a dirent of a directory that the application has read, and more is expected to follow.
   */
bool run_find(uint32_t proc, uint32_t trigger, const struct shim_call *call);

/* Registers for a run after an open, and for one at the dirent that run_find has found. False: no run now. */
void run_prepare_open(uint32_t proc, uint32_t trigger, const struct shim_call *call, __u64 *reg);
bool run_prepare_dirent(uint32_t proc, const struct shim_call *call, __u64 *reg);

#endif
