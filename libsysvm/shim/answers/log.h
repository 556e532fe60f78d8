/* SPDX-License-Identifier: MIT */
/* The log: the answers of one run, call by call, in the order in which the kernel was asked. */
#ifndef SYSVM_SHIM_LOG_H
#define SYSVM_SHIM_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/quick.h"
#include "procedures/svp.h"

void log_reset(void);
void log_begin(void); /* empty */
void log_add(uint32_t follower, int64_t result, const __u64 *reg); /* follower: index into the file's */
uint32_t log_made(void); /* answers added */

/* Answers that come after the loop of a directory wait, from the one with index `from` on, until the records
   are used. */
void log_hide(uint32_t from);
void log_reveal(void);
bool log_hidden(void);

static inline bool log_outstanding(void)
{
	return quick.next != quick.end;
}
uint32_t log_due(void); /* the follower that is next, as an index into the file's; 0: not known */

bool log_serve(struct shim_call *call); /* true: answered from the next one */
void log_count(void);			/* adds what entry.S has served to the counters */
void log_take_back(void);		/* undoes what is outstanding, and forgets it */

/*
 * The descriptor is closed without a crossing, so there is no news: what is outstanding on it needs no undo
 * and is forgotten, and what is outstanding on others stays. False: everything must be undone.
 */
bool log_closed(int fd);

/* Followers can be made again after another call in its crossing (ahead/ride.c): all that is outstanding, or
   none. */
bool log_renewable(void);
void log_renewed(struct staged *e, int64_t result);
void log_cut(struct staged *end); /* what is from there on was not made */

void log_forget_strings(void); /* memory that was constant may have changed */
void log_wipe_used(void);      /* no file content is left in the staging area; outstanding results are void */

#endif
