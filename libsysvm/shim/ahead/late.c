// SPDX-License-Identifier: MIT
/*
 * A close of a file that was only read is answered at once, and made in the next crossing: in `cat a b`, the
 * close of a is made together with the open of b. The kernel still sees the close before the call that
 * follows it.
 * Tested by tests/shim/hazards (closes) and tests/shim/ahead.
 */
#include "libsysvm/shim/ahead/late.h"

#include <sys/syscall.h>

#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/descriptors.h"

static uint32_t pending;
static int32_t late[LATE_MOST]; /* the first `pending` wait, oldest first */
static bool off;

void late_reset(bool never)
{
	pending = 0;
	off = never;
}

bool late_may_close(const struct shim_call *c)
{
	const struct descriptor *f = descriptor(c->arg[0]);

	return !off && !descriptors_locked() && f && f->mine && f->kind != KIND_UNKNOWN;
}

uint32_t late_pending(void)
{
	return pending;
}

void late_close_oldest(void)
{
	int fd = late[0];

	/* Before the close: a handler must not close a number that is in use again. */
	late[0] = late[1];
	pending--;
	own_call(SYS_close, (uint64_t)fd, 0, 0, 0);
}

void late_close_all(void)
{
	while (pending)
		late_close_oldest();
}

void late_add(int fd)
{
	if (pending == LATE_MOST)
		late_close_oldest();
	descriptor((uint64_t)fd)->mine = 0;
	late[pending++] = fd;
}

uint32_t late_take(int32_t fd[LATE_MOST])
{
	uint32_t n = pending;

	for (uint32_t i = 0; i < n; i++)
		fd[i] = late[i];
	pending = 0;
	return n;
}
