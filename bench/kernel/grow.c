// SPDX-License-Identifier: GPL-2.0
/*
 * Makes the tree of tree.h, and brings its dentries and inodes into memory: as a walk finds them (fresh), or
 * in an order without locality (scattered), as they lie after some days on a machine that is used.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "grow.h"
#include "tree.h"

static int make(const char *path, bool directory)
{
	struct path parent;
	struct dentry *dentry = kern_path_create(AT_FDCWD, path, &parent, directory ? LOOKUP_DIRECTORY : 0);
	struct inode *dir;
	int ret;

	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	dir = d_inode(parent.dentry);
	if (directory)
		ret = vfs_mkdir(&init_user_ns, dir, dentry, 0755);
	else
		ret = vfs_create(&init_user_ns, dir, dentry, 0644, true);
	done_path_create(&parent, dentry);
	return ret;
}

static int look_up(const char *path)
{
	struct path found;
	int ret = kern_path(path, 0, &found);

	if (!ret)
		path_put(&found);
	return ret;
}

/* Each file, in the order of its directory or in none. */
static int each_file(const char *top, unsigned int directories, bool scattered, bool create)
{
	unsigned int *first =
		vmalloc((directories + 1) * sizeof(*first)); /* number of a directory's first file */
	char *path = kmalloc(TREE_PATH_MAX, GFP_KERNEL), *end;
	unsigned int i, at = 0, files = 0, low, high, middle;
	int ret = -ENOMEM;

	if (!first || !path)
		goto out;
	for (i = 0; i < directories; i++) {
		first[i] = files;
		files += tree_files_of(i);
	}
	first[directories] = files;
	ret = 0;
	for (i = 0; i < files && !ret; i++) {
		at = scattered ? tree_scattered(at, files) : i;
		for (low = 0, high = directories; high - low > 1;) {
			middle = (low + high) / 2;
			if (first[middle] <= at)
				low = middle;
			else
				high = middle;
		}
		end = tree_directory_path(path, top, low);
		*end++ = '/';
		tree_file_name(end, low, at - first[low]);
		ret = create ? make(path, false) : look_up(path);
		if (ret)
			pr_err("walk: %s: %d\n", path, ret);
		cond_resched();
	}
out:
	kfree(path);
	vfree(first);
	return ret;
}

int grow(const char *top, unsigned int directories, bool scattered)
{
	char *path = kmalloc(TREE_PATH_MAX, GFP_KERNEL);
	unsigned int i;
	int ret = 0;

	if (!path)
		return -ENOMEM;
	for (i = 0; i < directories && !ret; i++) {
		tree_directory_path(path, top, i);
		ret = make(path, true);
		if (ret)
			pr_err("walk: %s: %d\n", path, ret);
		cond_resched();
	}
	kfree(path);
	return ret ?: each_file(top, directories, scattered, true);
}

int scatter(const char *top, unsigned int directories)
{
	return each_file(top, directories, true, false);
}
