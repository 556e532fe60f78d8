// SPDX-License-Identifier: GPL-2.0
/*
 * The module's own way to make newfstatat() for one name of a directory after the other: it does what the
 * call does for a plain name, but only once what is the same for all names.
 *
 * For each name: the right to search the directory (inode_permission, which asks the file system and the
 * security modules), the dentry (d_lookup, which takes the locks that it takes in a path walk), and the
 * attributes (vfs_getattr, which asks the security modules, the file system, and maps ids). So each name is
 * decided at its turn, by what would decide a path walk, and a race with a rename, an unlink or a change of
 * mode ends as it may end for separate calls. Only the directory is not looked up again for each name: in a
 * process that shares its table of descriptors with nobody, a descriptor stays what it is as long as this
 * task does not change it.
 *
 * The plain path: anything else is left to the call's own code, before which we do nothing that it does not
 * do itself. That is
 *   - a process that shares its descriptors; AT_FDCWD; a descriptor that is not open, or not a directory;
 *   - flags other than AT_SYMLINK_NOFOLLOW and AT_NO_AUTOMOUNT;
 *   - a task that a filter, a tracer or an auditor watches, or that has something else to do (boundary.c);
 *   - names that are not one component: empty, "." and "..", with a slash, too long, not readable;
 *   - directories that hash or compare names in their own way (casefold), and dentries that must be
 *     revalidated (network file systems, FUSE, some of overlayfs);
 *   - names that are not in the dentry cache, or are there as negative dentries;
 *   - mount points, automounts, links to be followed, block devices;
 *   - ESTALE, after which the call tries again.
 *
 * struct stat is filled in as cp_new_stat() does it on x86-64, where nothing of it can overflow.
 *
 * While one name is handled, ahead.c fetches the memory of the next ones.
 *
 * Tested by tests/qemu/test_entries.c, row by row, and by tests/fuzz/engines/ against separate calls.
 */
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/fcntl.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/stat.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/version.h>

#include "context.h"
#include "kernel_env.h"
#include "names.h"
#include "trace.h"
#include "uapi/syscalls.h"
#include "user_words.h"

/* Off until it has been tested as the rest of the module has: docs/module.md. */
static bool wide;
module_param(wide, bool, 0644);
MODULE_PARM_DESC(wide,
		 "a short way for calls about the names of a directory; else each by its own code (off)");

static int may_search(const struct path *directory)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	return inode_permission(mnt_user_ns(directory->mnt), d_inode(directory->dentry), MAY_EXEC);
#else
	return inode_permission(mnt_idmap(directory->mnt), d_inode(directory->dentry), MAY_EXEC);
#endif
}

void sysvm_directory_drop(struct sysvm_directory *directory)
{
	sysvm_ahead_drop(&directory->ahead);
	fput(directory->file);
	directory->file = NULL;
}

/* The directory of that descriptor, held; NULL: take the plain path. */
static const struct path *enter(struct sysvm_directory *directory, int fd)
{
	const unsigned int own_way = DCACHE_OP_HASH | DCACHE_OP_COMPARE;
	struct dentry *dentry;

	/*
	 * In a shared table it could be another directory for each name. Only this task could begin to share
	 * this table.
	 */
	if (atomic_read(&current->files->count) != 1)
		return NULL;
	if (directory->file && directory->fd != fd)
		sysvm_directory_drop(directory);
	if (!directory->file) {
		directory->file = fget_raw(fd);
		directory->fd = fd;
		if (!directory->file)
			return NULL;
	}
	dentry = directory->file->f_path.dentry;
	if (!d_can_lookup(dentry) || READ_ONCE(dentry->d_flags) & own_way)
		return NULL;
	return &directory->file->f_path;
}

