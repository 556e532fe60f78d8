/* SPDX-License-Identifier: MIT */
/* Paths that the application passes again and again. */
#ifndef SYSVM_SHIM_KEPT_H
#define SYSVM_SHIM_KEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "procedures/svp.h"

bool kept_reset(void); /* false: the procedures have more than KEPT_PATHS */
void kept_set(uint32_t proc, __u64 *reg); /* registers, before a run: nothing may be outstanding */
void kept_run_begins(void);		     /* its first kept path is expected next */
/* A call that nothing has answered, after a run of `proc`: of its followers, next (counted in the file) is
   due. */
void kept_see(const struct shim_call *call, uint32_t proc, uint32_t next);
bool kept_same(const struct svp_follower *follower, uint64_t address, uint64_t sp);
uint64_t kept_address(const struct svp_follower *follower); /* of the copy */
void kept_forget(void);

#endif
