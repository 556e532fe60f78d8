/* SPDX-License-Identifier: GPL-2.0 */
/* Where the kernel's table of dentries lies: for fetching from it, never for deciding anything. */
#ifndef SYSVM_BUCKETS_H
#define SYSVM_BUCKETS_H

#include <linux/types.h>

struct dentry;

#define SYSVM_BUCKETS_SHIFTS 32 /* a hash has 32 bits */

/* base: 0 until it is known. guess[shift]: where the table is if its buckets are hash >> shift. */
struct sysvm_buckets {
	unsigned long base;
	unsigned int shift;
	struct sysvm_buckets_guess {
		unsigned long base;
		int sure;
	} guess[SYSVM_BUCKETS_SHIFTS];
};

/* A dentry that d_lookup() has found. Its caller holds it, and is alone with `buckets`. */
void sysvm_buckets_learn(struct sysvm_buckets *buckets, const struct dentry *dentry);

/* The bucket that this hash leads to is fetched; and, after that, the first dentry in it. */
void sysvm_buckets_fetch(const struct sysvm_buckets *buckets, u32 hash);
void sysvm_buckets_fetch_first(const struct sysvm_buckets *buckets, u32 hash);

#endif
