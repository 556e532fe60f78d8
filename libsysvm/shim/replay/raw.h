/* SPDX-License-Identifier: MIT */
/*
 * Included before anything else where the shim is compiled for a replay: every raw system call, of the
 * shim for itself or of the user engine for the application, goes to a scripted kernel instead.
 */
#ifndef SYSVM_SHIM_REPLAY_RAW_H
#define SYSVM_SHIM_REPLAY_RAW_H

#define raw_call6 raw_call6_of_the_kernel
#define raw_call3 raw_call3_of_the_kernel
#include "libsysvm/raw.h"
#undef raw_call6
#undef raw_call3

long replay_kernel_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
			   uint64_t a5);
#define raw_call6(nr, a0, a1, a2, a3, a4, a5) \
	replay_kernel_call((long)(nr), (uint64_t)(a0), (uint64_t)(a1), (uint64_t)(a2), (uint64_t)(a3), \
			      (uint64_t)(a4), (uint64_t)(a5))
#define raw_call3(nr, a0, a1, a2) raw_call6(nr, a0, a1, a2, 0, 0, 0)

#endif
