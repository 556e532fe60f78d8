/* SPDX-License-Identifier: MIT */
/* Which files have leases (fcntl F_SETLEASE, delegations of an NFS server). Tested by tests/prefetch. */
#ifndef SYSVM_PREFETCH_LEASES_H
#define SYSVM_PREFETCH_LEASES_H

#include <stdbool.h>
#include <stddef.h>

#include "walk.h"

/* At most max of them. False: they cannot be read, or there are more, so that no file may be opened. */
bool leases_read(struct walk_file *files, size_t max, size_t *count);

#endif
