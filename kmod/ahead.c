// SPDX-License-Identifier: GPL-2.0
/*
 * Half the time of a stat of a hot file goes into waiting for memory: its dentry and its inode may lie
 * anywhere. We know which names come next, so we can fetch their memory early. Names are taken sixteen at a
 * time, in steps: the buckets of the dentry table are prefetched (buckets.c), then the first dentry of each;
 * each name is looked up with d_lookup(), and the three cache lines of its inode that a stat reads are
 * prefetched. Then the names are handled one by one.
 *
 * Nothing is decided early. When a name's turn comes it is read and copied again, the right to search the
 * directory is checked, and so is the dentry that was found: under its lock, by what d_lookup() checks, that
 * it is still hashed, below this directory, under this name. There is at most one such dentry, so it is the
 * one that a lookup would find now. If any check fails, the lookup is made. What the dentry is (a file, a
 * mount point ...) is checked after that, by names.c.
 *
 * The program's memory is read early only where it is mapped: no page fault is taken before a name's turn.
 *
 * Tested by tests/qemu/test_entries_race.c.
 */
#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/prefetch.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "ahead.h"
#include "buckets.h"
#include "context.h"
#include "kernel_env.h"
#include "names.h"
#include "user_words.h"

static unsigned char names_ahead = SYSVM_AHEAD_MOST;
module_param_named(ahead, names_ahead, byte, 0644);
MODULE_PARM_DESC(ahead, "names of a directory that are looked up ahead at most, 16 or less; 0: none (16)");

/* As vm/entries.c has them. */
#define DIRENT_LENGTH 16
#define DIRENT_NAME 19
#define DIRENT_SHORTEST 24

static struct sysvm_buckets buckets;
static DEFINE_SPINLOCK(learning);
static unsigned int lessons = 65536; /* dentries: if these do not show the table, more will not */

static void learn(const struct dentry *dentry)
{
	if (READ_ONCE(buckets.base) || !READ_ONCE(lessons) || !spin_trylock(&learning))
		return;
	if (!buckets.base && lessons) {
		WRITE_ONCE(lessons, lessons - 1);
		sysvm_buckets_learn(&buckets, dentry);
	}
	spin_unlock(&learning);
}

void sysvm_ahead_drop(struct sysvm_ahead *ahead)
{
	while (ahead->next < ahead->count)
		dput(ahead->name[ahead->next++].dentry);
	ahead->next = 0;
	ahead->count = 0;
	ahead->until = 0;
}

/* Only an address is taken from the inode, and it stays where it is while the dentry is held. */
static void prefetch_inode(const struct dentry *dentry)
{
	const struct inode *inode = READ_ONCE(dentry->d_inode);

	if (!inode)
		return;
	prefetch(&inode->i_mode);
	prefetch(&inode->i_ino);
	prefetch(&inode->i_blocks);
}

/*
 * If somebody could notice that we hold a dentry (an unlink on NFS then renames the file), we drop it right
 * away.
 */
static struct dentry *look_up(struct dentry *parent, const char *text, unsigned int length)
{
	struct qstr name = QSTR_INIT(text, length);
	struct dentry *dentry;

	name.hash = full_name_hash(parent, text, length);
	dentry = d_lookup(parent, &name);
	if (dentry && READ_ONCE(dentry->d_flags) & (DCACHE_OP_REVALIDATE | DCACHE_MANAGED_DENTRY)) {
		dput(dentry);
		return NULL;
	}
	return dentry;
}

/* The dirent at `entry`, with page faults off: its length, or 0, and its name, `length` bytes in `text`. */
static unsigned int read_dirent(u64 entry, const struct sysvm_entry *present, char *text,
				unsigned int *length, bool *is_last)
{
	u64 left = present->end - entry, tail; /* d_reclen, d_type, five bytes of the name */
	unsigned int size;

	if (left < DIRENT_SHORTEST || get_user(tail, (u64 __user *)u64_to_user_ptr(entry + DIRENT_LENGTH)))
		return 0;
	size = (u16)tail;
	if (size < DIRENT_SHORTEST || size > left)
		return 0;
	*length = sysvm_copy_component(text, u64_to_user_ptr(entry + DIRENT_NAME));
	/* Where the instruction is going to end, the program has other plans. */
	*is_last = present->kinds >> (tail >> 16 & 15) & 1;
	return *length ? size : 0;
}

