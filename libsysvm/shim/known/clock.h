/* SPDX-License-Identifier: MIT */
/* Coarse time, read without entering the kernel. */
#ifndef SYSVM_SHIM_CLOCK_H
#define SYSVM_SHIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/quick.h"

#define CLOCK_NEVER ~0ull /* seconds of a mark with which nothing is fresh */

void clock_reset(uint64_t vdso); /* vdso: where it is mapped, 0: nowhere */
bool clock_works(void);
uint64_t clock_ms(void);      /* monotonic */
uint64_t clock_mark(struct clock_words *mark); /* the same; entry.S compares the mark with *quick.clock */
void clock_find(uint64_t vvar); /* finds the kernel's words in its data page, if they can be told apart */
uint64_t clock_seconds(void); /* real time */

#endif
