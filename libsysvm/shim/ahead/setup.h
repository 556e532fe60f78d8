/* SPDX-License-Identifier: MIT */
#ifndef SYSVM_SHIM_SETUP_H
#define SYSVM_SHIM_SETUP_H

#include "libsysvm/shim/ahead/ahead.h"

/* Brings every file of the ahead half to its first state. 0, or the shim_reason that keeps this process
   plain. */
int setup(const struct shim_settings *settings);

#endif
