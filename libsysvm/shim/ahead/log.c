// SPDX-License-Identifier: MIT
/*
 * The log: what a run has made and the application has not yet asked for.
 *
 * An entry is used once, in order, by the thread that made it, and only if the application's call has the same
 * number and the same arguments, strings compared by content. The log dies at the first call that does not match
 * and may carry news, at any signal handler, and of age. What an unused entry changed (a position, a descriptor, a
 * flag) is taken back before the next call enters the kernel.
 *
 * Signal handlers: a handler may run between any two instructions here and make calls of its own (ahead.c lets them
 * through after taking the log back). So an entry is claimed by one compare-and-exchange before it is used; who
 * loses makes the plain call. A handler after the claim sees the call as made, which is one of the orders that the
 * kernel could have chosen.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/quick.h"

#define USER_END 0x7fffffffe000ull /* first address that is never a user's, one page below 2^47 */

_Static_assert(offsetof(struct ahead, q) == 0 && offsetof(struct quick, next) == QUICK_NEXT &&
		       offsetof(struct quick, busy_sp) == QUICK_BUSY_SP &&
		       offsetof(struct quick, log_signals) == QUICK_LOG_SIGNALS &&
		       offsetof(struct quick, log_clock) == QUICK_LOG_CLOCK &&
		       offsetof(struct quick, clock) == QUICK_CLOCK && offsetof(struct quick, age_ns) == QUICK_AGE_NS &&
		       offsetof(struct quick, stack_low) == QUICK_STACK_LOW &&
		       offsetof(struct quick, stack_high) == QUICK_STACK_HIGH &&
		       offsetof(struct quick, write_low) == QUICK_WRITE_LOW &&
		       offsetof(struct quick, write_high) == QUICK_WRITE_HIGH,
	       "entry.S");
_Static_assert(offsetof(struct clock_words, seconds) == CLOCK_SECONDS &&
		       offsetof(struct clock_words, nanoseconds) == CLOCK_NANOSECONDS,
	       "entry.S");
_Static_assert(offsetof(struct log_entry, rule) == LOG_RULE && offsetof(struct log_entry, minus_nr) == LOG_MINUS_NR &&
		       offsetof(struct log_entry, arg) == LOG_ARG && offsetof(struct log_entry, result) == LOG_RESULT &&
		       offsetof(struct log_entry, from) == LOG_FROM && offsetof(struct log_entry, size) == LOG_LENGTH &&
		       offsetof(struct log_entry, to_max) == LOG_TO_MAX && offsetof(struct log_entry, out) == LOG_OUT &&
		       offsetof(struct log_entry, position) == LOG_POSITION && sizeof(struct log_entry) == LOG_SIZE,
	       "entry.S");
_Static_assert(offsetof(struct follower_rule, quick) == RULE_QUICK, "entry.S");

static int64_t nobodys_position;

/* Against handlers on this thread only, hence no lock prefix. */
static bool exchange(struct log_entry *volatile *where, struct log_entry *from, struct log_entry *to)
{
	struct log_entry *expected = from;

	__asm__ volatile("cmpxchgq %2, %1" : "+a"(expected), "+m"(*where) : "r"(to) : "memory", "cc");
	return expected == from;
}

/* Claim entries [from, to). entry.S does the same. */
static bool log_claim(struct log_entry *from, struct log_entry *to)
{
	return exchange(&ahead.q.next, from, to);
}

static void count_hits(uint64_t n)
{
	ahead.n.answered += n;
	ahead.n.proc[ahead.log_proc].hits += (uint32_t)n;
	ahead.proc[ahead.log_proc].hits += (uint32_t)n;
}

void log_count(void)
{
	struct log_entry *from = ahead.counted, *to = ahead.q.next;

	if (from >= to || !exchange(&ahead.counted, from, to))
		return;
	count_hits((uint64_t)(to - from));
	ahead.n.quick += (uint64_t)(to - from);
}

bool log_fresh(void)
{
	return ahead.q.log_signals == shim_signals && clock_ms() - ahead.log_time <= ahead.set.age_ms;
}

/* The end of what is outstanding. */
void log_cut(struct log_entry *end)
{
	end->minus_nr = LOG_NEVER;
	ahead.q.end = end;
}

void log_start(uint32_t proc, uint64_t signals)
{
	log_count();
	log_cut(ahead.log); /* before next: a handler finds nothing outstanding */
	ahead.q.next = ahead.counted = ahead.log;
	ahead.q.log_signals = signals;
	ahead.log_proc = proc;
	ahead.missed = 0;
	kept_start();
}

static uint32_t out_size(const struct log_entry *e)
{
	if (e->result < 0)
		return 0;
	return e->rule->out_bytes ? (uint32_t)e->result : e->rule->out_size;
}

