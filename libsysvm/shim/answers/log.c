// SPDX-License-Identifier: MIT
/*
 * The log: what a run has fetched and the application has not asked for yet.
 *
 * The running example is `cat file`: it opens the file, then calls fstat, fadvise64, read, read and close.
 * The open is the trigger, and its run has made the four calls after it. Their answers stand in the log, in
 * that order. The application's fstat is answered if it is the next one, with the same arguments, strings
 * compared by content; so is the fadvise64 after it. Each answer is used once, by the thread that made it.
 *
 * The log is dropped when it is too old, at any signal handler, and at the first call that is not the
 * expected one and may carry news. What an unused answer has changed (a position, a descriptor, a flag) is
 * undone before the next call enters the kernel: a read ahead has moved the file's position, so lseek moves
 * it back.
 *
 * A signal handler may run between any two instructions here and make calls of its own (ahead.c lets them
 * through after taking the log back). So an answer is claimed before it is used (outstanding.h). A handler
 * after the claim sees the call as made, which is one of the orders that the kernel could have chosen.
 * Tested by tests/shim/ahead/ahead_test.cc and tests/shim/hazards.
 */
#include "libsysvm/shim/answers/log.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/descriptors.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/names/names.h"

static struct staged log[SVP_MAX_FOLLOWERS + 1];
static struct staged *volatile counted; /* answers below this are in the counters */
static uint32_t hidden; /* answers after a loop: from quick.end on */
static bool used;	/* some follower_rule.used is not 0 */
static int64_t nobodys_position;

static bool claim(struct staged *from, struct staged *to)
{
	return outstanding_claim(&quick.next, (uint64_t)from, (uint64_t)to); /* entry.S does the same */
}

void log_count(void)
{
	struct staged *from = counted, *to = quick.next;

	if (from >= to || !outstanding_claim(&counted, (uint64_t)from, (uint64_t)to))
		return;
	outstanding_hits((uint64_t)(to - from));
	counts.quick += (uint64_t)(to - from);
}

void log_cut(struct staged *end)
{
	end->minus_nr = STAGED_NEVER;
	quick.end = end;
}

void log_reset(void)
{
	log_cut(log);
	quick.next = counted = log;
	hidden = 0;
	used = false;
}

void log_begin(void)
{
	log_count();
	log_cut(log); /* before next: a handler finds nothing outstanding */
	quick.next = counted = log;
}

uint32_t log_made(void)
{
	return (uint32_t)(quick.end - log);
}

void log_hide(uint32_t from)
{
	hidden = log_made() - from;
	if (hidden)
		log_cut(log + from);
}

/* One instruction takes them, so that a handler cannot take them a second time. */
void log_reveal(void)
{
	uint32_t revealed = 0;

	__asm__ volatile("xchgl %0, %1" : "+r"(revealed), "+m"(hidden) : : "memory");
	if (revealed)
		quick.end += revealed;
}

bool log_hidden(void)
{
	return hidden;
}

uint32_t log_due(void)
{
	const struct staged *next = quick.next;

	if (next != quick.end)
		return (uint32_t)(next->follower - svp.followers);
	return next > log ? (uint32_t)(next[-1].follower - svp.followers) + 1 : 0;
}

/* What entry.S needs, if it may serve this answer: only where serving it means no more than copying. */
static void make_quick(struct staged *e)
{
	const struct follower_rule *r = e->rule;
	const struct svp_follower *follower = e->follower;
	uint64_t reach;

	e->minus_nr = STAGED_NEVER;
	e->size = answer_size(follower, r, e->result);
	e->position = &nobodys_position;
	e->out = 0;
	e->to_max = ~0ull;
	if (!r->plain)
		return;
	for (unsigned int i = 0; i < 6; i++) {
		if (follower->arg[i].kind != SVP_ARG_STRING)
			continue;
		if (!r->string)
			return;
		e->arg[i] = r->string;
	}
	if (r->out < 6) {
		const struct svp_arg *a = &follower->arg[r->out];

		if (e->size > a->size || r->out == 0 || r->out == 3 || r->out == 5)
			return; /* registers that entry.S does not read */
		reach = e->size;
		if (r->out_bytes && r->out + 1 < 6 && e->arg[r->out + 1] > reach)
			reach = e->arg[r->out + 1]; /* the kernel checks all of the buffer */
		if (reach > USER_END)
			return;
		e->out = r->out;
		e->to_max = USER_END - reach;
		e->from = areas.staging + a->value;
	}
	if (follower->nr == SYS_read) {
		struct descriptor *f = descriptor(e->arg[0]);

		if (!f || e->result < 0)
			return;
		if (f->position >= 0 && f->kind != KIND_DIRECTORY)
			e->position = &f->position;
	}
	e->minus_nr = 0 - (uint64_t)follower->nr;
}

static void not_quick(struct staged *from)
{
	for (; from < quick.end; from++)
		from->minus_nr = STAGED_NEVER;
}

void log_forget_strings(void)
{
	for (uint32_t i = 0; i < svp.nfollowers; i++)
		follower_rules[i].string = 0;
	not_quick(quick.next);
}

/* Of what this follower had staged before, nothing may be left beyond the new bytes. */
static void staged_anew(struct staged *e)
{
	uint32_t size = answer_size(e->follower, e->rule, e->result), before = e->rule->used;
	const struct svp_arg *a;

	if (e->rule->out >= 6 || !e->rule->out_bytes)
		return;
	a = &e->follower->arg[e->rule->out];
	if (before > size)
		bytes_zero(areas.staging + a->value + size, before - size);
	e->rule->used = size < a->size ? size : a->size;
	used |= size > 0;
}

