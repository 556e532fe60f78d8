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

#include "libsysvm/shim/ahead.h"
#include "libsysvm/shim/bytes.h"

#define USER_END 0x7fffffffe000ull /* first address that is never a user's, one page below 2^47 */

/* Claim entries [from, to). Against handlers on this thread only, hence no lock prefix. */
static bool log_claim(uint32_t from, uint32_t to)
{
	uint32_t expected = from;

	__asm__ volatile("cmpxchgl %2, %1" : "+a"(expected), "+m"(ahead.next) : "r"(to) : "memory", "cc");
	return expected == from;
}

bool log_fresh(void)
{
	return ahead.log_signals == shim_signals && clock_ms() - ahead.log_time <= ahead.set.age_ms;
}

void log_add(uint32_t index, int64_t result)
{
	const struct svp_follower *follower = &ahead.svp.followers[index];
	struct log_entry *e = &ahead.log[ahead.count];

	e->follower = follower;
	e->rule = &ahead.follower[index];
	e->result = result;
	for (unsigned int i = 0; i < 6; i++) {
		const struct svp_arg *a = &follower->arg[i];

		e->arg[i] = a->kind == SVP_ARG_REG || a->kind == SVP_ARG_COUNT ? ahead.page->reg[a->reg] : a->value;
	}
	ahead.count++;
}

static uint32_t out_size(const struct log_entry *e)
{
	if (e->result < 0)
		return 0;
	return e->rule->out_bytes ? (uint32_t)e->result : e->rule->out_size;
}

bool log_same_string(uint64_t address, const char *expected, uint64_t sp)
{
	long n = memory_string(address, AHEAD_PATH_MAX, sp);

	return n >= 0 && bytes_equal((const void *)address, expected, (size_t)n + 1);
}

/* The short-transfer rule (svp.h): at end of file the size that was asked for does not change the answer. */
static bool same_count(uint64_t asked, uint64_t used, int64_t result)
{
	if (asked == used)
		return true;
	return result >= 0 && (uint64_t)result < used && asked >= (uint64_t)result && asked > 0 && asked <= 0x7ffff000;
}

static bool same_special(const struct log_entry *e, const struct shim_call *c, unsigned int i)
{
	const struct svp_arg *a = &e->follower->arg[i];
	const struct svp_proc *p = &ahead.svp.procs[ahead.log_proc];

	switch (a->kind) {
	case SVP_ARG_COUNT:
		return same_count(c->arg[i], e->arg[i], e->result);
	case SVP_ARG_PATH:
		return log_same_string(c->arg[i], ahead.path, c->sp);
	case SVP_ARG_STRING:
		return log_same_string(c->arg[i], (const char *)ahead.svp.data + p->data_offset + a->value, c->sp);
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
	uint32_t at = ahead.next;
	struct log_entry *e = &ahead.log[at];
	unsigned char *from = NULL;
	uint64_t to = 0;
	uint32_t size = 0;

	if (at >= ahead.count || !matches(e, c))
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
	if (!log_claim(at, at + 1))
		return false;
	if (size) {
		bytes_copy((void *)to, from, size);
		if (e->rule->out_bytes) /* file content may be secret */
			bytes_zero(from, size);
	}
	c->result = e->result;
	if (ahead.rule[c->nr] & RULE_WATCH)
		facts_after(c);
	ahead.n.answered++;
	ahead.n.proc[ahead.log_proc].hits++;
	ahead.proc[ahead.log_proc].hits++;
	return true;
}

static void wipe(const struct log_entry *e)
{
	if (e->rule->out < 6 && e->rule->out_bytes) {
		const struct svp_arg *a = &e->follower->arg[e->rule->out];
		uint32_t size = out_size(e);

		bytes_zero(ahead.staging + a->value, size < a->size ? size : a->size);
	}
}

static void missed(void)
{
	if (!ahead.missed) {
		ahead.missed = 1;
		ahead.n.proc[ahead.log_proc].misses++;
	}
}

void log_take_back(void)
{
	uint32_t from = ahead.next, to = ahead.count;
	int64_t back = 0; /* bytes to seek back, all on one descriptor */
	int back_fd = -1, rewind_fd = -1;

	if (from == to || !log_claim(from, to))
		return;
	missed();
	for (uint32_t i = to; i-- > from;) {
		struct log_entry *e = &ahead.log[i];
		uint32_t *undone = &ahead.n.proc[ahead.log_proc].undone;

		wipe(e);
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
	uint32_t from = ahead.next, to = ahead.count, on_fd = 0;

	for (uint32_t i = from; i < to; i++) {
		if (ahead.log[i].rule->undo == UNDO_CLOSE) {
			log_take_back();
			return;
		}
		on_fd += (int)ahead.log[i].arg[0] == fd;
	}
	if (!on_fd)
		return;
	if (on_fd != to - from) {
		log_take_back();
		return;
	}
	if (!log_claim(from, to))
		return;
	missed();
	for (uint32_t i = from; i < to; i++)
		wipe(&ahead.log[i]);
}

bool log_renewable(void)
{
	uint32_t from = ahead.next, to = ahead.count;

	if (to - from > 4)
		return false;
	for (uint32_t i = from; i < to; i++) {
		const struct log_entry *e = &ahead.log[i];
		unsigned int undo = e->rule->undo;

		if (undo != UNDO_NONE && !(undo == UNDO_SEEK && e->result == 0))
			return false;
	}
	return to != from;
}
