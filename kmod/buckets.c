// SPDX-License-Identifier: GPL-2.0
/*
 * To prefetch a dentry before it is looked up, we must know its bucket, and the kernel does not export its
 * table of buckets (dentry_hashtable of fs/dcache.c). But a dentry that is the first of its bucket points
 * back to it (d_hash.pprev), and the bucket's place in the table is the dentry's hash >> shift. So each such
 * dentry shows, for each shift, where the table would begin. For the right shift they all agree; for a wrong
 * one hardly any two do. A place is accepted when AGREE more dentries speak for it than against it, when it
 * is the beginning of a page, and when both ends of the table can be read.
 *
 * It may still be wrong, and nothing depends on it: a bucket is read with get_kernel_nofault(), which fails
 * where nothing is mapped, and what was read is only prefetched, which does nothing at a bad address. A wrong
 * table costs time.
 *
 * Not done: fetching each name a few ahead of the one in work, instead of sixteen at a time.
 * Tested by selftest.c; `make bench-kernel` shows what it gains.
 */
#include <linux/dcache.h>
#include <linux/kernel.h>
#include <linux/list_bl.h>
#include <linux/prefetch.h>
#include <linux/uaccess.h>

#include "buckets.h"

#define AGREE 64
#define LINE 64

typedef struct hlist_bl_head bucket;

static const bucket *bucket_of(unsigned long base, unsigned int shift, u32 hash)
{
	return (const bucket *)base + (hash >> shift);
}

static bool is_there(unsigned long base, unsigned int shift)
{
	unsigned long value;

	return !(base & ~PAGE_MASK) &&
	       !get_kernel_nofault(value, (const unsigned long *)bucket_of(base, shift, 0)) &&
	       !get_kernel_nofault(value, (const unsigned long *)bucket_of(base, shift, U32_MAX));
}

void sysvm_buckets_learn(struct sysvm_buckets *buckets, const struct dentry *dentry)
{
	const unsigned long first = (unsigned long)READ_ONCE(dentry->d_hash.pprev);
	const u32 hash = dentry->d_name.hash;
	unsigned int shift;

	for (shift = 0; shift < SYSVM_BUCKETS_SHIFTS; shift++) {
		struct sysvm_buckets_guess *guess = &buckets->guess[shift];
		const unsigned long base = first - (hash >> shift) * sizeof(bucket);

		if (guess->base != base) {
			if (--guess->sure <= 0) {
				guess->base = base;
				guess->sure = 1;
			}
			continue;
		}
		if (++guess->sure < AGREE)
			continue;
		guess->sure = 0;
		if (!is_there(base, shift))
			continue;
		buckets->shift = shift;
		smp_store_release(&buckets->base, base); /* after its shift */
		return;
	}
}

void sysvm_buckets_fetch(const struct sysvm_buckets *buckets, u32 hash)
{
	const unsigned long base = smp_load_acquire(&buckets->base);

	if (base)
		prefetch(bucket_of(base, buckets->shift, hash));
}

void sysvm_buckets_fetch_first(const struct sysvm_buckets *buckets, u32 hash)
{
	const unsigned long base = smp_load_acquire(&buckets->base);
	unsigned long first;
	const char *dentry;

	if (!base || get_kernel_nofault(first, (const unsigned long *)bucket_of(base, buckets->shift, hash)))
		return;
	first &= ~(unsigned long)LIST_BL_LOCKMASK;
	if (!first)
		return;
	dentry = (const char *)(first - offsetof(struct dentry, d_hash));
	prefetch(dentry);
	prefetch(dentry + LINE);
}
