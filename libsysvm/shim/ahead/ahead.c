// SPDX-License-Identifier: MIT
/*
 * What happens at a call of the application: the order of the rules (docs/semantics.md).
 *
 *   1. a call inside a signal handler that interrupted this very code is made plainly, and what is
 *      outstanding is withdrawn first;
 *   2. the next outstanding answer, if it is this call's, is served;
 *   3. a call that carries no news leaves what is outstanding alone;
 *   4. a close may wait, a question whose answer is known is answered;
 *   5. what is outstanding and cannot be renewed is withdrawn;
 *   6. a trigger runs its procedure; any other call is made, with a late close and renewals riding on it.
 *
 * The running example is `cat file`: open is a trigger (6), whose run makes fstat, fadvise64 and read ahead;
 * these are served (2) when cat makes them; its write withdraws what is left (5); close waits (4), and rides
 * on the next crossing (6).
 *
 * No sequence of calls is built in: only the procedure file says what follows what.
 *
 * Tested by tests/shim/.
 */
#include "libsysvm/shim/ahead/ahead.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsysvm/shim/ahead/late.h"
#include "libsysvm/shim/ahead/machine.h"
#include "libsysvm/shim/ahead/ride.h"
#include "libsysvm/shim/ahead/setup.h"
#include "libsysvm/shim/ahead/trigger.h"
#include "libsysvm/shim/answers/at_once.h"
#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/answers/withdraw.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/descriptors.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/known/rules.h"
#include "libsysvm/shim/names/kept.h"
#include "libsysvm/shim/names/names.h"
#include "libsysvm/shim/names/window.h"

#define FLUSH_RUNS 64 /* runs between two additions to the shared statistics; each addition is a locked one */

static uint8_t off = SHIM_OFF_DISABLED; /* enum shim_reason */
static struct shim_stats *stats;

bool ahead_is_on(void)
{
	return off == SHIM_ON;
}

void ahead_flush(void)
{
	log_count();
	count_flush(stats);
}

int ahead_init(const struct shim_settings *settings)
{
	stats = settings->stats;
	quick.busy_sp = 0;
	count_reset(NULL, 0);
	off = (uint8_t)setup(settings);
	count_flush(stats);
	return off;
}

static void hit(uint32_t number)
{
	counts.answered++;
	counts.proc[number].hits++;
}

/* Facts that are private to the descriptor, so nobody else can change the answer. */
static bool answer_known(struct shim_call *c)
{
	const struct descriptor *f = descriptor(c->arg[0]);
	uint32_t number;

	if (!f || !f->mine || !trigger_named(SVP_ANSWER, c, &number))
		return false;
	if (c->nr == SYS_ioctl && (uint32_t)c->arg[1] == TCGETS && f->kind == KIND_REGULAR)
		c->result = -ENOTTY;
	else if (c->nr == SYS_fcntl && (uint32_t)c->arg[1] == F_GETFL && !f->shared && f->getfl >= 0)
		c->result = f->getfl;
	else if (c->nr == SYS_fcntl && (uint32_t)c->arg[1] == F_GETFD)
		c->result = f->cloexec ? FD_CLOEXEC : 0;
	else if (c->nr == SYS_lseek && c->arg[1] == 0 && (uint32_t)c->arg[2] == SEEK_CUR && !f->shared &&
		 f->kind == KIND_REGULAR && f->position >= 0)
		c->result = f->position;
	else
		return false;
	hit(number);
	return true;
}

static bool close_later(struct shim_call *c)
{
	uint32_t number;

	if (!late_may_close(c) || !trigger_named(SVP_LATE_CLOSE, c, &number))
		return false;
	withdraw_for_close((int)c->arg[0], descriptor(c->arg[0])->shared);
	late_add((int)c->arg[0]);
	c->result = 0;
	hit(number);
	return true;
}

/* The application's call has been made: c->result is what the kernel returned. */
static void learn(const struct shim_call *c)
{
	if (!rules_memory(c->nr)) {
		names_after(c);
		return;
	}
	if (memory_after(c))
		log_forget_strings();
	if (c->nr == SYS_mmap && !(c->arg[3] & MAP_ANONYMOUS))
		descriptors_mapped(c->arg[4]);
}

/* The call is made in one crossing with the late closes and with the answers to be renewed. */
static bool make_riding(struct shim_call *c, uint8_t rule, bool renew)
{
	if (!(late_waiting() || renew) || !(rule & RULE_RIDE) || !quick_on_main_stack(c) || !ride(c, renew))
		return false;
	if (rule & RULE_WATCH)
		learn(c);
	return true;
}

static int make_by_itself(uint8_t rule)
{
	late_close_all();
	return rule & RULE_WATCH ? SHIM_WATCH : SHIM_FORWARD;
}

static void see_kept(const struct shim_call *c, uint8_t rule)
{
	if (rule & RULE_KEEP)
		kept_see(c, outstanding_proc(), log_due());
}

static int make(struct shim_call *c, uint8_t rule)
{
	bool renew = quick_on_main_stack(c) && !loop_outstanding() && log_renewable();

	window_news(c, records_outstanding());
	see_kept(c, rule);
	if (!renew)
		withdraw();
	log_wipe_used(); /* what is renewed is filled anew */
	if (make_riding(c, rule, renew))
		return SHIM_ANSWERED;
	if (renew)
		withdraw();
	return make_by_itself(rule);
}

/* --relaxed=age: what is outstanding stays. Late closes come first all the same. */
static int make_keeping(struct shim_call *c, uint8_t rule)
{
	see_kept(c, rule);
	return make_riding(c, rule, false) ? SHIM_ANSWERED : make_by_itself(rule);
}

