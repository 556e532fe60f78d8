// SPDX-License-Identifier: MIT
/*
 * Reads and writes the application's memory without the risk of a fault: the kernel copies, and says EFAULT. Costs
 * an entry each, so only for rare calls (exec, sigaction, clone3); the ahead half has its own way for common ones.
 * Tested by tests/shim/entry (bad pointers to sigaction and execve give EFAULT).
 */
#include <sys/uio.h>

#include "libsysvm/shim/entry.h"

static int move(long nr, uint64_t remote, const void *local, unsigned long n)
{
	struct iovec here = { (void *)(uintptr_t)local, n }, there = { (void *)remote, n };
	/* getpid, not a remembered number: this may be the child of a vfork. */
	long pid = raw0(SYS_getpid);

	bump_n(&entry.file->stats.own, 2);
	return raw6(nr, RAW_U(pid), RAW_U(&here), 1, RAW_U(&there), 1, 0) == (long)n ? 0 : -1;
}

int copy_from(void *to, uint64_t from, unsigned long n)
{
	return move(SYS_process_vm_readv, from, to, n);
}

int copy_to(uint64_t to, const void *from, unsigned long n)
{
	return move(SYS_process_vm_writev, to, from, n);
}
