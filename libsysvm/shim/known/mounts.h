/* SPDX-License-Identifier: MIT */
/* The mount table: which names must not be looked up before the application does. */
#ifndef SYSVM_SHIM_MOUNTS_H
#define SYSVM_SHIM_MOUNTS_H

#include <stdbool.h>
#include <stdint.h>

struct mount_point {
	char *path;
	bool good;
};

void mounts_reset(void);

/* Reads the table if it is a second old; uses the staging area, so nothing may be outstanding. False: nothing
   is known. */
bool mounts_known(void);
/* the same from a text, for tests */
bool mounts_take(char *text, struct mount_point *mount, unsigned int room);

/* A directory with this inode number may hold a mount point whose name must not be looked up. */
bool mounts_avoid(uint64_t inode);
extern uint64_t mounts_avoided[]; /* those numbers, closed by 0, for the byte code */
extern const unsigned long mounts_avoided_size;

/* A mount of a type that may not be read ahead is at or above the path, or at or below the directory; or not
   all fitted. */
bool mounts_other_above(const char *path);
bool mounts_other_below(const char *directory);

#endif
