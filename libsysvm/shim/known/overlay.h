/* SPDX-License-Identifier: MIT */
/* Which device the files of an overlay show. */
#ifndef SYSVM_SHIM_OVERLAY_H
#define SYSVM_SHIM_OVERLAY_H

#include <stdint.h>

void overlay_reset(void);

/* What regular files in directories on that device show, as far as it is known; else the device itself. */
uint64_t overlay_files(uint64_t device);

/* A stat of this file, in a directory on `device`, has shown another device: asks the file whether that is
   its overlay. */
void overlay_learn(uint64_t device, uint64_t shown, uint64_t dirfd, const char *path);

#endif