void log_add(uint32_t index, int64_t result, const __u64 *reg)
{
	const struct svp_follower *follower = &svp.followers[index];
	struct staged *e = quick.end;

	e->follower = follower;
	e->rule = &follower_rules[index];
	e->result = result;
	for (unsigned int i = 0; i < 6; i++) {
		const struct svp_arg *a = &follower->arg[i];

		e->arg[i] = a->kind == SVP_ARG_REG || a->kind == SVP_ARG_COUNT ? reg[a->reg] : a->value;
	}
	staged_anew(e);
	log_cut(e + 1);
	make_quick(e);
}

void log_renewed(struct staged *e, int64_t result)
{
	e->result = result;
	staged_anew(e);
	make_quick(e);
}

bool log_serve(struct shim_call *c)
{
	struct staged *e = quick.next;
	uint32_t size;

	if (e >= quick.end || e->follower->nr != c->nr ||
	    !answer_same(e->follower, e->rule, e->arg, e->result, c) ||
	    !answer_fits(e->follower, e->rule, e->result, c, &size))
		return false;
	log_count();
	counted = e + 1;
	if (!claim(e, e + 1))
		return false;
	if (size) {
		const struct svp_arg *out = &e->follower->arg[e->rule->out];

		bytes_copy((void *)c->arg[e->rule->out], areas.staging + out->value, size);
	}
	c->result = e->result;
	if (rules_of(c->nr) & RULE_WATCH)
		names_after(c);
	if (c->result < 0)
		not_quick(e + 1); /* a position may not be known any more */
	outstanding_hits(1);
	return true;
}

/* File content may be secret. It is wiped when its result is dropped, and at the latest before the next
   crossing after it was served, unless that crossing fills its place anew. */
static void wipe(const struct svp_follower *follower, struct follower_rule *r)
{
	if (!r->used)
		return;
	bytes_zero(areas.staging + follower->arg[r->out].value, r->used);
	r->used = 0;
}

void log_wipe_used(void)
{
	const struct svp_proc *p;

	if (!used)
		return;
	used = false;
	p = &svp.procs[outstanding_proc()];
	for (uint32_t i = p->first_follower; i < p->first_follower + p->followers; i++)
		wipe(&svp.followers[i], &follower_rules[i]);
}

/* Everything is still outstanding, and nothing was served. */
static bool claim_rest(struct staged *from, struct staged *to)
{
	if (from >= to)
		return false;
	log_count();
	counted = to;
	if (!claim(from, to))
		return false;
	outstanding_missed();
	return true;
}

/* What the calls of the outstanding answers have moved, to be moved back. */
struct undo_seeks {
	int64_t back; /* bytes, all on one descriptor */
	int back_fd, rewind_fd;
};

static void undo(const struct staged *e, struct undo_seeks *seeks)
{
	const struct descriptor *f = descriptor(e->arg[0]);

	switch (e->rule->undo) {
	case UNDO_SEEK:
		if (e->result && e->follower->nr == SYS_getdents64) {
			seeks->rewind_fd = (int)e->arg[0];
		} else if (e->result && e->follower->nr == SYS_read) {
			seeks->back_fd = (int)e->arg[0];
			seeks->back += e->result;
		}
		return;
	case UNDO_CLOSE:
		own_call(SYS_close, (uint64_t)e->result, 0, 0, 0);
		break;
	case UNDO_CLOEXEC:
		own_call(SYS_fcntl, e->arg[0], F_SETFD, f && f->cloexec ? FD_CLOEXEC : 0, 0);
		break;
	default:
		return;
	}
	counts.proc[outstanding_proc()].undone++;
}

void log_take_back(void)
{
	struct undo_seeks seeks = { 0, -1, -1 };
	struct staged *from = quick.next, *to = quick.end;

	if (!claim_rest(from, to))
		return;
	for (struct staged *e = to; e-- > from;) {
		wipe(e->follower, e->rule);
		if (e->result >= 0)
			undo(e, &seeks);
	}
	if (seeks.back) {
		own_call(SYS_lseek, (uint64_t)seeks.back_fd, (uint64_t)-seeks.back, SEEK_CUR, 0);
		counts.proc[outstanding_proc()].undone++;
	}
	if (seeks.rewind_fd >= 0) {
		const struct descriptor *f = descriptor((uint64_t)seeks.rewind_fd);

		own_call(SYS_lseek, (uint64_t)seeks.rewind_fd, (uint64_t)(f ? f->position : 0), SEEK_SET, 0);
		counts.proc[outstanding_proc()].undone++;
	}
}

bool log_closed(int fd)
{
	struct staged *from = quick.next, *to = quick.end;
	uint32_t on_fd = 0;

	for (struct staged *e = from; e < to; e++) {
		if (e->rule->undo == UNDO_CLOSE)
			return false; /* the number of a copy made ahead could now be a lower one */
		on_fd += (int)e->arg[0] == fd;
	}
	if (!on_fd)
		return true;
	if (on_fd != to - from)
		return false;
	if (claim_rest(from, to))
		for (struct staged *e = from; e < to; e++)
			wipe(e->follower, e->rule);
	return true;
}

bool log_renewable(void)
{
	const struct staged *from = quick.next, *to = quick.end;

	if (to - from > 4)
		return false;
	for (const struct staged *e = from; e < to; e++) {
		unsigned int undo = e->rule->undo;

		if (undo != UNDO_NONE && !(undo == UNDO_SEEK && e->result == 0))
			return false;
	}
	return to != from;
}
