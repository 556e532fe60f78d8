// SPDX-License-Identifier: GPL-2.0
/*
 * A context: what one open of /dev/sysvm owns. It belongs to the address space that opened it, so a descriptor that
 * was inherited by fork, kept over exec or passed to another process is of no use there.
 *
 * Tested by tests/qemu/ (test_module.c: a child has no page, exec closes).
 */
#include <linux/compat.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "context.h"

int sysvm_open(struct inode *inode, struct file *file)
{
	struct sysvm_context *context;

	if (in_compat_syscall())
		return -ENODEV;
	context = kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT);
	if (!context)
		return -ENOMEM;
	mutex_init(&context->procs_lock);
	xa_init_flags(&context->procs, XA_FLAGS_ALLOC | XA_FLAGS_ACCOUNT);
	spin_lock_init(&context->pages_lock);
	hash_init(context->pages);
	/* The struct is held, not what it maps: exec and exit free memory as ever, and no other mm gets its address. */
	mmgrab(current->mm);
	context->mm = current->mm;
	file->private_data = context;
	return nonseekable_open(inode, file);
}

int sysvm_release(struct inode *inode, struct file *file)
{
	struct sysvm_context *context = file->private_data;

	/* Mappings and runs hold the file, so there is neither now. */
	WARN_ON_ONCE(context->npages);
	sysvm_procedures_drop(context);
	mmdrop(context->mm);
	kfree(context);
	return 0;
}
