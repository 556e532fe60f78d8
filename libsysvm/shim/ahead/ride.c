// SPDX-License-Identifier: MIT
/*
 * One crossing for three things: the late closes that are due, the application's present call, and the
 * outstanding results that its news may have made stale, made again after it.
 *
 * The application's call enters the kernel anyway. A late close must come before it, so that the kernel sees
 * the order of the application. What is outstanding must not survive it, since its result may be news of
 * another process; made again after it, in the same crossing, it is as fresh as if the application had asked
 * now. The code is written into the page for this one run. The registers that it uses are loaded with plain
 * values, so nothing but opcodes and register numbers is in it.
 * Tested by tests/shim/ahead and tests/shim/hazards (closes, news).
 */
#include "libsysvm/shim/ahead/ride.h"

#include <errno.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/late.h"
#include "libsysvm/shim/ahead/machine.h"
#include "libsysvm/shim/answers/log.h"
#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/names/kept.h"
#include "uapi/syscalls.h"
#include "vm/opcodes.h"

#define FUEL 64

enum {
	REG_CALL = 8,
	REG_CALL_RESULT = 14,
	REG_CLOSE_RESULT = 15,
	REG_RENEW = 16, /* + 8 i: arguments of the i-th answer that is renewed, then its result */
	REG_LATE = 64,
};

static unsigned int put_call(unsigned char *code, uint64_t nr, unsigned int result, unsigned int first)
{
	const struct sysvm_syscall_info *info = sysvm_syscall_by_nr((unsigned int)nr);
	unsigned int n = 0;

	code[n++] = SYSVM_OP_GOON;
	n += sysvm_put_call_op(code + n, (unsigned int)info->index);
	code[n++] = (unsigned char)result;
	for (unsigned int i = 0; i < info->nargs; i++)
		code[n++] = (unsigned char)(first + i);
	return n;
}

/* Where the byte code finds this argument of an outstanding answer. */
static uint64_t value_of(const struct staged *e, unsigned int i)
{
	const struct svp_arg *a = &e->follower->arg[i];

	switch (a->kind) {
	case SVP_ARG_OUT:
		return (uint64_t)(areas.staging + a->value);
	case SVP_ARG_PATH:
		return (uint64_t)areas.path;
	case SVP_ARG_KEPT:
		return kept_address(e->follower);
	case SVP_ARG_STRING:
		return (uint64_t)procedure_string(outstanding_proc(), a);
	default:
		return e->arg[i];
	}
}

/* Calls for the answers [from, to); returns how many bytes of code. */
static unsigned int put_renewals(struct sysvm_page *page, unsigned char *code, const struct staged *from,
				 const struct staged *to)
{
	unsigned int n = 0, first = REG_RENEW;

	for (const struct staged *e = from; e < to; e++, first += 8) {
		for (unsigned int i = 0; i < 6; i++)
			page->reg[first + i] = value_of(e, i);
		page->reg[first + 6] = SVP_NOT_MADE;
		n += put_call(code + n, e->follower->nr, first + 6, first);
	}
	return n;
}

static void take_renewals(const struct sysvm_page *page, struct staged *from, const struct staged *to)
{
	for (unsigned int i = 0; from + i < to; i++) {
		uint64_t result = page->reg[REG_RENEW + 8 * i + 6];

		if (result == SVP_NOT_MADE) {
			log_cut(from + i);
			break;
		}
		log_renewed(from + i, (int64_t)result);
	}
}

bool ride(struct shim_call *c, bool renew)
{
	struct staged *const from = quick.next, *const to = renew ? quick.end : from;
	uint64_t signals = shim_signals, late = late_waiting();
	struct sysvm_page *page;
	unsigned int n = 0;

	if (machine_make() || !machine_supports(c->nr))
		return false;
	page = machine_page();
	for (unsigned int i = 0; i < late_count(late); i++) {
		page->reg[REG_LATE + i] = late_fd(late, i);
		n += put_call(page->code + n, SYS_close, REG_CLOSE_RESULT, REG_LATE + i);
	}
	for (unsigned int i = 0; i < 6; i++)
		page->reg[REG_CALL + i] = c->arg[i];
	page->reg[REG_CALL_RESULT] = SVP_NOT_MADE;
	n += put_call(page->code + n, c->nr, REG_CALL_RESULT, REG_CALL);
	n += put_renewals(page, page->code + n, from, to);
	page->code[n++] = SYSVM_OP_END;
	page->code_len = n;
	page->data_base = 0;
	if (!late_take(late))
		return false; /* a handler has made them, and the code would make them again */
	machine_run(SYSVM_PROC_PAGE, FUEL, late);
	if (renew && quick.next == from) { /* else a handler has taken the log back meanwhile */
		take_renewals(page, from, to);
		outstanding_renewed(signals);
	}
	if (page->reg[REG_CALL_RESULT] == SVP_NOT_MADE) {
		if (page->status != SYSVM_RESTART)
			return false; /* FALLBACK, SIGNAL ...: the plain call follows */
		c->result = -EINTR; /* a handler that does not restart has run */
		return true;
	}
	c->result = (int64_t)page->reg[REG_CALL_RESULT];
	return true;
}
