/* SPDX-License-Identifier: MIT */
/*
 * Which file systems may be read ahead, by type, and when a read there changes an atime, by the mount's
 * options.
 * Tested by tests/prefetch.
 */
#ifndef SYSVM_PREFETCH_MOUNTS_H
#define SYSVM_PREFETCH_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "walk.h"

/*
 * The mount that statx(2) numbers so, as the process pid sees it. False: not one to read ahead. Kept until
 * the next mounts_forget.
 */
bool mounts_allowed(int pid, uint64_t mount, enum walk_atime *atime);
void mounts_forget(void);

#endif
