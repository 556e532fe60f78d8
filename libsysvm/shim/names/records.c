// SPDX-License-Identifier: MIT
/*
 * Whole directories: the records that a procedure's loop has made, matched with the calls of the application.
 *
 * The contract is the log's (log.c): each result is used once, in the order in which the kernel was asked, by the
 * thread that asked, while it is fresh, and only if the call has the same number and arguments, names compared by
 * content. "In the order" matters even for calls that change nothing: another process renames a away and then makes
 * b; who asks for b and then for a may see both, but never b with the old a. So the application may leave entries out,
 * which are void then, but what it asks for out of order is asked of the kernel again. A program that sorts names
 * before it asks gains nothing from here.
 *
 * Two ways into a loop. Behind an open it follows the followers of that procedure (trigger.c); entries of the log that
 * come behind the loop stay hidden until its records are used up or left out. At an entry, the application's call is
 * the first record's: the machine makes it with our buffer instead of the application's, and it is answered from there.
 *
 * Dropped like the log: at the first call that may carry news, at a signal handler, of age. What remains is the listing
 * (listing.c), so that the next call for an entry starts the loop again.
 * Tested by tests/shim/ahead/directory_test.cc and tests/shim/hazards (entries, mounts).
 */
#include "libsysvm/shim/names/names.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"

#define USER_END 0x7fffffffe000ull /* as in log.c */
#define LEFT_OUT 64 /* entries that the application may leave out between two */

struct loop_log loop_log;
static bool enabled;

static bool claim(uint32_t from, uint32_t to)
{
	uint32_t expected = from;

	__asm__ volatile("cmpxchgl %2, %1" : "+a"(expected), "+m"(loop_log.next) : "r"(to) : "memory", "cc");
	return expected == from;
}

/* --- at init ---------------------------------------------------------------------------------------------------- */

void directory_init(void)
{
	bool any = false;

	enabled = false;
	directory_window_init();
	listing_path = NULL;
	loop_log.next = loop_log.end = loop_log.hidden = 0;
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++)
		any |= ahead.proc[i].loop && !ahead.proc[i].off;
	if (any)
		enabled = listing_init();
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++) {
		ahead.proc[i].window = DIRECTORY_WINDOW;
		if (ahead.proc[i].loop && !enabled)
			ahead.proc[i].off = 1;
	}
}

void directory_trust(void)
{
	if (!enabled)
		return;
	sysvm_trust(ahead.vm, listing_path, 4096, 1); /* only the path: listings were checked when they were read */
	sysvm_trust(ahead.vm, listing_path + 4096, (LISTING_SLOTS + 1) * (uint64_t)LISTING_BYTES, 0);
	sysvm_trust(ahead.vm, mounts_avoided, mounts_avoided_size, 0);
}

/* --- the records ------------------------------------------------------------------------------------------------ */

static uint64_t *record_at(uint32_t at)
{
	return (uint64_t *)(loop_log.records + (uint64_t)(at / loop_log.loop->followers) * loop_log.loop->stride);
}

static uint32_t out_size(const struct svp_follower *f, const struct follower_rule *rule, int64_t result)
{
	if (result < 0)
		return 0;
	if (!rule->out_bytes)
		return rule->out_size;
	return f->arg[rule->out].size ? (uint32_t)result : 0; /* size 0 asks for the size alone */
}

static void wipe(uint32_t from, uint32_t to)
{
	const struct svp_follower *first =
		&ahead.svp.followers[ahead.svp.procs[loop_log.proc].first_follower + loop_log.loop->first];

	if (loop_log.own == row_listing.names)
		rows_wipe();
	for (; from < to; from++) {
		uint32_t j = from % loop_log.loop->followers;
		uint32_t index = (uint32_t)(first - ahead.svp.followers) + j;
		const struct follower_rule *rule = &ahead.follower[index];
		uint64_t *record = record_at(from);

		if (rule->out < 6 && rule->out_bytes && record[1 + j] != SVP_NOT_MADE)
			bytes_zero((unsigned char *)record + first[j].arg[rule->out].value,
				   out_size(&first[j], rule, (int64_t)record[1 + j]));
	}
}

/* One instruction takes them, so that a handler cannot take them a second time. */
static void reveal(void)
{
	uint32_t hidden = 0;

	__asm__ volatile("xchgl %0, %1" : "+r"(hidden), "+m"(loop_log.hidden) : : "memory");
	if (hidden)
		ahead.q.end += hidden;
}

void directory_drop(void)
{
	uint32_t from = loop_log.next, to = loop_log.end;

	if (from != to && claim(from, to)) {
		directory_learn(from);
		wipe(from, to);
		if (!ahead.missed) {
			ahead.missed = 1;
			ahead.n.proc[loop_log.proc].misses++;
		}
	}
	reveal();
}

static bool same_name(const struct svp_arg *a, const uint64_t *record, const char *text, long length)
{
	const unsigned char *entry = (const unsigned char *)record[0];
	uint32_t under = 0;

	if (a->kind == SVP_ARG_UNDER) {
		under = loop_log.under;
		if ((long)under >= length || !bytes_equal(text, loop_log.path, under))
			return false;
	}
	return bytes_equal(entry_name(entry), text + under, (size_t)length - under + 1);
}