/*
 * A copy of a descriptor. Its number is the lowest free one, which depends on this process alone, so making a
 * copy is no news, and records survive it. A copy that fails is news: another process may have set the limit.
 */
static bool copies_descriptor(const struct shim_call *c)
{
	return c->nr == SYS_dup || (c->nr == SYS_fcntl && ((uint32_t)c->arg[1] == F_DUPFD ||
							   (uint32_t)c->arg[1] == F_DUPFD_CLOEXEC));
}

/* Late closes first, since the number that it gives depends on them. */
static int make_copy(struct shim_call *c)
{
	if (!late_waiting() || !quick_on_main_stack(c) || !ride(c, false)) {
		late_close_all();
		machine_plain_call(c);
	}
	if (c->result < 0)
		withdraw();
	learn(c);
	return SHIM_ANSWERED;
}

/* No news: what is outstanding survives the call. */
static bool is_silent(const struct shim_call *c, uint8_t rule)
{
	return rule & RULE_SILENT || (c->nr == SYS_mmap && c->arg[3] & MAP_ANONYMOUS);
}

#define UNDECIDED (-1)

/* A call while a loop's records are outstanding. */
static int decide_in_loop(struct shim_call *c, uint8_t rule)
{
	if (!quick_on_main_stack(c) || !outstanding_fresh()) {
		withdraw();
		return UNDECIDED;
	}
	if (log_outstanding()) /* the application has not asked for what comes before the loop */
		return UNDECIDED;
	if (records_serve(c)) {
		if (!records_outstanding())
			log_reveal();
		return SHIM_ANSWERED;
	}
	if (!log_hidden() && records_outstanding() && copies_descriptor(c))
		return make_copy(c);
	if (is_silent(c, rule))
		return rule & RULE_WATCH ? SHIM_WATCH : SHIM_FORWARD;
	if (rule & (RULE_CLOSE | RULE_ANSWER)) /* perhaps the kernel is not entered */
		return UNDECIDED;
	if (!log_hidden() || rule & RULE_READS)
		return UNDECIDED;
	withdraw_loop();
	return log_serve(c) ? SHIM_ANSWERED : UNDECIDED;
}

static int decide(struct shim_call *c)
{
	uint8_t rule = rules_of(c->nr);

	trigger_count(c);
	if (log_outstanding()) {
		if (!outstanding_fresh())
			withdraw();
		else if (log_serve(c))
			return SHIM_ANSWERED;
	}
	if (loop_outstanding()) {
		int verdict = decide_in_loop(c, rule);

		if (verdict != UNDECIDED)
			return verdict;
	}
	machine_make_way(c);
	if (log_outstanding() && is_silent(c, rule))
		return rule & RULE_WATCH ? SHIM_WATCH : SHIM_FORWARD;
	if (rule & RULE_CLOSE && close_later(c))
		return SHIM_ANSWERED;
	if (rule & RULE_ANSWER && answer_known(c))
		return SHIM_ANSWERED;
	if (rule & RULE_TRIGGER && quick_on_main_stack(c) && trigger_run(c)) {
		if (counts.runs >= FLUSH_RUNS)
			ahead_flush();
		return SHIM_ANSWERED;
	}
	if (rule & RULE_READS && (log_outstanding() || loop_outstanding()))
		return make_keeping(c, rule);
	return make(c, rule);
}

/*
 * A handler that interrupted this code (busy_sp is set) makes its calls plainly. If it left by longjmp the
 * mark is stale: the next call comes from further up on the same stack.
 */
static bool nested(const struct shim_call *c)
{
	if (!quick.busy_sp)
		return false;
	if (c->sp > quick.busy_sp && quick.busy_sp >= quick.stack_low && c->sp < quick.stack_high) {
		quick.busy_sp = 0;
		return false;
	}
	return true;
}

int ahead_before(struct shim_call *c)
{
	int verdict;

	if (off)
		return SHIM_FORWARD;
	if (at_once(c)) {
		trigger_count(c);
		return SHIM_ANSWERED;
	}
	if (nested(c)) {
		withdraw();
		late_close_all();
		return SHIM_WATCH;
	}
	quick.busy_sp = c->sp;
	__asm__ volatile("" : : : "memory"); /* the mark is set before anything is touched */
	verdict = decide(c);
	if (verdict == SHIM_ANSWERED && machine_retry(c))
		names_after(c);
	if (machine_error() || (verdict == SHIM_ANSWERED && machine_too_near(c)))
		ahead_stop(SHIM_OFF_ENGINE);
	__asm__ volatile("" : : : "memory"); /* and until everything is */
	quick.busy_sp = 0;
	return verdict;
}

void ahead_after(struct shim_call *c)
{
	if (off)
		return;
	machine_retry(c);
	if (machine_too_near(c))
		ahead_stop(SHIM_OFF_ENGINE);
	learn(c);
}

void ahead_settle(void)
{
	if (off)
		return;
	withdraw();
	late_close_all();
	descriptors_forget_all();
	names_forget();
	ahead_flush();
}

void ahead_stop(enum shim_reason reason)
{
	if (off)
		return;
	ahead_settle();
	machine_drop();
	off = (uint8_t)reason;
	count_add(&stats->off[reason & 15], 1);
}

void ahead_child(const struct shim_call *c)
{
	if (!off && memory_child(c))
		log_forget_strings();
}

void ahead_forked_child(void)
{
	if (off)
		return;
	machine_drop();
	kept_forget();
	quick.busy_sp = 0;
}
