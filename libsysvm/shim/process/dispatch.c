// SPDX-License-Identifier: MIT
/*
 * What a call means for the process, before the ahead half is asked: one table keyed by call number. Most
 * calls have no row. A row either ends run-ahead for good, because the shim no longer sees every call or
 * somebody may judge them, or leads to a function.
 * Tested by tests/shim/entry (one program for each reason).
 */
#include "libsysvm/shim/process/dispatch.h"

#include <asm/prctl.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/process/exec.h"
#include "libsysvm/shim/process/objects.h"
#include "libsysvm/shim/process/plain.h"
#include "libsysvm/shim/process/process.h"
#include "libsysvm/shim/process/signals.h"
#include "libsysvm/shim/process/tasks.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

/* Functions of rows return a verdict, or LET: go on as any other call. */
#define LET (-1)

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

/*
 * From now on a filter, a rule set or a tracer may judge what this process does, or what it runs next finds
 * other files and rights than we do, and must not meet anything of ours. So exec adds nothing and asks
 * nothing. Set before the call is known to succeed, also while plain, and by the child of a vfork: a flag
 * that is only ever set does no harm to the parent.
 */
static int confined_before(struct shim_call *call)
{
	(void)call;
	process.confined = true;
	return LET;
}

static int prctl_before(struct shim_call *call)
{
	if (call->arg[0] == PR_SET_SECCOMP || call->arg[0] == PR_SET_SYSCALL_USER_DISPATCH) {
		plain_stop(SHIM_OFF_SECCOMP);
		return confined_before(call);
	}
	/* what it runs could not be patched, and others would see the attempt */
	if (call->arg[0] == PR_SET_MDWE)
		return confined_before(call);
	return LET;
}

static int seccomp_before(struct shim_call *call)
{
	plain_stop(SHIM_OFF_SECCOMP);
	return confined_before(call);
}

/* So would a tracer: it runs the programs that it traces, and shows what they were given. */
static int ptrace_before(struct shim_call *call)
{
	plain_stop(SHIM_OFF_TRACED);
	return confined_before(call);
}

static int personality_before(struct shim_call *call)
{
	if (call->arg[0] != 0xffffffff && call->arg[0] & READ_IMPLIES_EXEC)
		plain_stop(SHIM_OFF_UNSEEN);
	return LET;
}

static int fcntl_before(struct shim_call *call)
{
	if ((uint32_t)call->arg[1] == F_NOTIFY)
		plain_stop(SHIM_OFF_WATCH);
	return LET;
}

static int mmap_before(struct shim_call *call)
{
	uint64_t prot = call->arg[2], flags = call->arg[3];
	static bool asking; /* objects_by_fd uses static memory, so that no stack need have room for it */
	int fd = (int)call->arg[4];

	if (!shim_mode || (!(prot & PROT_EXEC) && (flags & MAP_TYPE) == MAP_PRIVATE))
		return LET;
	if (asking) { /* a handler, in the middle of it; or one that has left it by longjmp */
		plain_stop(SHIM_OFF_UNSEEN);
		return LET;
	}
	asking = true;
	if (prot & PROT_EXEC) {
		const struct sysvm_object *o = flags & MAP_ANONYMOUS ? 0 : objects_by_fd(fd, call->arg[5]);

		/* A second copy of an object whose sites were patched would be an unpatched one. */
		if (!o || o->verdict != OBJECT_CLEAN || prot & PROT_WRITE) {
			if ((!o || o->verdict == OBJECT_UNSEEN) && !(flags & MAP_ANONYMOUS))
				objects_note_unknown(fd);
			plain_stop(SHIM_OFF_UNSEEN);
		}
	}
	if ((flags & MAP_TYPE) != MAP_PRIVATE &&
	    (flags & MAP_ANONYMOUS || prot & PROT_WRITE || !objects_is_gconv_cache(fd)))
		plain_stop(SHIM_OFF_SHARED);
	asking = false;
	return LET;
}

static int mprotect_before(struct shim_call *call)
{
	if (call->arg[2] & PROT_EXEC)
		plain_stop(SHIM_OFF_UNSEEN);
	return LET;
}

static int sigaction_before(struct shim_call *call)
{
	if (signals_changing(call))
		plain_stop(SHIM_OFF_FAULTS);
	return signals_action(call);
}

static int unshare_before(struct shim_call *call)
{
	plain_stop(SHIM_OFF_THREADS);
	return confined_before(call);
}

struct row {
	int (*before)(struct shim_call *call);
	uint8_t reason; /* with before null: stop with it */
	uint8_t plain;	/* comes here while plain, too */
};

