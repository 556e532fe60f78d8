/* SPDX-License-Identifier: MIT */
/* Late closes: descriptors that the application has closed and the kernel has not yet. */
#ifndef SYSVM_SHIM_LATE_H
#define SYSVM_SHIM_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"

#define LATE_MOST 2 /* closes that may wait for one crossing */

void late_reset(bool never);
bool late_may_close(const struct shim_call *call); /* this close may wait */
void late_add(int fd);
uint32_t late_pending(void);
void late_close_oldest(void);
void late_close_all(void);
uint32_t late_take(int32_t fd[LATE_MOST]); /* all of them, oldest first: the caller makes them now */

#endif
