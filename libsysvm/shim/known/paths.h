/* SPDX-License-Identifier: MIT */
/* Which paths may be looked up before the application does. All ask mounts_known() first, or rely on the
   caller's. */
#ifndef SYSVM_SHIM_PATHS_H
#define SYSVM_SHIM_PATHS_H

#include <stdbool.h>
#include <stdint.h>

void paths_reset(void); /* the working directory is another one */

/* mounts_known(): looking that path up asks nobody that may wait or count, and moves no atime. */
bool paths_harmless(const char *path);

/* The same for every path below the working directory that has no link in it and stays on *device. */
bool paths_here(uint64_t *device);

#endif
