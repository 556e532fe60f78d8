/* SPDX-License-Identifier: MIT */
/* All that the application's calls teach about its files and about what it asks next. */
#ifndef SYSVM_SHIM_NAMES_H
#define SYSVM_SHIM_NAMES_H


#include "libsysvm/shim/base/call.h"
#include "libsysvm/sysvm.h"

void names_reset(void); /* after the procedures are known; switches off those for which there is no memory */
void names_trust(struct sysvm_vm *vm); /* the machine may touch what its loops read */

/* The one place that learns from a call: it has been made, by itself or inside a run, and is not about
   memory. */
void names_after(const struct shim_call *call);

void names_forget(void); /* the process is about to become two, or another one */

#endif
