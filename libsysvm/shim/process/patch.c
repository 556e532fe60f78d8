// SPDX-License-Identifier: MIT
/*
 * Writes the jumps into one executable mapping of an object file, and the slots that they lead to.
 *
 * A site is touched only if its bytes are exactly those of the file the table was made from: a breakpoint, a
 * probe or another patcher's jump stays as it is (docs/semantics.md, 4), and so do addresses that a jump
 * cannot reach. Text is made writable without ever losing PROT_EXEC; where that is refused (PR_SET_MDWE,
 * SELinux) nothing is written (5). Runs before main, with one thread.
 *
 * Each page that is written costs a copy, 140 of them some 0.25 ms. A process that is plain from the start
 * needs only the sites of the calls that come to shim_dispatch while plain (all = false).
 *
 * Tested by tests/shim/entry (every site, a breakpoint set before, PR_SET_MDWE, segments).
 */
#include "libsysvm/shim/process/patch.h"

#include <sys/mman.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/process/process.h"

static bool reaches(uint64_t end, uint64_t target)
{
	int64_t distance = (int64_t)(target - end);

	return distance >= INT32_MIN && distance <= INT32_MAX;
}

static void put_rel32(unsigned char *at, uint64_t target)
{
	int32_t rel = (int32_t)(target - ((uint64_t)at + 4));

	bytes_copy(at, &rel, 4);
}

static bool fill_slot(unsigned char *slot, const struct sysvm_site *s, uint64_t bias)
{
	unsigned char *code = slot + SLOT_TAIL - s->code_len;
	uint64_t after = bias + s->syscall + 2;

	if (!reaches((uint64_t)slot, after) || !reaches((uint64_t)slot + SLOT_SIZE, after))
		return false;
	bytes_copy(code, s->code, s->code_len);
	for (unsigned int f = 0; f < s->fixes; f++) {
		uint64_t end = (uint64_t)code + s->fix[f].end, target = bias + s->fix[f].target;
		int32_t rel = (int32_t)(target - end);

		if (!reaches(end, target))
			return false;
		bytes_copy(code + s->fix[f].at, &rel, 4);
	}
	bytes_copy(slot, &after, 8);
	put_rel32(slot + SLOT_SKIP, after);
	put_rel32(slot + SLOT_FORWARD, after - 2);
	return true;
}

/* low, high: the mapping that `at`, the address of s->patch, lies in. */
static bool patch_site(const struct sysvm_site *s, unsigned char *at, uint64_t low, uint64_t high)
{
	uint64_t bias = (uint64_t)at - s->patch;
	unsigned char *hop = (unsigned char *)(bias + s->hop);
	unsigned char *slot = process.slot_memory + (uint64_t)process.slots * SLOT_SIZE;
	uint64_t target = (uint64_t)slot + SLOT_TAIL - s->code_len;
	unsigned char jump[5] = { 0xe9 };
	int32_t rel;

	if (process.slots == SLOTS || !bytes_equal(at, s->expect, s->expect_len))
		return false;
	if (s->flags & SITE_HOP) {
		int64_t near = hop - (at + 2);

		if ((uint64_t)hop < low || (uint64_t)hop > high - 5 || near < -128 || near > 127 ||
		    !bytes_equal(hop, s->hop_expect, 5) || !reaches((uint64_t)hop + 5, target) ||
		    !fill_slot(slot, s, bias))
			return false;
		rel = (int32_t)(target - ((uint64_t)hop + 5));
		bytes_copy(jump + 1, &rel, 4);
		bytes_copy(hop, jump, 5);
		jump[0] = 0xeb;
		jump[1] = (unsigned char)near;
		bytes_copy(at, jump, 2);
	} else {
		if (!reaches((uint64_t)at + 5, target) || !fill_slot(slot, s, bias))
			return false;
		rel = (int32_t)(target - ((uint64_t)at + 5));
		bytes_copy(jump + 1, &rel, 4);
		bytes_copy(at, jump, 5);
	}
	process.slots++;
	return true;
}

static long protect(uint64_t low, uint64_t length, int rights)
{
	return own3(SYS_mprotect, low, length, rights);
}

int patch_mapping(uint64_t low, uint64_t high, uint64_t offset, const struct sysvm_site *sites,
		  uint32_t count, bool all)
{
	const uint64_t slots = SLOTS * SLOT_SIZE, length = high - low;
	int unseen = 0;
	long restored;

	if (protect(low, length, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
		return -1;
	if (protect((uint64_t)process.slot_memory, slots, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) {
		protect(low, length, PROT_READ | PROT_EXEC);
		return -1;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct sysvm_site *s = &sites[i];
		uint64_t from = s->offset - offset; /* wraps: then it lies before this mapping */
		bool done;

		if (!all && s->nr >= 0 && (s->nr >= PLAIN_CALLS || !shim_plain_looks[s->nr]))
			continue;
		if (from >= length && 0 - from >= s->expect_len)
			continue; /* in another mapping, or not executable here */
		done = !(s->flags & SITE_LEFT) && from < length && length - from >= s->expect_len &&
		       patch_site(s, (unsigned char *)low + from, low, high);
		if (done)
			process.patched++;
		else
			process.left++;
		if ((!done || s->flags & SITE_LEAKY) && !(s->flags & SITE_HARMLESS))
			unseen++;
	}
	/*
	 * What is restored was there before, in one piece; if the kernel refuses, nothing else can be done.
	 */
	restored = protect(low, length, PROT_READ | PROT_EXEC);
	if (protect((uint64_t)process.slot_memory, slots, PROT_READ | PROT_EXEC) != 0 || restored != 0)
		return -1;
	return unseen;
}
