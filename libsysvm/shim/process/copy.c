// SPDX-License-Identifier: MIT
/*
 * Reads and writes the application's memory without the risk of a fault: directly where known/memory.c knows
 * it to be there, else by a call that lets the kernel copy and return EFAULT. Such a call is a crossing of
 * our own, so it must stay rare: shells set handlers and run programs all the time, from stack and heap.
 * Tested by tests/shim/entry (bad pointers to sigaction and execve give EFAULT).
 */
#include "libsysvm/shim/process/copy.h"

#include <sys/uio.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/process/process.h"

/* Also for the child of a vfork, and what it has forked: what they unmap or protect is seen (memory_child).
   */
static bool known(uint64_t address, unsigned long n, uint64_t sp)
{
	return process.off == SHIM_ON && ahead_is_on() && memory_writable(address, n, sp);
}

/*
 * Between the application's pieces and n bytes of ours. Its pieces are on the side that is local to the call,
 * which the kernel accesses as it would any argument. The other side must be in a mapping marked readable,
 * and memory that is mapped only for writing can be read, too.
 */
__attribute__((noinline)) static long move(long nr, const struct iovec *theirs, unsigned long pieces,
					   const void *ours, unsigned long n)
{
	struct iovec remote = { (void *)(uintptr_t)ours, n };
	long pid = own1(SYS_getpid, 0); /* not a remembered number: this may be the child of a vfork */

	bump(&process.file->stats.own);
	return raw6(nr, RAW_U(pid), RAW_U(theirs), pieces, RAW_U(&remote), 1, 0);
}

int copy_from(void *to, uint64_t from, unsigned long n, uint64_t sp)
{
	struct iovec there = { (void *)from, n };

	if (known(from, n, sp)) {
		bytes_copy(to, (const void *)from, n);
		return 0;
	}
	return move(SYS_process_vm_writev, &there, 1, to, n) == (long)n ? 0 : -1;
}

long copy_some(void *to, uint64_t from, unsigned long n, uint64_t sp)
{
	struct iovec there;
	unsigned long done = 0;
	long more;

	for (; done + 128 <= n && known(from + done, 128, sp); done += 128)
		bytes_copy((char *)to + done, (const void *)(from + done), 128);
	there.iov_base = (void *)(from + done);
	there.iov_len = n - done;
	if (!there.iov_len)
		return (long)n;
	more = move(SYS_process_vm_writev, &there, 1, (char *)to + done, n - done);
	return more < 0 ? done ? (long)done : more : (long)done + more;
}

int copy_starts(char (*to)[COPY_START], const uint64_t *from, unsigned int strings, struct iovec *there,
		char *packed, uint64_t sp)
{
	unsigned long total = 0;
	unsigned int left = 0;

	/*
	 * One call for what is not known to be mapped, each piece cut at the end of its page: the next page
	 * may be missing.
	 */
	for (unsigned int i = 0; i < strings; i++) {
		unsigned long room = 4096 - from[i] % 4096, n = room < COPY_START ? room : COPY_START;

		bytes_zero(to[i], COPY_START);
		there[i].iov_base = (void *)from[i];
		there[i].iov_len = 0;
		if (known(from[i], n, sp)) {
			bytes_copy(to[i], (const void *)from[i], n);
			continue;
		}
		there[i].iov_len = n;
		total += n;
		left++;
	}
	if (!left)
		return 0;
	if (move(SYS_process_vm_writev, there, strings, packed, total) != (long)total)
		return -1;
	for (unsigned int i = 0; i < strings; packed += there[i++].iov_len)
		bytes_copy(to[i], packed, there[i].iov_len);
	return 0;
}

void copy_start_on(char *to, uint64_t from, struct iovec *there)
{
	there->iov_base = (void *)from;
	there->iov_len = COPY_START;
	(void)move(SYS_process_vm_writev, there, 1, to, COPY_START);
}

int copy_to(uint64_t to, const void *from, unsigned long n, uint64_t sp)
{
	struct iovec there = { (void *)to, n };

	if (known(to, n, sp)) {
		bytes_copy((void *)to, from, n);
		return 0;
	}
	return move(SYS_process_vm_readv, &there, 1, from, n) == (long)n ? 0 : -1;
}
