// SPDX-License-Identifier: MIT
/*
 * Whole directories: the records that a procedure's loop has made, matched with the calls of the application.
 *
 * In `ls -l dir`, a run has made newfstatat for dir/a, dir/b and dir/c; each has a record. What holds for the
 * log (log.c) holds for them: each is used once, in the order in which the kernel was asked, by the thread
 * that asked, while it is fresh, and only for the same call, names compared by content. The order matters
 * even for calls that change nothing. Another process renames a away and then makes b: a program that stats b
 * and then a may see both, but never b and the old a. So the application may skip dirents, whose records are
 * void then; but when it asks out of order, the kernel is asked again. A program that sorts names before it
 * asks gains nothing from here.
 *
 * Dropped like the log: at the first call that may carry news, at a signal handler, and when too old. The
 * listing remains (names/listing.c), so the next call about a dirent starts the loop again. Tested by
 * tests/shim/ahead/directory_test.cc and tests/shim/hazards (entries, mounts).
 */
#include "libsysvm/shim/answers/records.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/answers/places.h"
#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/known/overlay.h"
#include "libsysvm/shim/names/dirent.h"
#include "libsysvm/shim/names/kept.h"
#include "libsysvm/shim/names/name_pool.h"
#include "libsysvm/shim/names/run.h"
#include "libsysvm/shim/names/window.h"

#define LEFT_OUT 64 /* dirents that the application may leave out between two */

struct records records;

void records_reset(void)
{
	records.next = records.end = 0;
}

bool records_outstanding(void)
{
	return records.next != records.end;
}

/* What one answer has staged may be secret, like file content. */
static void wipe(uint32_t at)
{
	const struct svp_follower *f = &records.followers[follower_of(at)];
	const struct follower_rule *rule = &records.rules[follower_of(at)];

	if (rule->out < 6 && rule->out_bytes && result_of(at) != SVP_NOT_MADE)
		bytes_zero((unsigned char *)record_of(at) + f->arg[rule->out].value,
			   answer_size(f, rule, (int64_t)result_of(at)));
}

/* The records from `at` on are not needed any more. */
static void finish(uint32_t at)
{
	window_learn(&procedures[records.proc], (at + SVP_LOOP_MAX - 1) / SVP_LOOP_MAX, records.made);
	if (run_names()->pool)
		name_pool_wipe();
}

void records_drop(void)
{
	uint32_t from = (uint32_t)records.next, to = records.end;

	if (from == to || !outstanding_claim(&records.next, from, to))
		return;
	finish(from);
	for (; from < to; from = place_after(from))
		wipe(from);
	outstanding_missed();
}

static bool same_name(const struct svp_arg *a, const uint64_t *record, const char *text, long length)
{
	const struct run_names *names = run_names();
	const char *name = dirent_name((const unsigned char *)record[0]);
	uint32_t under = 0;

	if (a->kind == SVP_ARG_UNDER) {
		under = names->under;
		if ((long)under >= length || !bytes_equal_words(names->path, text, under))
			return false;
	}
	return bytes_equal_words(name, text + under, (size_t)length - under + 1);
}

/* from: the first outstanding one; those from there to `at` are left out. */
static bool answer(const struct svp_follower *f, const struct follower_rule *rule, uint32_t from, uint32_t at,
		   struct shim_call *c)
{
	int64_t result = (int64_t)result_of(at);
	uint32_t size, after;

	if (!answer_fits(f, rule, result, c, &size))
		return false;
	for (after = place_after(at); after < records.end && result_of(after) == SVP_NOT_MADE;)
		after = place_after(after);
	if (!outstanding_claim(&records.next, from, after))
		return false;
	if (size) {
		unsigned char *bytes = (unsigned char *)record_of(at) + f->arg[rule->out].value;

		bytes_copy((void *)c->arg[rule->out], bytes, size);
		if (rule->out_bytes)
			bytes_zero(bytes, size);
	}
	c->result = result;
	if (follower_of(at) == 0)
		window_counted();
	outstanding_hits(1);
	if (after == records.end)
		finish(after);
	return true;
}

bool records_serve(struct shim_call *c)
{
	const uint32_t from = (uint32_t)records.next;
	uint32_t to = records.end, candidates = 0;
	const char *text = NULL;
	long length = -1;

	if (from == to)
		return false;
	for (uint32_t j = 0; j < records.loop->followers; j++)
		candidates |= (uint32_t)(records.followers[j].nr == c->nr) << j;
	if (!candidates)
		return false;
	if (to - from > LEFT_OUT * SVP_LOOP_MAX)
		to = from + LEFT_OUT * SVP_LOOP_MAX;
	for (uint32_t at = from; at < to; at = place_after(at)) {
		uint32_t j = follower_of(at);
		const struct svp_follower *f = &records.followers[j];
		struct follower_rule *rule = &records.rules[j];
		unsigned int path = path_argument(f);

		if (!(candidates >> j & 1) || result_of(at) == SVP_NOT_MADE)
			continue;
		if (!text) {
			text = (const char *)c->arg[path];
			length = memory_string(c->arg[path], RUN_STRING_MOST, c->sp);
			if (length <= 0)
				return false;
		}
		if ((f->arg[path].kind == SVP_ARG_KEPT ||
		     same_name(&f->arg[path], record_of(at), text, length)) &&
		    answer_same(f, rule, records.used[j], (int64_t)result_of(at), c))
			return answer(f, rule, from, at, c);
	}
	return false;
}

