// SPDX-License-Identifier: MIT
/*
 * What is learned from a call that has been made: facts about its descriptors (known/descriptors.c), then
 * dirents, paths and working directory.
 * Tested by tests/shim/ahead/directory_test.cc and kept_test.cc.
 */
#include "libsysvm/shim/names/names.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/descriptors.h"
#include "libsysvm/shim/known/mounts.h"
#include "libsysvm/shim/known/paths.h"
#include "libsysvm/shim/known/procedures.h"
#include "libsysvm/shim/names/kept.h"
#include "libsysvm/shim/names/listing.h"
#include "libsysvm/shim/names/name_pool.h"
#include "libsysvm/shim/names/run.h"
#include "libsysvm/shim/names/window.h"

#define DIRENTS ((LISTING_SLOTS + 1) * (size_t)LISTING_BYTES) /* the last ones are the name pool's */

/* RUN_PATH_BYTES, DIRENTS, and BYTES_SLACK; null: no procedure has a loop. */
static unsigned char *memory;

void names_reset(void)
{
	bool any = false;

	for (uint32_t i = 0; i < svp.nprocs; i++)
		any |= procedures[i].loop && !procedures[i].off;
	memory = any ? areas_map(RUN_PATH_BYTES + DIRENTS + BYTES_SLACK) : NULL;
	for (uint32_t i = 0; i < svp.nprocs; i++)
		procedures[i].off |= procedures[i].loop && !memory;
	if (memory) {
		listing_reset(memory + RUN_PATH_BYTES);
		name_pool_reset(memory + RUN_PATH_BYTES + DIRENTS - LISTING_BYTES);
	}
	window_reset();
	run_reset((char *)memory);
	paths_reset();
}

void names_trust(struct sysvm_vm *vm)
{
	if (!memory)
		return;
	sysvm_trust(vm, memory, RUN_PATH_BYTES, 1);
	sysvm_trust(vm, memory + RUN_PATH_BYTES, DIRENTS, 0); /* they were checked when they were read */
	sysvm_trust(vm, mounts_avoided, mounts_avoided_size, 0);
}

void names_forget(void)
{
	if (!memory)
		return;
	listing_forget_all();
	name_pool_forget();
}

static void directory_after(const struct shim_call *c)
{
	const struct descriptor *f = descriptor(c->arg[0]);

	switch (c->nr) {
	case SYS_open:
		if (c->result >= 0)
			listing_opened(c, c->arg[0]);
		break;
	case SYS_openat:
		if (c->result >= 0 && (int)c->arg[0] == AT_FDCWD)
			listing_opened(c, c->arg[1]);
		break;
	case SYS_lseek:
		if (f && c->arg[2] != SEEK_CUR)
			listing_forget(f->description);
		break;
	case SYS_getdents64:
		if (c->result > 0)
			listing_seen(c);
		break;
	}
}

void names_after(const struct shim_call *c)
{
	descriptors_after(c);
	if (memory)
		directory_after(c);
	switch (c->nr) {
	case SYS_chdir: /* a path means another file now */
	case SYS_fchdir:
	case SYS_chroot:
		names_forget();
		kept_forget();
		paths_reset();
	}
}
