/* SPDX-License-Identifier: MIT */
/* Which procedures may run ahead at all. */
#ifndef SYSVM_SHIM_CHECK_H
#define SYSVM_SHIM_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "libsysvm/shim/known/rules.h"
#include "procedures/svp.h"

/* fills in what follows from the file: its follower_rules and struct procedure */
bool check_procedure(uint32_t number);

/* check_loop.c: the procedure's loop */
bool check_loop(uint32_t number);
static inline bool check_of_loop(const struct svp_loop *loop, uint32_t follower)
{
	return loop && follower - loop->first < loop->followers;
}

/* check_follower.c: what depends on the follower alone */
bool follower_may_run(const struct svp_follower *follower);
bool follower_is_kept(const struct svp_follower *follower);
void follower_prepare(const struct svp_follower *follower, struct follower_rule *rule);

static inline bool check_is_open(uint64_t nr)
{
	return nr == SYS_open || nr == SYS_openat;
}

#endif
