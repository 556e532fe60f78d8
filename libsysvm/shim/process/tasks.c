// SPDX-License-Identifier: MIT
/*
 * New tasks and the end of this one.
 *
 *   fork      settled before; the child has its own copy of everything and goes on with its own machine
 *   vfork     and the like: the child shares this memory but not the descriptors, and runs while we sleep:
 *             plain, without touching the shim's state, until the parent returns (entry.S switches back). No
 *             signal is handled in between: SIGCHLD comes with the parent's return, and its handler's calls
 *             must be seen. Mappings that the child changes are the parent's too: what is known about them is
 *             forgotten
 *   threads   and others that share: plain for ever, before the second task exists
 *
 * Tested by tests/shim/entry (fork, vfork, posix_spawn in a loop, threads, clone with a stack).
 */
#include "libsysvm/shim/process/tasks.h"

#include <linux/sched.h>
#include <signal.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/process/copy.h"
#include "libsysvm/shim/process/plain.h"
#include "libsysvm/shim/process/process.h"
#include "libsysvm/shim/process/signals.h"

#ifndef CLONE_VFORK
#define CLONE_VFORK 0x00004000
#endif

static void count_forwarded(void)
{
	bump(&process.file->stats.seen);
	bump(&process.file->stats.forwarded);
}

int tasks_fork(struct shim_call *call)
{
	(void)call;
	process_not_alone();
	ahead_settle();
	count_forwarded();
	return VERDICT_FORK;
}

void tasks_after_fork(int64_t result)
{
	if (result != 0)
		return;
	bump(&process.file->stats.processes);
	ahead_forked_child();
}

int tasks_vfork(struct shim_call *call)
{
	process_not_alone();
	ahead_settle();
	count_forwarded();
	shim_vfork_mask = signals_hold();
	bump_n(&process.file->stats.own, 2); /* entry.S lets them go, in both */
	shim_vfork_return = call->site + 2;
	plain_watch_child(true);
	shim_mode = 0;
	return VERDICT_VFORK;
}

static int clone_like(struct shim_call *call, uint64_t flags, uint64_t stack)
{
	process_not_alone();
	if (flags & (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID))
		process.confined = true; /* meant for the child, which has a copy */
	/* a vfork's child leaves a task in the parent's memory: the parent will not be alone */
	if (!shim_mode) {
		if ((flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM && shim_vfork_mode) {
			shim_vfork_mode = 0;
			process.off = SHIM_OFF_THREADS;
			bump(&process.file->stats.off[SHIM_OFF_THREADS]);
		}
		return -1;
	}
	if ((flags & (CLONE_VM | CLONE_VFORK)) == (CLONE_VM | CLONE_VFORK) &&
	    !(flags & (CLONE_FILES | CLONE_FS | CLONE_SIGHAND)))
		return tasks_vfork(call);
	/*
	 * A copy on another stack would return to a frame that is not there; it is rare enough that we go
	 * plain.
	 */
	if (flags & (CLONE_VM | CLONE_FILES | CLONE_FS) || stack) {
		plain_stop(SHIM_OFF_THREADS);
		return -1;
	}
	return tasks_fork(call);
}

int tasks_clone(struct shim_call *call)
{
	return clone_like(call, call->arg[0], call->arg[1]);
}

int tasks_clone3(struct shim_call *call)
{
	struct clone_args args = { 0 };
	unsigned long size = call->arg[1] < sizeof(args) ? call->arg[1] : sizeof(args);

	if (copy_from(&args, call->arg[0], size, call->sp) != 0)
		return -1; /* the kernel returns EFAULT */
	return clone_like(call, args.flags, args.stack);
}

int tasks_exit(struct shim_call *call)
{
	(void)call;
	ahead_settle();
	return -1;
}
