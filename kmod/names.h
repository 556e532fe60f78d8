/* SPDX-License-Identifier: GPL-2.0 */
/* Calls about the names of one directory, for the wide instructions (vm/entries.c). */
#ifndef SYSVM_NAMES_H
#define SYSVM_NAMES_H

#include <linux/types.h>

#include "ahead.h"

#define SYSVM_NAME_MOST 256 /* bytes, its 0 included: NAME_MAX */

struct file;
struct sysvm_entry;
struct sysvm_env;

/* What is kept from one name to the next. One thread's; empty except during an instruction. */
struct sysvm_directory {
	struct file *file; /* held, or NULL */
	int fd;
	struct sysvm_ahead ahead; /* of names below file */
	char name[SYSVM_NAME_MOST]; /* of the call that is being made */
};

/*
 * Makes the newfstatat() in the task's registers and returns true, with its result in *result and what it
 * found in entry. Or does nothing and returns false: then the call, whichever it is, is made as any other.
 */
bool sysvm_name_stat(struct sysvm_env *env, struct sysvm_entry *entry, long *result);
void sysvm_directory_drop(struct sysvm_directory *directory);

static inline void sysvm_directory_leave(struct sysvm_directory *directory)
{
	if (directory->file)
		sysvm_directory_drop(directory);
}

#endif