uint64_t records_next(void)
{
	return records.next;
}

/* Records without a result are passed over. */
int32_t records_last_follower(void)
{
	for (uint32_t at = (uint32_t)records.next; at;) {
		at = place_before(at);
		if (result_of(at) != SVP_NOT_MADE)
			return (int32_t)(records.loop->first + follower_of(at));
	}
	return -1;
}

bool records_survive_close(int fd)
{
	if (records.next == records.end)
		return false;
	for (uint32_t j = 0; j < records.loop->followers; j++)
		if (records.followers[j].arg[0].kind == SVP_ARG_REG && (int)records.used[j][0] == fd)
			return false;
	return true;
}

/* --- after a run ---------------------------------------------------------------------------------------- */

/* The code wrote the record, and the code comes from the procedure file: nothing in it is trusted. */
static bool sound(const uint64_t *record)
{
	const struct svp_follower *f = records.followers;
	const struct follower_rule *rule = records.rules;
	uint64_t dirent = record[0], low = (uint64_t)run_names()->own, high = (uint64_t)run_names()->own_end;

	if (dirent < low || dirent >= high || high - dirent <= DIRENT_NAME)
		return false;
	high -= dirent + DIRENT_NAME;
	if (bytes_length(dirent_name((const unsigned char *)dirent), high) == high)
		return false;
	for (uint32_t j = 0; j < records.loop->followers; j++)
		if (rule[j].out < 6 && rule[j].out_bytes && record[1 + j] != SVP_NOT_MADE &&
		    (int64_t)record[1 + j] > (int64_t)f[j].arg[rule[j].out].size &&
		    f[j].arg[rule[j].out].size)
			return false;
	return true;
}

/* The device that a stat call has shown for a regular file; 0: it is none. */
static uint64_t device_of_file(const struct svp_follower *f, const unsigned char *out)
{
	const struct stat *st = (const struct stat *)(const void *)out;
	const struct statx *stx = (const struct statx *)(const void *)out;

	if (f->nr == SYS_statx)
		return S_ISREG(stx->stx_mode) ? makedev(stx->stx_dev_major, stx->stx_dev_minor) : 0;
	return S_ISREG(st->st_mode) ? st->st_dev : 0;
}

/*
 * The loop has ended at a file on another device: is that how its overlay shows files? Then the next run
 * knows. This record does not count, so nothing in it is trusted: the file is looked up by its name.
 */
static void ended_at(const uint64_t *record, const __u64 *reg)
{
	const struct svp_follower *f = records.followers;
	const struct follower_rule *rule = records.rules;
	bool under = f->arg[0].kind == SVP_ARG_UNDER || f->arg[1].kind == SVP_ARG_UNDER;
	uint64_t dirent = reg[SVP_REG_ENTRY], shown;

	if (rule->out >= 6 ||
	    (const unsigned char *)record + records.loop->stride > areas.staging + STAGING_BYTES ||
	    record[0] != dirent || dirent < (uint64_t)run_names()->own ||
	    dirent + 280 > (uint64_t)run_names()->own_end + 256)
		return;
	shown = device_of_file(f, (const unsigned char *)record + f->arg[rule->out].value);
	run_path()[RUN_STRING_MOST] = 0; /* the code has copied the name after the path */
	if (shown)
		overlay_learn(reg[SVP_REG_DEVICE], shown,
			      f->arg[0].kind == SVP_ARG_REG ? reg[f->arg[0].reg] : (uint64_t)AT_FDCWD,
			      under ? run_path() : (const char *)dirent + DIRENT_NAME);
}

static void note_arguments(const __u64 *reg)
{
	const struct svp_loop *loop = records.loop;

	for (uint32_t j = 0; j < loop->followers; j++) {
		for (unsigned int i = 0; i < 6; i++) {
			const struct svp_arg *a = &records.followers[j].arg[i];
			bool in_register = a->kind == SVP_ARG_REG || a->kind == SVP_ARG_COUNT;

			records.used[j][i] = in_register ? reg[a->reg] : a->value;
		}
	}
}

bool records_take(uint32_t number, const __u64 *reg)
{
	const struct svp_loop *loop = procedures[number].loop;
	const uint64_t last = reg[loop->end];
	uint64_t n = 0, first;

	records.proc = number;
	records.loop = loop;
	records.followers = &svp.followers[loop_followers(number)];
	records.rules = &follower_rules[loop_followers(number)];
	first = (uint64_t)record_of(0);
	if (last > first)
		n = (last - first) / loop->stride;
	if (last && n < loop->capacity && reg[SVP_REG_ENTRY] < reg[SVP_REG_ENTRY_END])
		ended_at((const uint64_t *)(first + n * loop->stride), reg);
	if (n > loop->capacity)
		return false;
	for (records.made = 0; records.made < n; records.made++)
		if (!sound(record_of(records.made * SVP_LOOP_MAX)))
			break;
	note_arguments(reg);
	records.next = 0;
	records.end = records.made * SVP_LOOP_MAX;
	return records.made > 0;
}
