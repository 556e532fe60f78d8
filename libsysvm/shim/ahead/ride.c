// SPDX-License-Identifier: MIT
/*
 * One entry for three things: the late closes that are due, the application's present call, and the outstanding
 * results that its news may have made stale, made again after it.
 *
 * The application's call enters the kernel anyway. The close must come before it, so that the kernel sees the
 * order of the application. What is outstanding must not survive it, since its result may be news of another
 * process; made again behind it, in the same entry, it is as fresh as if the application had asked now. The code is
 * written into the page for this one run; the registers it uses are loaded with plain values, so nothing but
 * opcodes and register numbers is in it.
 */
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "uapi/syscalls.h"
#include "vm/opcodes.h"

enum { REG_CALL = 8, REG_CALL_RESULT = 14, REG_CLOSE_RESULT = 15, REG_RENEW = 16, REG_LATE = 64 }; /* REG_RENEW + 8 i: entry i */

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

bool ride(struct shim_call *c, bool renew)
{
	struct sysvm_page *page;
	struct log_entry *const from = ahead.q.next, *const to = ahead.q.end;
	unsigned int n = 0, renewed = 0;
	uint64_t calls, signals = shim_signals;
	uint32_t closing = ahead.pending;

	if (ahead_engine_make())
		return false;
	page = ahead.page;
	if (!sysvm_supports(ahead.vm, (unsigned int)c->nr))
		return false;
	for (unsigned int i = 0; i < closing; i++) {
		page->reg[REG_LATE + i] = (uint64_t)ahead.late[i];
		n += put_call(page->code + n, SYS_close, REG_CLOSE_RESULT, REG_LATE + i);
	}
	for (unsigned int i = 0; i < 6; i++)
		page->reg[REG_CALL + i] = c->arg[i];
	page->reg[REG_CALL_RESULT] = SVP_NOT_MADE;
	n += put_call(page->code + n, c->nr, REG_CALL_RESULT, REG_CALL);
	for (const struct log_entry *e = from; renew && e < to; e++, renewed++) {
		unsigned int first = REG_RENEW + 8 * renewed;

		for (unsigned int a = 0; a < 6; a++) {
			const struct svp_arg *arg = &e->follower->arg[a];
			uint64_t value = e->arg[a];

			if (arg->kind == SVP_ARG_OUT)
				value = (uint64_t)(ahead.staging + arg->value);
			else if (arg->kind == SVP_ARG_PATH)
				value = (uint64_t)ahead.path;
			else if (arg->kind == SVP_ARG_KEPT)
				value = kept_address(e->follower);
			else if (arg->kind == SVP_ARG_STRING)
				value = (uint64_t)(ahead.svp.data + ahead.svp.procs[ahead.log_proc].data_offset +
						   arg->value);
			page->reg[first + a] = value;
		}
		page->reg[first + 6] = SVP_NOT_MADE;
		n += put_call(page->code + n, e->follower->nr, first + 6, first);
	}
	page->code[n++] = SYSVM_OP_END;
	page->code_len = n;
	page->data_base = 0;
	calls = page->calls;

	ahead.pending = 0;
	ahead.n.runs++;
	(void)sysvm_run(ahead.vm, SYSVM_PROC_PAGE, 64);
	ahead.n.inner += page->calls - calls;
	for (uint64_t i = page->calls - calls; i < closing; i++) /* stopped before it made them all */
		ahead_own(SYS_close, page->reg[REG_LATE + i], 0, 0, 0);
	if (renew && ahead.q.next == from) { /* else a handler has taken the log back meanwhile */
		for (unsigned int i = 0; i < renewed; i++) {
			uint64_t result = page->reg[REG_RENEW + 8 * i + 6];

			if (result == SVP_NOT_MADE) {
				log_cut(from + i);
				break;
			}
			log_renewed(from + i, (int64_t)result);
		}
		ahead.q.log_signals = signals;
		ahead.log_time = clock_mark(&ahead.q.log_clock);
	}
	if (page->reg[REG_CALL_RESULT] == SVP_NOT_MADE) {
		if (page->status != SYSVM_RESTART)
			return false; /* FALLBACK, SIGNAL ...: the plain call follows */
		c->result = -4;	      /* EINTR: a handler that does not restart has run */
		return true;
	}
	c->result = (int64_t)page->reg[REG_CALL_RESULT];
	return true;
}