/* What the lookups of these names are going to read. Nothing of it is used. */
static void fetch_dentries(struct dentry *parent, const struct sysvm_entry *present, unsigned int most,
			   char *text)
{
	u32 hash[SYSVM_AHEAD_MOST];
	unsigned int size, length, n, i;
	u64 entry = present->entry;
	bool is_last = false;

	for (n = 0; n < most && !is_last; n++) {
		size = read_dirent(entry, present, text, &length, &is_last);
		if (!size)
			break;
		hash[n] = full_name_hash(parent, text, length);
		sysvm_buckets_fetch(&buckets, hash[n]);
		entry += size;
	}
	for (i = 0; i < n; i++)
		sysvm_buckets_fetch_first(&buckets, hash[i]);
}

static void hold(struct sysvm_ahead *ahead, struct dentry *parent, u64 entry, const char *text,
		 unsigned int length)
{
	struct sysvm_ahead_name *name = &ahead->name[ahead->count];

	name->dentry = look_up(parent, text, length);
	if (!name->dentry)
		return;
	learn(name->dentry);
	prefetch_inode(name->dentry);
	name->entry = entry;
	ahead->count++;
}

void sysvm_ahead_fill(struct sysvm_ahead *ahead, struct dentry *parent, const struct sysvm_entry *present,
		      char *text)
{
	unsigned int most = min_t(u64, min_t(u64, READ_ONCE(names_ahead), SYSVM_AHEAD_MOST), present->most);
	unsigned int size, length, i;
	u64 entry = present->entry;
	bool is_last = false;

	/*
	 * Each name once, known or not. A last name alone is not worth it: nothing could be done while it is
	 * fetched.
	 */
	if (entry < ahead->until || present->end - present->next < DIRENT_SHORTEST)
		return;
	sysvm_ahead_drop(ahead);
	pagefault_disable();
	if (READ_ONCE(buckets.base))
		fetch_dentries(parent, present, most, text);
	for (i = 0; i < most && !is_last; i++) {
		size = read_dirent(entry, present, text, &length, &is_last);
		if (!size)
			break;
		hold(ahead, parent, entry, text, length);
		entry += size;
	}
	pagefault_enable();
	ahead->until = max(entry, present->next);
}

/* memcmp() goes byte by byte. */
static bool same_bytes(const unsigned char *a, const unsigned char *b, unsigned int n)
{
	typedef u64 word __aligned(1);

	for (; n >= sizeof(word); n -= sizeof(word), a += sizeof(word), b += sizeof(word))
		if (*(const word *)a != *(const word *)b)
			return false;
	while (n--)
		if (*a++ != *b++)
			return false;
	return true;
}

/* What d_lookup() checks of a dentry in its bucket. */
static bool is_still(struct dentry *dentry, const struct dentry *parent, const char *name,
		     unsigned int length)
{
	bool still;

	spin_lock(&dentry->d_lock);
	still = dentry->d_parent == parent && !d_unhashed(dentry) && dentry->d_name.len == length &&
		same_bytes(dentry->d_name.name, (const unsigned char *)name, length);
	spin_unlock(&dentry->d_lock);
	return still;
}

struct dentry *sysvm_ahead_take(struct sysvm_ahead *ahead, struct dentry *parent, u64 entry, const char *name,
				unsigned int length)
{
	while (ahead->next < ahead->count) {
		struct sysvm_ahead_name *first = &ahead->name[ahead->next];

		if (first->entry > entry)
			return NULL; /* the present one was not known */
		ahead->next++;
		if (first->entry == entry && is_still(first->dentry, parent, name, length))
			return first->dentry;
		dput(first->dentry);
	}
	return NULL;
}
