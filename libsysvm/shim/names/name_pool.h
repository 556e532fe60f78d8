/* SPDX-License-Identifier: MIT */
/* Names that lie one after the other in the application's memory, as dirents for a loop. */
#ifndef SYSVM_SHIM_NAME_POOL_H
#define SYSVM_SHIM_NAME_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/names/listing.h"

void name_pool_reset(unsigned char *names); /* LISTING_BYTES for them */

/* relation: of kind SVP_ARG_ROW. The call is about the expected name, or a directory on the way to it, and
   more follow. */
bool name_pool_find(const struct svp_arg *relation, uint64_t path, uint64_t sp);

/* Before a run, nothing being outstanding: at most `most` dirents, from the name on that name_pool_find has
   found. */
bool name_pool_fill(const struct svp_arg *relation, uint32_t most, uint64_t sp);
const struct listing *name_pool(void);

void name_pool_wipe(void);   /* the names are not needed any more */
void name_pool_failed(void); /* a run has answered nothing */
void name_pool_forget(void);

#endif
