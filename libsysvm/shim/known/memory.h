/* SPDX-License-Identifier: MIT */
/* Which memory of the application may be touched. */
#ifndef SYSVM_SHIM_MEMORY_H
#define SYSVM_SHIM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/call.h"

int memory_reset(void); /* reads the table of mappings: 0, or a shim_reason */

/*
 * A call that changes mappings has been made, or the child of a vfork, which shares them, is about to make
 * it. True: a mapping that was not writable is another one now, so strings in it may be, too.
 */
bool memory_after(const struct shim_call *call);
bool memory_child(const struct shim_call *call);

bool memory_writable(uint64_t address, uint64_t size, uint64_t sp);
bool memory_constant(uint64_t address); /* in a mapping that is not writable: as long as no mapping changes */
/* Bytes from address on that are known to be readable. */
uint64_t memory_room(uint64_t address, uint64_t sp);
/* Length of the string at address, at most max - 1, or -1: not all of it is known to be readable. */
long memory_string(uint64_t address, uint64_t max, uint64_t sp);

/* What is there is a string equal to `expected`, which is shorter than `max`. */
static inline bool memory_same_string(uint64_t address, const char *expected, uint64_t max, uint64_t sp)
{
	long n = memory_string(address, max, sp);

	return n >= 0 && bytes_equal((const void *)address, expected, (size_t)n + 1);
}

/* First address that is never a user's, one page below 2^47: the kernel refuses a buffer that ends beyond. */
#define USER_END 0x7fffffffe000ull

#endif
