/* SPDX-License-Identifier: MIT */
/* Which program a process executes. Tested by tests/prefetch. */
#ifndef SYSVM_PREFETCH_EXE_H
#define SYSVM_PREFETCH_EXE_H

#include <stdint.h>

/* The build-id of its executable. Returns its length; 0: it has none, or it is not known. */
unsigned int exe_build_id(int pid, uint8_t *id, unsigned int size);

#endif
