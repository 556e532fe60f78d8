// SPDX-License-Identifier: MIT
/*
 * A close of a file that was only read is answered at once, and made in the next crossing: in `cat a b`, the
 * close of a is made together with the open of b. The kernel still sees the close before the call that
 * follows it.
 *
 * A signal handler may run between any two instructions here. Its first call makes every close that waits,
 * so that the handler finds the numbers free. Hence all that waits is one word, and who makes a close first
 * takes it out of the word in one instruction: no close is made twice, which would close a number that is in
 * use again.
 * Tested by tests/shim/hazards (closes) and tests/shim/ahead (ahead_test, steps_test).
 */
#include "libsysvm/shim/ahead/late.h"

#include <sys/syscall.h>

#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/descriptors.h"

static volatile uint64_t waiting; /* fd + 1 of the oldest close in the lower half, of the next in the upper */
static bool off;

void late_reset(bool never)
{
	waiting = 0;
	off = never;
}

bool late_may_close(const struct shim_call *c)
{
	const struct descriptor *f = descriptor(c->arg[0]);

	return !off && !descriptors_locked() && f && f->mine && f->kind != KIND_UNKNOWN;
}

uint64_t late_waiting(void)
{
	return waiting;
}

bool late_take(uint64_t all)
{
	return outstanding_claim(&waiting, all, 0);
}

void late_close_oldest(void)
{
	uint64_t all = waiting;

	if (all && outstanding_claim(&waiting, all, all >> 32))
		own_call(SYS_close, late_fd(all, 0), 0, 0, 0);
}

void late_close_all(void)
{
	while (waiting)
		late_close_oldest();
}

void late_add(int fd)
{
	uint64_t one = (uint64_t)fd + 1, all;

	descriptor((uint64_t)fd)->mine = 0;
	do {
		if (late_count(waiting) == LATE_MOST)
			late_close_oldest();
		all = waiting;
	} while (!outstanding_claim(&waiting, all, all ? all | one << 32 : one));
}
