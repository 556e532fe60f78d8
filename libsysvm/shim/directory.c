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
 * Two ways into a loop. Behind an open it follows the followers of that procedure (start.c); entries of the log that
 * come behind the loop stay hidden until its records are used up or left out. At an entry, the application's call is
 * the first record's: the machine makes it with our buffer instead of the application's, and it is answered from there.
 *
 * Dropped like the log: at the first call that may carry news, at a signal handler, of age. What remains is the listing
 * (listing.c), so that the next call for an entry starts the loop again.
 * Tested by tests/shim/ahead/directory_test.cc and tests/shim/hazards (entries, mounts).
 */
#include "libsysvm/shim/directory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead.h"
#include "libsysvm/shim/bytes.h"
#include "uapi/syscalls.h"

#define USER_END 0x7fffffffe000ull /* as in log.c */
#define LEFT_OUT 64 /* entries that the application may leave out between two */
#define FIRST_WINDOW 256
#define MOST_ENTRIES 4096
#define ENTRY_IS_DIRECTORY 4 /* DT_DIR */

struct loop_log loop_log;
static bool enabled;
static struct {
	const unsigned char *entry;
	struct listing *listing;
	const struct svp_arg *row; /* null: an entry of a directory */
} found; /* by directory_find, for directory_run */
static struct {
	uint64_t nr;
	uint32_t since, last, before; /* entries answered since the last one, before that one, and before the one before */
} news; /* directory_news */

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
	news.nr = news.since = news.last = news.before = 0;
	listing_path = NULL;
	loop_log.next = loop_log.end = loop_log.hidden = 0;
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++)
		any |= ahead.proc[i].loop && !ahead.proc[i].off;
	if (any)
		enabled = listing_init();
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++) {
		ahead.proc[i].window = FIRST_WINDOW;
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

static bool follows_no_link(const struct svp_follower *f)
{
	switch (f->nr) {
	case SYS_newfstatat:
		return f->arg[3].kind == SVP_ARG_CONST && (f->arg[3].value & AT_SYMLINK_NOFOLLOW) &&
		       !(f->arg[3].value & AT_EMPTY_PATH);
	case SYS_statx:
		return f->arg[2].kind == SVP_ARG_CONST && (f->arg[2].value & AT_SYMLINK_NOFOLLOW) &&
		       !(f->arg[2].value & (AT_EMPTY_PATH | AT_STATX_FORCE_SYNC));
	case SYS_lstat:
	case SYS_lgetxattr:
	case SYS_llistxattr:
	case SYS_readlink:
	case SYS_readlinkat:
		return true;
	default:
		return false;
	}
}

/* These follow a link: allowed behind a look that has shown that the entry is none. */
static bool may_follow_none(uint32_t nr)
{
	return nr == SYS_getxattr || nr == SYS_listxattr || nr == SYS_access || nr == SYS_faccessat;
}

static bool is_entry(const struct svp_arg *a)
{
	return a->kind == SVP_ARG_NAME || a->kind == SVP_ARG_UNDER || a->kind == SVP_ARG_ROW;
}

static bool shows_kind(uint32_t nr)
{
	return nr == SYS_newfstatat || nr == SYS_statx || nr == SYS_lstat;
}

/* Which argument is the entry's path, or the kept one: the first or the second (uapi/syscalls.inc). */
static unsigned int path_of(const struct svp_follower *f)
{
	return f->arg[0].kind == SVP_ARG_UNDER || f->arg[0].kind == SVP_ARG_ROW ? 0 : 1;
}

static bool follower_allowed(const struct svp_follower *f, bool first, struct follower_rule *rule)
{
	const struct sysvm_syscall_info *info = sysvm_syscall_by_nr(f->nr);
	bool path = false;

	if (!info || info->index < 0 || info->effect != SYSVM_EFFECT_PURE || !(info->flags & SYSVM_FLAG_AHEAD) ||
	    f->nargs != info->nargs)
		return false;
	if (!first && rules_kept(f)) { /* no entry's path: which may be looked at is asked before each run (mounts_path) */
		rules_prepare(f, rule);
		return true;
	}
	if (!follows_no_link(f) && (first || !may_follow_none(f->nr)))
		return false;
	for (unsigned int i = 0; i < info->nargs; i++) {
		const struct svp_arg *a = &f->arg[i];
		unsigned int kind = info->arg[i].kind;

		if (kind == SYSVM_KIND_PATH) {
			/* A name is looked up in the directory's own descriptor, a path where the open looked it up. */
			if (i == 1 ? (a->kind == SVP_ARG_NAME) != (f->arg[0].kind == SVP_ARG_REG) :
				     a->kind == SVP_ARG_NAME)
				return false;
			if (!is_entry(a))
				return false;
			path = true;
		} else if (kind == SYSVM_KIND_DIRFD) {
			if (a->kind != SVP_ARG_REG && !(a->kind == SVP_ARG_CONST && (int)a->value == AT_FDCWD))
				return false;
		} else if (kind == SYSVM_KIND_OUT || kind == SYSVM_KIND_OUTS || kind == SYSVM_KIND_OUTN) {
			if (a->kind != SVP_ARG_OUT)
				return false;
		} else if (kind == SYSVM_KIND_STR ? a->kind != SVP_ARG_STRING :
						    a->kind != SVP_ARG_CONST && a->kind != SVP_ARG_COUNT) {
			return false;
		}
	}
	if (!path)
		return false;
	rules_prepare(f, rule);
	return rule->undo == UNDO_NONE;
}

bool directory_allowed(uint32_t number)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	const struct svp_loop *l = ahead.proc[number].loop;
	const struct svp_follower *looks = &ahead.svp.followers[p->first_follower + l->first];
	bool at_entry = false, row = looks->arg[path_of(looks)].kind == SVP_ARG_ROW;

	for (uint32_t i = 0; i < l->followers; i++) {
		uint32_t f = p->first_follower + l->first + i;

		if (!follower_allowed(&ahead.svp.followers[f], i == 0, &ahead.follower[f]))
			return false;
	}
	if (row && (l->followers != 1 || !shows_kind(looks->nr))) /* the code asks whether it is a directory */
		return false;
	for (uint32_t t = 0; t < p->triggers; t++) {
		const struct svp_trigger *trigger = &ahead.svp.triggers[p->first_trigger + t];
		const struct svp_follower *first = &ahead.svp.followers[p->first_follower + l->first];
		bool names = false;

		for (unsigned int i = 0; i < 6; i++) {
			names |= is_entry(&trigger->arg[i]);
			if (is_entry(&trigger->arg[i]) && (trigger->arg[i].kind == SVP_ARG_ROW) != row)
				return false;
		}
		if (row && !names)
			return false;
		/* The trigger is what the first record answers, so it must be that call. */
		if (names && (l->first != 0 || trigger->nr != first->nr || p->followers != l->followers))
			return false;
		if (t && names != at_entry)
			return false;
		at_entry = names;
	}
	ahead.proc[number].at_entry = at_entry;
	return true;
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

/* How many entries a run takes follows what the last one was good for, as the kernel's readahead does. */
static void learn_window(uint32_t next)
{
	struct ahead_proc *state = &ahead.proc[loop_log.proc];
	uint32_t used = (next + loop_log.loop->followers - 1) / loop_log.loop->followers;

	if (used >= loop_log.made)
		state->window = state->window < MOST_ENTRIES / 2 ? state->window * 2 : MOST_ENTRIES;
	else
		state->window = (state->window + 2 * used) / 3 + 1;
}

/*
 * A program that prints a line for each entry drops the records whenever its buffer is full and it writes. Which call does that,
 * and after how many entries, is learned; a run takes no more entries than come before the next one, since the others
 * would be looked at twice. As long as that is not known, or the call is overdue, nothing is held back.
 */
void directory_news(const struct shim_call *c)
{
	if (c->nr == news.nr) {
		if (!news.since)
			return;
		news.before = news.last;
		news.last = news.since;
	} else if (loop_log.next != loop_log.end) {
		news.nr = c->nr;
		news.before = news.last = 0;
	} else {
		return;
	}
	news.since = 0;
}

static uint32_t window_of(const struct ahead_proc *state)
{
	uint32_t period = news.last > news.before ? news.last : news.before;
	uint32_t left = news.before && news.since < period ? period - news.since : MOST_ENTRIES;

	return left < state->window ? left : state->window;
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
		learn_window(from);
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
	news.since += j == 0;
	ahead.n.answered++;
	ahead.n.proc[loop_log.proc].hits++;
	ahead.proc[loop_log.proc].hits++;
	if (next == loop_log.end) {
		learn_window(next);
		if (loop_log.own == row_listing.names)
			rows_wipe();
		reveal();
	}
	return true;
}

static bool serve(struct shim_call *c)
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
	if (serve(c))
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

/* --- running ---------------------------------------------------------------------------------------------------- */

static unsigned int path_argument(const struct svp_trigger *t)
{
	for (unsigned int i = 0; i < 6; i++)
		if (is_entry(&t->arg[i]))
			return i;
	return 0;
}

/* The trigger is about an entry of a directory that the application has read, and more is expected to follow. */
bool directory_find(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_loop *loop = ahead.proc[number].loop;
	const struct svp_trigger *trigger = &ahead.svp.triggers[ahead.svp.procs[number].first_trigger + t];
	unsigned int at = path_argument(trigger);
	bool under = trigger->arg[at].kind == SVP_ARG_UNDER;
	const char *name;
	long length;

	found.row = trigger->arg[at].kind == SVP_ARG_ROW ? &trigger->arg[at] : NULL;
	if (found.row)
		return rows_find(found.row, c->arg[at], c->sp);
	length = memory_string(c->arg[at], LISTING_PATH_MAX + 256, c->sp);
	if (length <= 0)
		return false;
	if (under) {
		if (at == 1 && (int)c->arg[0] != AT_FDCWD)
			return false;
		found.listing = listing_by_path((const char *)c->arg[at], length, &name);
		length -= name - (const char *)c->arg[at];
	} else {
		name = (const char *)c->arg[at];
		found.listing = listing_by_fd(c->arg[0]);
	}
	if (!found.listing || length <= 0)
		return false;
	found.entry = listing_entry(found.listing, name, length);
	if (!found.entry)
		return false;
	/* A run for this one call would be no gain. */
	if ((loop->flags & SVP_LOOP_LEAVES) && entry_type(found.entry) == ENTRY_IS_DIRECTORY)
		return false;
	return loop->followers > 1 || found.entry + entry_length(found.entry) < found.listing->names + found.listing->size;
}

static void set_registers(struct sysvm_page *page, uint32_t number)
{
	page->reg[ahead.proc[number].loop->end] = 0;
	page->reg[SVP_REG_WINDOW] = window_of(&ahead.proc[number]);
	page->reg[SVP_REG_AVOID] = (uint64_t)mounts_avoided;
	page->reg[SVP_REG_DEVICE2] = overlay_files(page->reg[SVP_REG_DEVICE]);
	page->reg[SVP_REG_UNDER] = (uint64_t)listing_path;
	page->reg[SVP_REG_NAME] = (uint64_t)listing_path + loop_log.under;
	page->reg[SVP_REG_ENTRY] = page->reg[SVP_REG_ENTRY_END] = 0;
	kept_set(number);
}

/* Before the run of an open. */
void directory_prepare(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	const struct svp_trigger *trigger = &ahead.svp.triggers[p->first_trigger + t];
	long n = trigger->path_arg < 6 ? memory_string(c->arg[trigger->path_arg], LISTING_PATH_MAX - 2, c->sp) : -1;
	bool good = n > 0 && mounts_known();

	loop_log.under = 0;
	if (n > 0) {
		loop_log.under = listing_under(loop_log.path, (const char *)c->arg[trigger->path_arg], n);
		bytes_copy(listing_path, loop_log.path, loop_log.under);
	}
	set_registers(ahead.page, number);
	if (!good)
		ahead.page->reg[SVP_REG_WINDOW] = 0;
	loop_log.own = ahead.staging;
	loop_log.own_end = ahead.staging + AHEAD_STAGING;
}

/* The code wrote the record, and the code is the procedure file's: nothing in it is believed. */
static bool sound(const struct svp_follower *first, const struct follower_rule *rule, const uint64_t *record)
{
	uint64_t entry = record[0], low = (uint64_t)loop_log.own, high = (uint64_t)loop_log.own_end;

	if (entry < low || entry >= high || high - entry <= 19)
		return false;
	for (const char *name = entry_name((const unsigned char *)entry); *name; name++)
		if ((uint64_t)(name + 1) >= high)
			return false;
	for (uint32_t j = 0; j < loop_log.loop->followers; j++)
		if (rule[j].out < 6 && rule[j].out_bytes && record[1 + j] != SVP_NOT_MADE &&
		    (int64_t)record[1 + j] > (int64_t)first[j].arg[rule[j].out].size && first[j].arg[rule[j].out].size)
			return false;
	return true;
}

/* After a run: its records become outstanding. Those of the log from `before` on are hidden behind them. */
void directory_take(uint32_t number, uint32_t before)
{
	const struct svp_proc *p = &ahead.svp.procs[number];
	const struct svp_loop *l = ahead.proc[number].loop;
	unsigned char *records = ahead.staging + l->records;
	uint64_t end = ahead.page->reg[l->end], made = 0;

	if (end > (uint64_t)records)
		made = (end - (uint64_t)records) / l->stride;
	if (end && made < l->capacity && ahead.page->reg[SVP_REG_ENTRY] < ahead.page->reg[SVP_REG_ENTRY_END])
		overlay_learn(number, records + made * l->stride);
	if (!made || made > l->capacity)
		return;
	for (uint32_t j = 0; j < l->followers; j++) {
		const struct svp_follower *f = &ahead.svp.followers[p->first_follower + l->first + j];

		for (unsigned int i = 0; i < 6; i++) {
			const struct svp_arg *a = &f->arg[i];
			bool reg = a->kind == SVP_ARG_REG || a->kind == SVP_ARG_COUNT;

			loop_log.arg[j][i] = reg ? ahead.page->reg[a->reg] : a->value;
		}
	}
	loop_log.proc = number;
	loop_log.loop = l;
	loop_log.records = records;
	for (uint64_t i = 0; i < made; i++) {
		uint32_t first = p->first_follower + l->first;

		if (!sound(&ahead.svp.followers[first], &ahead.follower[first],
			   (const uint64_t *)(records + i * l->stride)))
			made = i;
	}
	if (!made)
		return;
	loop_log.made = (uint32_t)made;
	loop_log.hidden = (uint32_t)(ahead.q.end - ahead.log) - before;
	if (loop_log.hidden)
		log_cut(ahead.log + before);
	loop_log.next = 0;
	loop_log.end = (uint32_t)made * l->followers;
}

bool directory_run(uint32_t number, struct shim_call *c)
{
	struct ahead_proc *state = &ahead.proc[number];
	struct listing *listing = found.listing;
	struct sysvm_page *page = ahead.page;
	uint64_t signals = shim_signals;

	if (found.row) {
		const uint32_t window = window_of(state), room = state->loop->capacity;

		if (!rows_list(found.row, window < room ? window : room, c->sp))
			return false;
		listing = &row_listing;
		found.entry = listing->names;
	} else if (!mounts_known() || mounts_avoid(listing->inode)) {
		return false;
	}
	loop_log.under = 0;
	if (listing->has_path) {
		loop_log.under = listing->under;
		bytes_copy(loop_log.path, listing->path, listing->under);
		bytes_copy(listing_path, listing->path, listing->under);
	}
	page->reg[SVP_REG_DEVICE] = listing->device;
	set_registers(page, number);
	page->reg[SVP_REG_ENTRY] = (uint64_t)found.entry;
	page->reg[SVP_REG_ENTRY_END] = (uint64_t)(listing->names + listing->size);
	page->reg[SVP_REG_NOATIME] = listing->noatime;
	loop_log.own = listing->names;
	loop_log.own_end = listing->names + LISTING_BYTES;
	start_machine(number, c, signals);

	ahead.log_time = clock_mark(&ahead.q.log_clock);
	directory_take(number, 0);
	/* A run that was stopped before its first record (a signal) has left nothing to look at. */
	if (loop_log.next == loop_log.end || !serve(c)) {
		directory_drop();
		if (found.row)
			rows_failed();
		start_judge(number);
		return false;
	}
	/* That was the call itself: its entry is the run's. */
	ahead.n.answered--;
	ahead.n.proc[number].hits--;
	state->hits--;
	if (shim_signals != signals)
		log_take_back();
	start_judge(number);
	return true;
}