/* What entry.S needs, if it may serve this entry: only where serving it means no more than copying. */
static void make_quick(struct log_entry *e)
{
	const struct follower_rule *r = e->rule;
	const struct svp_follower *follower = e->follower;
	uint64_t reach;

	e->minus_nr = LOG_NEVER;
	e->size = out_size(e);
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
			return; /* registers that entry.S does not look into */
		reach = e->size;
		if (r->out_bytes && r->out + 1 < 6 && e->arg[r->out + 1] > reach)
			reach = e->arg[r->out + 1]; /* the kernel looks at all of the buffer that it was told of */
		if (reach > USER_END)
			return;
		e->out = r->out;
		e->to_max = USER_END - reach;
		e->from = ahead.staging + a->value;
	}
	if (follower->nr == SYS_read) {
		struct fd_fact *f = fact(e->arg[0]);

		if (!f || e->result < 0)
			return;
		if (f->position >= 0 && f->kind != KIND_DIRECTORY)
			e->position = &f->position;
	}
	e->minus_nr = 0 - (uint64_t)follower->nr;
}

static void not_quick(struct log_entry *from)
{
	for (; from < ahead.q.end; from++)
		from->minus_nr = LOG_NEVER;
}

void log_forget_strings(void)
{
	for (uint32_t i = 0; i < ahead.svp.nfollowers; i++)
		ahead.follower[i].string = 0;
	not_quick(ahead.q.next);
}

static void staged(struct log_entry *e)
{
	uint32_t size = out_size(e), before = e->rule->used;
	const struct svp_arg *a;

	if (e->rule->out >= 6 || !e->rule->out_bytes)
		return;
	a = &e->follower->arg[e->rule->out];
	if (before > size)
		bytes_zero(ahead.staging + a->value + size, before - size);
	e->rule->used = size < a->size ? size : a->size;
	ahead.used |= size > 0;
}

void log_add(uint32_t index, int64_t result)
{
	const struct svp_follower *follower = &ahead.svp.followers[index];
	struct log_entry *e = ahead.q.end;

	e->follower = follower;
	e->rule = &ahead.follower[index];
	e->result = result;
	for (unsigned int i = 0; i < 6; i++) {
		const struct svp_arg *a = &follower->arg[i];

		e->arg[i] = a->kind == SVP_ARG_REG || a->kind == SVP_ARG_COUNT ? ahead.page->reg[a->reg] : a->value;
	}
	staged(e);
	log_cut(e + 1);
	make_quick(e);
}

void log_renewed(struct log_entry *e, int64_t result)
{
	e->result = result;
	staged(e);
	make_quick(e);
}

bool log_same_string(uint64_t address, const char *expected, uint64_t sp)
{
	long n = memory_string(address, AHEAD_PATH_MAX, sp);

	return n >= 0 && bytes_equal((const void *)address, expected, (size_t)n + 1);
}

/* The short-transfer rule (svp.h): at end of file the size that was asked for does not change the answer. */
bool log_same_count(uint64_t asked, uint64_t used, int64_t result)
{
	if (asked == used)
		return true;
	return result >= 0 && (uint64_t)result < used && asked >= (uint64_t)result && asked > 0 && asked <= 0x7ffff000;
}

static bool same_special(const struct log_entry *e, const struct shim_call *c, unsigned int i)
{
	const struct svp_arg *a = &e->follower->arg[i];
	const struct svp_proc *p = &ahead.svp.procs[ahead.log_proc];
	bool same;

	switch (a->kind) {
	case SVP_ARG_COUNT:
		return log_same_count(c->arg[i], e->arg[i], e->result);
	case SVP_ARG_KEPT:
		return kept_same(e->follower, c->arg[i], c->sp);
	case SVP_ARG_PATH:
		return log_same_string(c->arg[i], ahead.path, c->sp);
	case SVP_ARG_STRING:
		same = log_same_string(c->arg[i], (const char *)ahead.svp.data + p->data_offset + a->value, c->sp);
		e->rule->string = same && memory_constant(c->arg[i]) ? c->arg[i] : 0;
		return same;
	default:
		return false;
	}
}

static bool matches(const struct log_entry *e, const struct shim_call *c)
{
	const struct follower_rule *r = e->rule;
	uint64_t different = 0;

	if (e->follower->nr != c->nr)
		return false;
	for (unsigned int i = 0; i < 6; i++) /* what the call does not have is masked out */
		different |= (c->arg[i] ^ e->arg[i]) & r->mask[i];
	if (different)
		return false;
	for (unsigned int i = 0, left = r->special; left; i++, left >>= 1)
		if (left & 1 && !same_special(e, c, i))
			return false;
	return true;
}

