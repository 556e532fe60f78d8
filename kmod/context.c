// SPDX-License-Identifier: GPL-2.0
/*
 * A context: what one open of /dev/sysvm owns. It belongs to the address space that opened it, so a
 * descriptor that was inherited by fork, kept over exec or passed to another process is of no use there.
 *
 * Tested by tests/qemu/ (test_calls.c, test_life.c, test_account.c).
 */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "context.h"

LIST_HEAD(sysvm_contexts);
DEFINE_MUTEX(sysvm_contexts_lock); /* sysvm_contexts: needed only to go through all of them */

int sysvm_open(struct inode *inode, struct file *file)
{
	struct sysvm_context *context;
	int ret = -ENOMEM;

	/* A kernel thread has no address space that the context could belong to. */
	if (current->flags & PF_KTHREAD || !current->mm)
		return -EPERM;
	if (in_compat_syscall())
		return -ENODEV;
	context = kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT);
	if (!context)
		return -ENOMEM;
	/* The parameter may change while contexts are open; each keeps what it began with. */
	context->max_procs = clamp_t(u32, READ_ONCE(sysvm_max_procs), 1, SYSVM_MOST_PROCS);
	context->procs = kvcalloc(context->max_procs, sizeof(*context->procs), GFP_KERNEL_ACCOUNT);
	if (!context->procs)
		goto err_context;
	context->account = sysvm_account_open();
	if (IS_ERR(context->account)) {
		ret = PTR_ERR(context->account);
		goto err_procs;
	}
	context->unlimited = capable(CAP_IPC_LOCK);
	mutex_init(&context->procs_lock);
	spin_lock_init(&context->pages_lock);
	hash_init(context->pages);
	/*
	 * The struct, not what it maps: exec and exit free memory as usual, and no other mm gets its address.
	 */
	mmgrab(current->mm);
	context->mm = current->mm;
	ret = sysvm_charge(context, &context->charge,
			   sysvm_real_size(context, sizeof(*context)) +
			   sysvm_real_size(context->procs,
					   context->max_procs * sizeof(*context->procs)));
	if (ret)
		goto err_mm;
	context->opener = task_tgid_nr(current);
	get_task_comm(context->comm, current);
	mutex_lock(&sysvm_contexts_lock);
	list_add_tail(&context->node, &sysvm_contexts);
	mutex_unlock(&sysvm_contexts_lock);
	file->private_data = context;
	return nonseekable_open(inode, file);

err_mm:
	mmdrop(context->mm);
	sysvm_account_close(context->account);
err_procs:
	kvfree(context->procs);
err_context:
	kfree(context);
	return ret;
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
	sysvm_charge_leaves(context, &context->charge);
	sysvm_uncharge(&context->charge);
	sysvm_account_close(context->account);
	mmdrop(context->mm);
	kvfree(context->procs);
	kfree(context);
	return 0;
}
