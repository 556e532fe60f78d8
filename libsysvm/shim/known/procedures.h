/* SPDX-License-Identifier: MIT */
/* The procedure file in use (svp.h), and what has become of each of its procedures in this process. */
#ifndef SYSVM_SHIM_PROCEDURES_H
#define SYSVM_SHIM_PROCEDURES_H

#include <stddef.h>
#include <stdint.h>

#include "libsysvm/shim/known/rules.h"
#include "procedures/svp.h"

struct procedure {
	uint32_t number;      /* in the engine */
	uint8_t defined;      /* 0: not yet in this process's engine */
	uint8_t off;	      /* switched itself off, or breaks a rule */
	uint8_t closes;	      /* late closes that the code begins with: 0, 1 or 2 */
	uint8_t needs_path;
	uint8_t at_dirent;    /* its trigger is a call about a dirent (names/run.c), not an open */
	uint32_t runs, hits;
	uint32_t window;      /* dirents that a run of its loop may take (names/window.c) */
	const struct svp_loop *loop; /* null: none */
	/* As SVP_REG_DEVICE and SVP_REG_NOATIME: overlayfs has one st_dev for directories and others for
	   files, and a procedure meets one of them. */
	uint64_t device, noatime;
	uint64_t site[SVP_MAX_TRIGGERS], caller[SVP_MAX_TRIGGERS]; /* addresses, 0: any */
};

extern struct svp svp;
extern struct procedure *procedures;	     /* svp.nprocs of them */
extern struct follower_rule *follower_rules; /* svp.nfollowers of them */

/* svp is set; memory: procedures_size() bytes, zeroed, and whoever calls owns them. */
size_t procedures_size(void);
void procedures_reset(void *memory);

/* Switches it off in this process if it does not pay. */
void procedures_judge(uint32_t number);

/* The file's index of the first follower of its loop. */
static inline uint32_t loop_followers(uint32_t number)
{
	return svp.procs[number].first_follower + procedures[number].loop->first;
}

/* The string that an argument of kind STRING of this procedure stands for. */
static inline const char *procedure_string(uint32_t number, const struct svp_arg *a)
{
	return (const char *)svp.data + svp.procs[number].data_offset + a->value;
}

#endif
