/* SPDX-License-Identifier: GPL-2.0 */
/* The next names of a directory, whose memory is fetched while the current one is handled. */
#ifndef SYSVM_AHEAD_H
#define SYSVM_AHEAD_H

#include <linux/types.h>

struct dentry;
struct sysvm_entry;

#define SYSVM_AHEAD_MOST 16

/* One thread's; empty except during an instruction. */
struct sysvm_ahead {
	unsigned char next, count;
	u64 until; /* address of the first dirent that was not looked up yet */
	struct sysvm_ahead_name {
		struct dentry *dentry; /* held */
		u64 entry;	       /* address of its dirent */
	} name[SYSVM_AHEAD_MOST];
};

/*
 * Looks up names, beginning with that of the current dirent, if none is held. Decides nothing. text: room for
 * one name (SYSVM_NAME_MOST).
 */
void sysvm_ahead_fill(struct sysvm_ahead *ahead, struct dentry *parent, const struct sysvm_entry *present,
		      char *text);
/*
 * The dentry that d_lookup() of this name would find now, with a reference; or NULL: ask d_lookup(). Drops
 * what is held for dirents before this one.
 */
struct dentry *sysvm_ahead_take(struct sysvm_ahead *ahead, struct dentry *parent, u64 entry, const char *name,
				unsigned int length);
void sysvm_ahead_drop(struct sysvm_ahead *ahead);

#endif