bool log_serve(struct shim_call *c)
{
	struct log_entry *e = ahead.q.next;
	unsigned char *from = NULL;
	uint64_t to = 0;
	uint32_t size = 0;

	if (e >= ahead.q.end || !matches(e, c))
		return false;
	if (e->rule->out < 6) {
		unsigned int i = e->rule->out;

		size = out_size(e);
		from = ahead.staging + e->follower->arg[i].value;
		to = c->arg[i];
		if (size > e->follower->arg[i].size)
			return false;
		if (size && !memory_writable(to, size, c->sp))
			return false;
		/* The kernel refuses a buffer that leaves user space even where it would not fill it. */
		if (i + 1 < 6 && e->rule->out_bytes &&
		    (to + c->arg[i + 1] < to || to + c->arg[i + 1] > USER_END))
			return false;
	}
	log_count();
	ahead.counted = e + 1;
	if (!log_claim(e, e + 1))
		return false;
	if (size)
		bytes_copy((void *)to, from, size);
	c->result = e->result;
	if (ahead.rule[c->nr] & RULE_WATCH)
		facts_after(c);
	if (c->result < 0)
		not_quick(e + 1); /* a position may not be known any more */
	count_hits(1);
	return true;
}

/* File content may be secret: it is wiped when its result is dropped, and at the latest before the next entry after
   it was served, unless that entry fills its place anew. */
static void wipe(const struct svp_follower *follower, struct follower_rule *r)
{
	if (!r->used)
		return;
	bytes_zero(ahead.staging + follower->arg[r->out].value, r->used);
	r->used = 0;
}

void log_wipe_used(void)
{
	const struct svp_proc *p = &ahead.svp.procs[ahead.log_proc];

	ahead.used = 0;
	for (uint32_t i = p->first_follower; i < p->first_follower + p->followers; i++)
		wipe(&ahead.svp.followers[i], &ahead.follower[i]);
}

static void missed(void)
{
	if (!ahead.missed) {
		ahead.missed = 1;
		ahead.n.proc[ahead.log_proc].misses++;
	}
}

/* All that is outstanding, and none of it served. */
static bool claim_rest(struct log_entry *from, struct log_entry *to)
{
	if (from >= to)
		return false;
	log_count();
	ahead.counted = to;
	return log_claim(from, to);
}

void log_take_back(void)
{
	struct log_entry *from, *to;
	int64_t back = 0; /* bytes to seek back, all on one descriptor */
	int back_fd = -1, rewind_fd = -1;

	directory_drop(); /* first: it brings back what is hidden behind a loop */
	from = ahead.q.next;
	to = ahead.q.end;
	if (!claim_rest(from, to))
		return;
	missed();
	for (struct log_entry *e = to; e-- > from;) {
		uint32_t *undone = &ahead.n.proc[ahead.log_proc].undone;

		wipe(e->follower, e->rule);
		if (e->result < 0)
			continue;
		switch (e->rule->undo) {
		case UNDO_SEEK:
			if (!e->result)
				break;
			if (e->follower->nr == SYS_getdents64) {
				rewind_fd = (int)e->arg[0];
			} else if (e->follower->nr == SYS_read) {
				back_fd = (int)e->arg[0];
				back += e->result;
			}
			break;
		case UNDO_CLOSE:
			ahead_own(SYS_close, (uint64_t)e->result, 0, 0, 0);
			++*undone;
			break;
		case UNDO_CLOEXEC: {
			struct fd_fact *f = fact(e->arg[0]);

			ahead_own(SYS_fcntl, e->arg[0], F_SETFD, f && f->cloexec ? FD_CLOEXEC : 0, 0);
			++*undone;
			break;
		}
		default:
			break;
		}
	}
	if (back) {
		ahead_own(SYS_lseek, (uint64_t)back_fd, (uint64_t)-back, SEEK_CUR, 0);
		ahead.n.proc[ahead.log_proc].undone++;
	}
	if (rewind_fd >= 0) {
		struct fd_fact *f = fact((uint64_t)rewind_fd);

		ahead_own(SYS_lseek, (uint64_t)rewind_fd, (uint64_t)(f ? f->position : 0), SEEK_SET, 0);
		ahead.n.proc[ahead.log_proc].undone++;
	}
}

/*
 * fd is closed, nothing else has its description, and no entry is made: no news. What is outstanding on it needs no
 * undo; what is outstanding on others stays, but for a copy made ahead, whose number could now be a lower one.
 */
void log_closed(int fd)
{
	struct log_entry *from = ahead.q.next, *to = ahead.q.end;
	uint32_t on_fd = 0;

	for (struct log_entry *e = from; e < to; e++) {
		if (e->rule->undo == UNDO_CLOSE) {
			log_take_back();
			return;
		}
		on_fd += (int)e->arg[0] == fd;
	}
	if (!on_fd)
		return;
	if (on_fd != to - from) {
		log_take_back();
		return;
	}
	if (!claim_rest(from, to))
		return;
	missed();
	for (struct log_entry *e = from; e < to; e++)
		wipe(e->follower, e->rule);
}

bool log_renewable(void)
{
	const struct log_entry *from = ahead.q.next, *to = ahead.q.end;

	if (to - from > 4 || directory_outstanding())
		return false;
	for (const struct log_entry *e = from; e < to; e++) {
		unsigned int undo = e->rule->undo;

		if (undo != UNDO_NONE && !(undo == UNDO_SEEK && e->result == 0))
			return false;
	}
	return to != from;
}
