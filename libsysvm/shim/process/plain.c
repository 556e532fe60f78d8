// SPDX-License-Identifier: MIT
/*
 * Going plain: from now on the kernel gets every call as the application makes it. Which calls come to
 * shim_dispatch all the same is in shim_plain_looks, by number; dispatch.c has the rest of them.
 * Tested by tests/shim/entry (one program for each reason; vfork).
 */
#include "libsysvm/shim/process/plain.h"

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/process/process.h"
#include "libsysvm/shim/process/signals.h"

/*
 * Calls in the child of a vfork, besides those of any plain process, that are the parent's affair: the child
 * changes the parent's memory, whose table must be kept; its handlers are our stubs; and it may leave others
 * in that memory.
 */
static const uint16_t child_calls[] = {
	SYS_rt_sigaction, SYS_clone, SYS_clone3, SYS_mmap, SYS_mprotect, SYS_munmap, SYS_mremap, SYS_brk,
	SYS_madvise, SYS_remap_file_pages, SYS_pkey_mprotect, SYS_shmat, SYS_shmdt,
};

void plain_watch_child(bool on)
{
	for (unsigned int i = 0; i < sizeof(child_calls) / sizeof(child_calls[0]); i++)
		shim_plain_looks[child_calls[i]] = on;
}

void plain_stop(enum shim_reason reason)
{
	if (!shim_mode)
		return;
	ahead_stop(reason);
	process.off = reason;
	shim_mode = 0;
	process_not_alone();
	signals_stop();
	plain_watch_child(false);
}
