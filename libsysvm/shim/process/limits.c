// SPDX-License-Identifier: MIT
/*
 * Whether the process's limits have room for us. Our library and its data count against RLIMIT_AS and
 * RLIMIT_DATA, our variables against the stack that a new program starts with, our files against the
 * descriptors: where a limit is so low that it could matter, the program must have all of it. Checked at the
 * start and before each exec, since a limit may also be set from outside, or by the child of a vfork.
 *
 * Tested by tests/shim/entry (limits).
 */
#include "libsysvm/shim/process/limits.h"

#include <sys/resource.h>

#include "libsysvm/shim/process/process.h"

#define STACK_ENOUGH (1ull << 20)
#define DESCRIPTORS_ENOUGH 16

static uint64_t limit(int resource)
{
	uint64_t found[2]; /* struct rlimit64: what holds now, what it may be raised to */

	return own4(SYS_prlimit64, 0, resource, 0, found) == 0 ? found[0] : 0;
}

bool limits_leave_room(void)
{
	return limit(RLIMIT_STACK) >= STACK_ENOUGH && limit(RLIMIT_AS) == ~0ull &&
	       limit(RLIMIT_DATA) == ~0ull && limit(RLIMIT_NOFILE) >= DESCRIPTORS_ENOUGH;
}
