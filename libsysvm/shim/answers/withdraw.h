/* SPDX-License-Identifier: MIT */
/* Everything that is outstanding, in either shape. */
#ifndef SYSVM_SHIM_WITHDRAW_H
#define SYSVM_SHIM_WITHDRAW_H

#include <stdbool.h>

#include "libsysvm/shim/answers/log.h"
#include "libsysvm/shim/answers/records.h"

/* Records, or what the log hides until they are used up. */
static inline bool loop_outstanding(void)
{
	return records_outstanding() || log_hidden();
}

void withdraw(void);	  /* undoes what is outstanding, and forgets it */
void withdraw_loop(void); /* only the records; what the log hides after them is outstanding again */

/*
 * The application closes that descriptor without a crossing: withdraws what must be. shared: others have the
 * file, too.
 */
void withdraw_for_close(int fd, bool shared);

#endif
