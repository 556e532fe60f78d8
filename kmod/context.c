// SPDX-License-Identifier: GPL-2.0
/*
 * A context: what one open of /dev/sysvm owns. It belongs to the address space that opened it, so a descriptor that
 * was inherited by fork, kept over exec or passed to another process is of no use there.
 *
 * Tested by tests/qemu/ (test_module.c: a child has no page, exec closes).
 */
#include <linux/compat.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "context.h"

LIST_HEAD(sysvm_contexts);
DEFINE_MUTEX(sysvm_contexts_lock); /* sysvm_contexts: only for who looks at all of them */

int sysvm_open(struct inode *inode, struct file *file)
{
	struct sysvm_context *context;

	if (in_compat_syscall())
		return -ENODEV;
	context = kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT);
	if (!context)
		return -ENOMEM;
	/* The parameter may change while contexts are open; each keeps what it began with. */
	context->max_procs = clamp_t(u32, READ_ONCE(sysvm_max_procs), 1, SYSVM_MOST_PROCS);
	context->procs = kvcalloc(context->max_procs, sizeof(*context->procs), GFP_KERNEL_ACCOUNT);
	if (!context->procs) {
		kfree(context);
		return -ENOMEM;
	}
	mutex_init(&context->procs_lock);
	spin_lock_init(&context->pages_lock);
	hash_init(context->pages);
	/* The struct is held, not what it maps: exec and exit free memory as ever, and no other mm gets its address. */
	mmgrab(current->mm);
	context->mm = current->mm;
	context->opener = task_tgid_nr(current);
	get_task_comm(context->comm, current);
	mutex_lock(&sysvm_contexts_lock);
	list_add_tail(&context->node, &sysvm_contexts);
	mutex_unlock(&sysvm_contexts_lock);
	file->private_data = context;
	return nonseekable_open(inode, file);
}

int sysvm_release(struct inode *inode, struct file *file)
{
	struct sysvm_context *context = file->private_data;

	mutex_lock(&sysvm_contexts_lock);
	list_del(&context->node);
	mutex_unlock(&sysvm_contexts_lock);
	/* Mappings and runs hold the file, so there is neither now. */
	WARN_ON_ONCE(context->npages);
	sysvm_procedures_drop(context);
	mmdrop(context->mm);
	kvfree(context->procs);
	kfree(context);
	return 0;
}
