// SPDX-License-Identifier: MIT
/*
 * Signal handlers are entered through a stub that counts (shim_signals) and jumps on, so that the ahead half
 * knows that one ran: what the handler learned may be news. The application must not notice: a query shows
 * its own handler, and a change of handler is one step. Each signal has two stubs, used in turns: the new
 * handler's address is stored in the stub that is not installed, before the kernel gets it. A handler that
 * interrupts such a change or query and changes the same signal's handler itself finds both stubs in use
 * (signals_changing), so the process goes plain.
 *
 * Handlers of SIGSEGV and SIGBUS are no obstacle (grep, diff and gawk have them). They would matter if the
 * shim's copies could fault where the kernel would return EFAULT, and memory.c touches only what it knows to
 * be there with the right protection, following every mprotect that such a program makes.
 *
 * A child of vfork has its own table of handlers in the kernel but shares ours: it installs without a stub. A
 * process that goes plain gets its own handlers back (signals_stop): from then on the shim has nothing to do
 * with its signals, and makes no call that a filter could judge.
 * Tested by tests/shim/entry (query returns the own handler, 10 kHz, SA_RESETHAND, siglongjmp, a change
 * within a change; after a filter).
 */
#include "libsysvm/shim/process/signals.h"

#include <errno.h>
#include <signal.h>

#include "libsysvm/shim/process/copy.h"
#include "libsysvm/shim/process/process.h"

static uint8_t next_stub[SIGNALS]; /* 0 or 1, by signal - 1 */
static uint8_t changing[SIGNALS];
static uint64_t with_stub; /* bit signal - 1: one may be installed */

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

/* The application's handler for what is installed. */
static uint64_t own_handler(uint64_t installed)
{
	uint64_t first = (uint64_t)shim_stubs, i = (installed - first) / STUB_SIZE;

	return installed >= first && i < STUBS ? shim_handlers[i] : installed;
}

static long set_action(uint64_t signal, const struct kernel_sigaction *new, struct kernel_sigaction *old,
		       uint64_t size)
{
	return raw4(SYS_rt_sigaction, signal, new, old, size);
}

uint64_t signals_hold(void)
{
	static const uint64_t all = ~0ull;
	uint64_t mask = 0;

	own4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask, sizeof(mask));
	return mask;
}

void signals_release(uint64_t mask)
{
	own4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof(mask));
}

__attribute__((noinline)) void signals_stop(void)
{
	static struct kernel_sigaction action; /* no handler comes in between */
	uint64_t mask;

	if (!with_stub)
		return;
	mask = signals_hold(); /* one that comes between the two calls may reset its handler */
	for (unsigned int signal = 1; with_stub; signal++, with_stub >>= 1) {
		if (!(with_stub & 1) || set_action(signal, 0, &action, 8) != 0)
			continue;
		bump(&process.file->stats.own);
		if (own_handler(action.handler) == action.handler)
			continue;
		action.handler = own_handler(action.handler);
		set_action(signal, &action, 0, 8);
		bump(&process.file->stats.own);
	}
	signals_release(mask);
}

static bool is_change(const struct shim_call *call)
{
	return call->arg[3] == 8 && call->arg[0] >= 1 && call->arg[0] <= SIGNALS;
}

bool signals_changing(const struct shim_call *call)
{
	return shim_mode && is_change(call) && call->arg[1] && changing[call->arg[0] - 1];
}

int signals_action(struct shim_call *call)
{
	uint64_t signal = call->arg[0];
	struct kernel_sigaction action; /* the new one, then the old one */
	bool has_new = call->arg[1] != 0, wrap;
	unsigned int stub = 0;

	if (!is_change(call))
		return -1; /* the kernel returns EINVAL */
	/* The child of a vfork, under a filter, or where no stub could be shown: posix_spawn asks about all
	   signals. */
	if (!shim_mode && (process.confined || !call->arg[2] || !(with_stub >> (signal - 1) & 1)))
		return -1;
	if (has_new && copy_from(&action, call->arg[1], sizeof(action), call->sp) != 0)
		return -1; /* the kernel returns EFAULT */

	bump(shim_mode ? &process.file->stats.seen : &process.file->stats.plain);
	if (shim_mode)
		bump(&process.file->stats.forwarded);
	wrap = has_new && action.handler > (uint64_t)SIG_IGN && shim_mode;
	changing[signal - 1] = shim_mode;
	if (wrap) {
		stub = 2 * (unsigned int)(signal - 1) + next_stub[signal - 1];
		shim_handlers[stub] = action.handler;
		with_stub |= 1ull << (signal - 1);
		action.handler = (uint64_t)shim_stubs + stub * STUB_SIZE;
	}
	call->result = set_action(signal, has_new ? &action : 0, &action, 8);
	if (call->result == 0) {
		/* First: the next change puts its handler where the old one's is. */
		action.handler = own_handler(action.handler);
		next_stub[signal - 1] ^= wrap;
	}
	__asm__ volatile("" : : : "memory");
	changing[signal - 1] = 0;
	if (wrap && !shim_mode) { /* a handler has made the process plain: no stub may stay */
		with_stub |= 1ull << (signal - 1);
		signals_stop();
	}
	if (call->result == 0 && call->arg[2] &&
	    copy_to(call->arg[2], &action, sizeof(action), call->sp) != 0)
		call->result = -EFAULT; /* as the kernel does: installed all the same */
	return VERDICT_ANSWERED;
}
