/* SPDX-License-Identifier: MIT */
/* Calls that a procedure waits for. */
#ifndef SYSVM_SHIM_TRIGGER_H
#define SYSVM_SHIM_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "procedures/svp.h"

void trigger_reset(void);
void trigger_count(const struct shim_call *call); /* each call, once: which one in a row is it? */

/* The call starts a procedure, which has made it: call->result is set. What was outstanding is withdrawn. */
bool trigger_run(struct shim_call *call);

/* A procedure of mode answer or late_close names this call. */
bool trigger_named(enum svp_mode mode, const struct shim_call *call, uint32_t *number);

#endif
