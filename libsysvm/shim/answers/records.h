/* SPDX-License-Identifier: MIT */
/* The records: the answers of one run of a loop, the same few calls for each dirent. */
#ifndef SYSVM_SHIM_RECORDS_H
#define SYSVM_SHIM_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "procedures/svp.h"

void records_reset(void);
bool records_outstanding(void);

/* After a run of this procedure with a loop: what it has recorded is outstanding. False: nothing. */
bool records_take(uint32_t proc, const __u64 *reg);

bool records_serve(struct shim_call *call); /* answered from a record, if one is of that call */
void records_drop(void);		    /* the rest is void */

/* For a trial: the mark of the next record, and which of the procedure's followers was answered last, or
   -1. */
uint64_t records_next(void);
int32_t records_last_follower(void);

/* No record is about that descriptor, which the application closes: nothing that they say changes. */
bool records_survive_close(int fd);

#endif