/* Bytes of the name, copied; 0: it is not a plain one. */
static unsigned int copy_name(struct sysvm_directory *directory, u64 address)
{
	char *name = directory->name;
	unsigned int n = sysvm_copy_component(name, u64_to_user_ptr(address));

	if (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')))
		return 0;
	return n;
}

static bool is_simple(struct dentry *dentry, bool follow)
{
	unsigned int flags = READ_ONCE(dentry->d_flags);

	if (flags & (DCACHE_OP_REVALIDATE | DCACHE_MANAGED_DENTRY) || d_is_negative(dentry))
		return false;
	if (follow && d_is_symlink(dentry))
		return false;
	return !S_ISBLK(d_inode(dentry)->i_mode); /* The block device knows more than its inode. */
}

static struct dentry *look_up(const struct path *directory, const char *text, unsigned int length)
{
	struct qstr name = QSTR_INIT(text, length);

	name.hash = full_name_hash(directory->dentry, text, length);
	return d_lookup(directory->dentry, &name);
}

/* Member by member, as filldir64() does it: no copy on the stack, whose place would have to be checked. */
static int put_stat(const struct kstat *from, u64 address)
{
	struct stat __user *to = u64_to_user_ptr(address);
	const u32 uid = from_kuid_munged(current_user_ns(), from->uid);
	const u32 gid = from_kgid_munged(current_user_ns(), from->gid);

	if (!user_write_access_begin(to, sizeof(*to)))
		return -EFAULT;
	unsafe_put_user(new_encode_dev(from->dev), &to->st_dev, fault);
	unsafe_put_user(from->ino, &to->st_ino, fault);
	unsafe_put_user(from->nlink, &to->st_nlink, fault);
	unsafe_put_user(from->mode, &to->st_mode, fault);
	unsafe_put_user(uid, &to->st_uid, fault);
	unsafe_put_user(gid, &to->st_gid, fault);
	unsafe_put_user(0, &to->__pad0, fault);
	unsafe_put_user(new_encode_dev(from->rdev), &to->st_rdev, fault);
	unsafe_put_user(from->size, &to->st_size, fault);
	unsafe_put_user(from->blksize, &to->st_blksize, fault);
	unsafe_put_user(from->blocks, &to->st_blocks, fault);
	unsafe_put_user(from->atime.tv_sec, &to->st_atime, fault);
	unsafe_put_user(from->atime.tv_nsec, &to->st_atime_nsec, fault);
	unsafe_put_user(from->mtime.tv_sec, &to->st_mtime, fault);
	unsafe_put_user(from->mtime.tv_nsec, &to->st_mtime_nsec, fault);
	unsafe_put_user(from->ctime.tv_sec, &to->st_ctime, fault);
	unsafe_put_user(from->ctime.tv_nsec, &to->st_ctime_nsec, fault);
	unsafe_put_user(0, &to->__unused[0], fault);
	unsafe_put_user(0, &to->__unused[1], fault);
	unsafe_put_user(0, &to->__unused[2], fault);
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

/* noinline: its frame must not lie below a call that takes the plain path. */
static noinline bool stat_name(struct sysvm_env *env, struct sysvm_entry *entry, long *result)
{
	struct sysvm_directory *directory = &env->directory;
	const struct pt_regs *regs = env->regs;
	const unsigned int flags = regs->r10;
	struct path path;
	const struct path *parent;
	struct kstat stat;
	unsigned int length;
	int error;

	sysvm_forget_branches();
	parent = enter(directory, regs->di);
	if (!parent)
		return false;
	sysvm_ahead_fill(&directory->ahead, parent->dentry, entry, directory->name);
	length = copy_name(directory, regs->si);
	if (!length)
		return false;
	error = may_search(parent);
	if (!error) {
		path.mnt = parent->mnt;
		path.dentry = sysvm_ahead_take(&directory->ahead, parent->dentry, entry->entry,
					       directory->name, length);
		if (!path.dentry)
			path.dentry = look_up(parent, directory->name, length);
		if (!path.dentry)
			return false;
		if (!is_simple(path.dentry, !(flags & AT_SYMLINK_NOFOLLOW))) {
			dput(path.dentry);
			return false;
		}
		error = vfs_getattr(&path, &stat, STATX_BASIC_STATS, flags | AT_NO_AUTOMOUNT);
		dput(path.dentry);
	}
	if (error == -ESTALE)
		return false;
	if (!error) {
		error = put_stat(&stat, regs->dx);
		entry->device = new_encode_dev(stat.dev);
		entry->mode = stat.mode;
	}
	*result = error;
	container_of(env, struct sysvm_thread_page, env)->counters.names++;
	trace_sysvm_name(regs->di, directory->name, error);
	return true;
}

bool sysvm_name_stat(struct sysvm_env *env, struct sysvm_entry *entry, long *result)
{
	const unsigned int flags = env->regs->r10;

	if (entry->call->index != SYSVM_CALL_newfstatat)
		return false;
	if (!READ_ONCE(wide) || flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) || sysvm_env_look(env)) {
		/* What judges the call may end the task in it, so nothing is held here. */
		sysvm_directory_leave(&env->directory);
		return false;
	}
	return stat_name(env, entry, result);
}
