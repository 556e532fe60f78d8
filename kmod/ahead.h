/* SPDX-License-Identifier: GPL-2.0 */
/* The next names of a directory, whose memory is fetched while the present one is worked on. */
#ifndef SYSVM_AHEAD_H
#define SYSVM_AHEAD_H

#include <linux/types.h>

struct dentry;
struct sysvm_entry;

#define SYSVM_AHEAD_MOST 16

/* One thread's, empty but within an instruction. */
struct sysvm_ahead {
	unsigned char next, count;
	u64 until; /* address of the first dirent that was not looked up yet */
	struct sysvm_ahead_name {
		struct dentry *dentry; /* held */
		u64 entry;	       /* address of its dirent */
	} name[SYSVM_AHEAD_MOST];
};

/*
 * Looks up the names from that of the present dirent on, if none is held. Decides nothing. text: room for one
 * name (SYSVM_NAME_MOST).
 */
void sysvm_ahead_fill(struct sysvm_ahead *ahead, struct dentry *parent, const struct sysvm_entry *present,
		      char *text);
/*
 * The dentry that d_lookup() of this name would find now, with a reference; or NULL, and it is to be asked.
 * Of those that are held for other dirents before it nothing is left.
 */
struct dentry *sysvm_ahead_take(struct sysvm_ahead *ahead, struct dentry *parent, u64 entry, const char *name,
				unsigned int length);
void sysvm_ahead_drop(struct sysvm_ahead *ahead);

#endif
