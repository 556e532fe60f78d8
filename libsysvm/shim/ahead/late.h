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
void late_close_oldest(void);
void late_close_all(void);

/* All closes that wait, as one word (late_count, late_fd). 0: none. */
uint64_t late_waiting(void);

/* The caller makes these closes now. False: what waits is no longer `all`, as a handler has made them. */
bool late_take(uint64_t all);

static inline uint32_t late_count(uint64_t all)
{
	return all >> 32 ? 2 : all != 0;
}

/* The oldest is 0. */
static inline uint64_t late_fd(uint64_t all, uint32_t i)
{
	return (uint32_t)(all >> 32 * i) - 1ull;
}

#endif
