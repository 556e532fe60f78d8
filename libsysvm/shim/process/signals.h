/* SPDX-License-Identifier: MIT */
/* Signal handlers are entered through stubs that count. */
#ifndef SYSVM_SHIM_SIGNALS_H
#define SYSVM_SHIM_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>
#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/process/slots.h"

/* stubs.S */
extern unsigned char shim_stubs[];
extern uint64_t shim_handlers[STUBS];

/* This rt_sigaction interrupts another one that changes the same signal: both of its stubs are in use. */
bool signals_changing(const struct shim_call *call);
int signals_action(struct shim_call *call);
uint64_t signals_hold(void); /* all signals wait; returns the mask that was */
void signals_release(uint64_t mask);
void signals_stop(void); /* handlers without stubs from now on */

#endif
