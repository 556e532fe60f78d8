/* SPDX-License-Identifier: MIT */
/*
 * Memory of the shim that holds what the application reads, and the paths that it uses. The application may
 * have wiped its own copy, so these areas are never dumped into a core and are empty in a forked child.
 */
#ifndef SYSVM_SHIM_AREAS_H
#define SYSVM_SHIM_AREAS_H

#include <stddef.h>

#include "procedures/svp.h"

#define STAGING_BYTES SVP_STAGING_MAX
#define PATH_BYTES 256 /* longest path that is copied, with its 0 */
#define KEPT_PATHS 16
#define KEPT_BYTES (KEPT_PATHS * PATH_BYTES)

struct areas {
	unsigned char *staging; /* STAGING_BYTES: what the calls of a run fill */
	char *path;		/* PATH_BYTES: the trigger's path; right after the staging area */
	char *kept;		/* KEPT_BYTES: names/kept.c */
};
extern struct areas areas;

/* Maps the areas and `more` bytes of ordinary memory, zeroed and aligned to 64. Null: no memory. */
void *areas_init(size_t more);

/* One more such area. Null: no memory. */
void *areas_map(size_t size);

#endif