static bool same_arguments(const struct svp_follower *f, const struct follower_rule *rule, uint32_t j,
			   const uint64_t *record, const struct shim_call *c)
{
	for (unsigned int i = 0; i < 6; i++) {
		const struct svp_arg *a = &f->arg[i];
		uint64_t expected = loop_log.arg[j][i];

		if ((c->arg[i] ^ expected) & rule->mask[i])
			return false;
		if (a->kind == SVP_ARG_COUNT && !log_same_count(c->arg[i], expected, (int64_t)record[1 + j]))
			return false;
		if (a->kind == SVP_ARG_STRING &&
		    !log_same_string(c->arg[i],
				     (const char *)ahead.svp.data + ahead.svp.procs[loop_log.proc].data_offset + a->value,
				     c->sp))
			return false;
	}
	return true;
}

static bool answer(const struct svp_follower *f, const struct follower_rule *rule, uint32_t from, uint32_t at,
		   uint64_t *record, struct shim_call *c)
{
	uint32_t j = at % loop_log.loop->followers, size = 0, next;
	int64_t result = (int64_t)record[1 + j];
	unsigned char *bytes = NULL;
	uint64_t to = 0;

	if (rule->out < 6) {
		const struct svp_arg *out = &f->arg[rule->out];

		size = out_size(f, rule, result);
		bytes = (unsigned char *)record + out->value;
		to = c->arg[rule->out];
		if (size > out->size || (size && !memory_writable(to, size, c->sp)))
			return false;
		if (rule->out_bytes && out->size &&
		    (to + c->arg[rule->out + 1] < to || to + c->arg[rule->out + 1] > USER_END))
			return false;
	}
	for (next = at + 1; next < loop_log.end && record_at(next)[1 + next % loop_log.loop->followers] == SVP_NOT_MADE;)
		next++;
	if (!claim(from, next))
		return false;
	if (size) {
		bytes_copy((void *)to, bytes, size);
		if (rule->out_bytes)
			bytes_zero(bytes, size);
	}
	c->result = result;
	if (j == 0)
		directory_counted();
	ahead.n.answered++;
	ahead.n.proc[loop_log.proc].hits++;
	ahead.proc[loop_log.proc].hits++;
	if (next == loop_log.end) {
		directory_learn(next);
		if (loop_log.own == row_listing.names)
			rows_wipe();
		reveal();
	}
	return true;
}

bool directory_serve(struct shim_call *c)
{
	const struct svp_loop *l = loop_log.loop;
	const uint32_t first = ahead.svp.procs[loop_log.proc].first_follower + l->first, from = loop_log.next;
	uint32_t to = loop_log.end, candidates = 0;
	const char *text = NULL;
	long length = -1;

	if (from == to)
		return false;
	for (uint32_t j = 0; j < l->followers; j++)
		candidates |= (ahead.svp.followers[first + j].nr == c->nr) << j;
	if (!candidates)
		return false;
	if (to - from > LEFT_OUT * l->followers)
		to = from + LEFT_OUT * l->followers;
	for (uint32_t at = from; at < to; at++) {
		uint32_t j = at % l->followers;
		const struct svp_follower *f = &ahead.svp.followers[first + j];
		const struct follower_rule *rule = &ahead.follower[first + j];
		uint64_t *record = record_at(at);
		unsigned int path = path_of(f);

		if (!(candidates >> j & 1) || record[1 + j] == SVP_NOT_MADE)
			continue;
		if (!text) {
			text = (const char *)c->arg[path];
			length = memory_string(c->arg[path], LISTING_PATH_MAX + 256, c->sp);
			if (length <= 0)
				return false;
		}
		if ((f->arg[path].kind == SVP_ARG_KEPT ? kept_same(f, c->arg[path], c->sp) :
							 same_name(&f->arg[path], record, text, length)) &&
		    same_arguments(f, rule, j, record, c))
			return answer(f, rule, from, at, record, c);
	}
	return false;
}

/*
 * Its result is the lowest free number, which depends on the process alone: a copy made is no news. (One that fails
 * is: the limit may be another process's doing.)
 */
static bool copies_descriptor(const struct shim_call *c)
{
	return c->nr == SYS_dup ||
	       (c->nr == SYS_fcntl && ((uint32_t)c->arg[1] == F_DUPFD || (uint32_t)c->arg[1] == F_DUPFD_CLOEXEC));
}

int directory_decide(struct shim_call *c, uint8_t rule)
{
	if (!log_fresh()) {
		log_take_back();
		return -1;
	}
	if (log_outstanding()) /* what comes before the loop was not asked for yet */
		return -1;
	if (directory_serve(c))
		return SHIM_ANSWERED;
	if (!loop_log.hidden && loop_log.next != loop_log.end && copies_descriptor(c))
		return SHIM_PRIVATE;
	if ((rule & RULE_QUIET) || (c->nr == SYS_mmap && (c->arg[3] & MAP_ANONYMOUS)))
		return rule & RULE_WATCH ? SHIM_WATCH : SHIM_FORWARD;
	if (rule & (RULE_CLOSE | RULE_ANSWER)) /* perhaps no entry is made */
		return -1;
	if (!loop_log.hidden || (rule & RULE_LOOK))
		return -1;
	directory_drop();
	return log_serve(c) ? SHIM_ANSWERED : -1;
}

/* A close of another descriptor makes no entry and changes nothing that the records say. */
bool directory_survives_close(int fd)
{
	const struct svp_follower *f;

	if (loop_log.next == loop_log.end || loop_log.hidden || log_outstanding())
		return false;
	f = &ahead.svp.followers[ahead.svp.procs[loop_log.proc].first_follower + loop_log.loop->first];
	for (uint32_t j = 0; j < loop_log.loop->followers; j++)
		if (f[j].arg[0].kind == SVP_ARG_REG && (int)loop_log.arg[j][0] == fd)
			return false;
	return true;
}