static const struct row rows[PLAIN_CALLS] = {
	[SYS_fork] = { tasks_fork, 0, 0 },
	[SYS_vfork] = { tasks_vfork, 0, 0 },
	[SYS_clone] = { tasks_clone, 0, 0 },
	[SYS_clone3] = { tasks_clone3, 0, 0 },
	[SYS_exit] = { tasks_exit, 0, 0 },
	[SYS_exit_group] = { tasks_exit, 0, 0 },
	[SYS_execve] = { exec_before, 0, 1 },
	[SYS_execveat] = { exec_before, 0, 1 },
	[SYS_rt_sigaction] = { sigaction_before, 0, 0 },
	[SYS_mmap] = { mmap_before, 0, 0 },
	[SYS_mprotect] = { mprotect_before, 0, 0 },
	[SYS_prctl] = { prctl_before, 0, 1 },
	[SYS_personality] = { personality_before, 0, 0 },
	[SYS_fcntl] = { fcntl_before, 0, 0 },
	[SYS_seccomp] = { seccomp_before, 0, 1 },
	[SYS_landlock_restrict_self] = { confined_before, 0, 1 },
	[SYS_ptrace] = { ptrace_before, 0, 1 },
	[SYS_io_uring_setup] = { 0, SHIM_OFF_RINGS, 0 },
	[SYS_io_setup] = { 0, SHIM_OFF_RINGS, 0 },
	[SYS_perf_event_open] = { 0, SHIM_OFF_RINGS, 0 },
	[SYS_userfaultfd] = { 0, SHIM_OFF_FAULTS, 0 },
	[SYS_pkey_alloc] = { 0, SHIM_OFF_FAULTS, 0 },
	[SYS_pkey_mprotect] = { 0, SHIM_OFF_FAULTS, 0 },
	[SYS_shmat] = { 0, SHIM_OFF_SHARED, 0 },
	[SYS_remap_file_pages] = { 0, SHIM_OFF_SHARED, 0 },
	[SYS_modify_ldt] = { 0, SHIM_OFF_UNSEEN, 0 },
	[SYS_unshare] = { unshare_before, 0, 1 },
	[SYS_setns] = { unshare_before, 0, 1 },
	[SYS_chroot] = { confined_before, 0, 1 },
	[SYS_pivot_root] = { confined_before, 0, 1 },
	[SYS_mount] = { confined_before, 0, 1 },
	[SYS_umount2] = { confined_before, 0, 1 },
	[SYS_setuid] = { confined_before, 0, 1 },
	[SYS_setgid] = { confined_before, 0, 1 },
	[SYS_setreuid] = { confined_before, 0, 1 },
	[SYS_setregid] = { confined_before, 0, 1 },
	[SYS_setresuid] = { confined_before, 0, 1 },
	[SYS_setresgid] = { confined_before, 0, 1 },
	[SYS_setfsuid] = { confined_before, 0, 1 },
	[SYS_setfsgid] = { confined_before, 0, 1 },
	[SYS_setgroups] = { confined_before, 0, 1 },
	[SYS_capset] = { confined_before, 0, 1 },
	[SYS_inotify_init] = { 0, SHIM_OFF_WATCH, 0 },
	[SYS_inotify_init1] = { 0, SHIM_OFF_WATCH, 0 },
	[SYS_fanotify_init] = { 0, SHIM_OFF_WATCH, 0 },
};

void dispatch_init(void)
{
	for (int i = 0; i < PLAIN_CALLS; i++)
		shim_plain_looks[i] = rows[i].plain;
}

/* A function of its own, reached by a jump: the rows need the stack that it would take. */
__attribute__((noinline)) static int ask_ahead(struct shim_call *call)
{
	int verdict;

	bump(&process.file->stats.seen);
	verdict = ahead_before(call);
	if (verdict != SHIM_ANSWERED)
		bump(&process.file->stats.forwarded);
	return verdict;
}

__attribute__((used)) int shim_dispatch(struct shim_call *call)
{
	int verdict;

	if (call->nr < PLAIN_CALLS) {
		const struct row *row = &rows[call->nr];

		if (row->before) {
			verdict = row->before(call);
			if (verdict != LET)
				return verdict;
		} else if (row->reason) {
			plain_stop(row->reason);
		}
	}
	if (!shim_mode) {
		ahead_child(call);
		__atomic_fetch_add(shim_plain_counter, 1, __ATOMIC_RELAXED);
		return VERDICT_FORWARD;
	}
	return ask_ahead(call);
}

__attribute__((used)) void shim_after(struct shim_call *call, int verdict)
{
	if (verdict == VERDICT_FORK)
		tasks_after_fork(call->result);
	else
		ahead_after(call);
}
