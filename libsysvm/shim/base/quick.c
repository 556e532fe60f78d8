// SPDX-License-Identifier: MIT
/* The state that entry.S reads (quick.h), where it expects it. */
#include "libsysvm/shim/base/quick.h"

#include <stddef.h>

static struct staged nothing = { .minus_nr = STAGED_NEVER };
struct quick quick = { .next = &nothing, .end = &nothing }; /* until there is a log */
volatile uint64_t shim_signals;

#define AT(member, offset)                                                                                   \
	_Static_assert(offsetof(struct quick, member) == (offset), "entry.S: quick." #member)
#define STAGED_AT(member, offset)                                                                            \
	_Static_assert(offsetof(struct staged, member) == (offset), "entry.S: " #member)
AT(next, QUICK_NEXT);
AT(busy_sp, QUICK_BUSY_SP);
AT(log_signals, QUICK_LOG_SIGNALS);
AT(log_clock.seconds, QUICK_LOG_CLOCK + CLOCK_SECONDS);
AT(log_clock.nanoseconds, QUICK_LOG_CLOCK + CLOCK_NANOSECONDS);
AT(clock, QUICK_CLOCK);
AT(age_ns, QUICK_AGE_NS);
AT(stack_low, QUICK_STACK_LOW);
AT(stack_high, QUICK_STACK_HIGH);
AT(write_low, QUICK_WRITE_LOW);
AT(write_high, QUICK_WRITE_HIGH);
STAGED_AT(rule, STAGED_RULE);
STAGED_AT(minus_nr, STAGED_MINUS_NR);
STAGED_AT(arg, STAGED_ARG);
STAGED_AT(result, STAGED_RESULT);
STAGED_AT(from, STAGED_FROM);
STAGED_AT(size, STAGED_LENGTH);
STAGED_AT(to_max, STAGED_TO_MAX);
STAGED_AT(out, STAGED_OUT);
STAGED_AT(position, STAGED_POSITION);
_Static_assert(sizeof(struct staged) == STAGED_SIZE, "entry.S");
