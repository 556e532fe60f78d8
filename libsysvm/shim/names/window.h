/* SPDX-License-Identifier: MIT */
/* How many dirents the next run of a loop takes. */
#ifndef SYSVM_SHIM_WINDOW_H
#define SYSVM_SHIM_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/known/procedures.h"

#define WINDOW_FIRST 256

void window_reset(void);
/* Of the records that a run has made, so many were used; the others are void. */
void window_learn(struct procedure *p, uint32_t used, uint32_t made);
void window_counted(void); /* the first call about a dirent was answered */
/* The call is about to be made, and what is outstanding may not survive it; records: there are some. */
void window_news(const struct shim_call *call, bool records);
uint32_t window_of(const struct procedure *p); /* dirents that a run should take */

#endif
