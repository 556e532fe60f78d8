// SPDX-License-Identifier: MIT
/*
 * When an answer may be given: it is fresh, the call is the one that was made ahead, and its buffer can take
 * it.
 *
 * Say the run has made read(3, staged, 4096) = 100 at the end of a file. The application's read(3, buffer,
 * 4096) is the same call; so is read(3, buffer, 8192), since at the end of a file a larger buffer gets the
 * same 100 bytes. read(4, ...) is not.
 * Tested by tests/shim/ahead/ahead_test.cc and tests/shim/hazards (reads, quick, memory).
 */
#include "libsysvm/shim/answers/outstanding.h"

#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/clock.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/names/kept.h"

static uint32_t proc, age_ms;
static uint64_t made_ms;
static bool missed;

void outstanding_reset(uint32_t age)
{
	proc = 0;
	age_ms = age;
	quick.age_ns = age * 1000000ull;
	missed = false;
}

void outstanding_begin(uint32_t number, uint64_t signals)
{
	quick.log_signals = signals;
	proc = number;
	missed = false;
	kept_run_begins();
}

void outstanding_made(void)
{
	made_ms = clock_mark(&quick.log_clock);
}

void outstanding_renewed(uint64_t signals)
{
	quick.log_signals = signals;
	outstanding_made();
}

bool outstanding_fresh(void)
{
	const volatile struct clock_words *now = quick.clock;

	if (quick.log_signals != shim_signals)
		return false;
	/* The vDSO is asked only where entry.S would ask C. */
	if (now->seconds == quick.log_clock.seconds &&
	    now->nanoseconds - quick.log_clock.nanoseconds <= quick.age_ns)
		return true;
	return clock_ms() - made_ms <= age_ms;
}

uint32_t outstanding_proc(void)
{
	return proc;
}

void outstanding_hits(uint64_t n)
{
	counts.answered += n;
	counts.proc[proc].hits += (uint32_t)n;
	procedures[proc].hits += (uint32_t)n;
}

void outstanding_missed(void)
{
	if (!missed)
		counts.proc[proc].misses++;
	missed = true;
}

/* The short-transfer rule (svp.h): at the end of a file the size that was asked for does not change the
   answer. */
static bool same_count(uint64_t asked, uint64_t used, int64_t result)
{
	if (asked == used)
		return true;
	return result >= 0 && (uint64_t)result < used && asked >= (uint64_t)result && asked > 0 &&
	       asked <= 0x7ffff000;
}

static bool same_special(const struct svp_follower *f, struct follower_rule *rule, unsigned int i,
			 uint64_t used, int64_t result, const struct shim_call *c)
{
	bool same;

	switch (f->arg[i].kind) {
	case SVP_ARG_COUNT:
		return same_count(c->arg[i], used, result);
	case SVP_ARG_KEPT:
		return kept_same(f, c->arg[i], c->sp);
	case SVP_ARG_PATH:
		return memory_same_string(c->arg[i], areas.path, PATH_BYTES, c->sp);
	case SVP_ARG_STRING:
		same = memory_same_string(c->arg[i], procedure_string(proc, &f->arg[i]), PATH_BYTES, c->sp);
		rule->string = same && rule->plain && memory_constant(c->arg[i]) ? c->arg[i] : 0;
		return same;
	default:
		return false;
	}
}

bool answer_same(const struct svp_follower *f, struct follower_rule *rule, const uint64_t *used,
		 int64_t result, const struct shim_call *c)
{
	uint64_t different = 0;

	for (unsigned int i = 0; i < 6; i++) /* what the call does not have is masked out */
		different |= (c->arg[i] ^ used[i]) & rule->mask[i];
	if (different)
		return false;
	for (unsigned int i = 0, left = rule->special; left; i++, left >>= 1)
		if (left & 1 && !same_special(f, rule, i, used[i], result, c))
			return false;
	return true;
}

bool answer_fits(const struct svp_follower *f, const struct follower_rule *rule, int64_t result,
		 const struct shim_call *c, uint32_t *size)
{
	const struct svp_arg *out;
	uint64_t to, end;

	*size = 0;
	if (rule->out >= 6)
		return true;
	out = &f->arg[rule->out];
	to = c->arg[rule->out];
	*size = answer_size(f, rule, result);
	if (*size > out->size || (*size && !memory_writable(to, *size, c->sp)))
		return false;
	/* The kernel refuses a buffer that leaves user space even where it would not fill it. */
	if (rule->out == 5 || !rule->out_bytes || !out->size)
		return true;
	end = to + c->arg[rule->out + 1];
	return end >= to && end <= USER_END;
}
