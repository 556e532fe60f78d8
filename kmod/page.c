// SPDX-License-Identifier: GPL-2.0
/*
 * The page that a thread shares with the machine. mmap makes it, for the calling thread; it is found again by
 * that thread's struct pid, which is held, so a later thread with the same number does not inherit it.
 *
 * The mapping is shared, one page, never executable, not inherited by fork whatever madvise() is asked to do,
 * not dumped. The page is freed by its reference count, as any that is mapped.
 *
 * Tested by tests/qemu/ (test_calls.c, test_life.c, test_rules.c).
 */
#include <linux/compat.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "context.h"
#include "dispatch.h"
#include "hold.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static void vm_flags_mod(struct vm_area_struct *vma, unsigned long set, unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

static uint max_pages = 1024;
module_param(max_pages, uint, 0644);
MODULE_PARM_DESC(max_pages, "pages, one for each thread, of one context (1024)");

static void page_free(struct rcu_head *rcu)
{
	struct sysvm_thread_page *tpage = container_of(rcu, struct sysvm_thread_page, rcu);

	put_pid(tpage->owner);
	put_page(tpage->page);
	sysvm_uncharge(&tpage->charge);
	kfree(tpage);
}

/* Nobody can find it any more, and no run uses it. The context still exists. */
void sysvm_page_drop(struct sysvm_context *context, struct sysvm_thread_page *tpage)
{
	unsigned int i;

	spin_lock(&context->pages_lock);
	context->past.calls += tpage->counters.calls;
	context->past.names += tpage->counters.names;
	for (i = 0; i < SYSVM_STATUSES; i++)
		context->past.stops[i] += tpage->counters.stops[i];
	spin_unlock(&context->pages_lock);
	sysvm_charge_leaves(context, &tpage->charge);
	call_rcu(&tpage->rcu, page_free);
}

/* The rare part of sysvm_page_let_go() (hold.h). */
void sysvm_page_not_at_exit(struct sysvm_thread_page *tpage)
{
	/* If the kernel is running it right now, it sees a task that is not ending. */
	sysvm_cancel_task_work(tpage->at_exit.func);
	tpage->waits_for_exit = false;
}

/*
 * Task work runs when the task ends, and also whenever somebody runs what has gathered, as the machine does
 * after a close. Then there is nothing to do but to queue it again before it matters next time.
 */
static void run_at_exit(struct callback_head *work)
{
	struct sysvm_thread_page *tpage = container_of(work, struct sysvm_thread_page, at_exit);

	struct file *file = tpage->file;
	bool entry_holds_file = tpage->entry_holds_file;

	tpage->waits_for_exit = false;
	if (!(current->flags & PF_EXITING))
		return;
	/* A filter that came between two checks for one name has killed it. */
	sysvm_directory_leave(&tpage->env.directory);
	sysvm_page_let_go(tpage);
	if (entry_holds_file)
		fput(file);
}

bool sysvm_page_release_at_exit(struct sysvm_thread_page *tpage)
{
	if (tpage->waits_for_exit)
		return true;
	/* As fdget() decides it. Nobody but this task could make a table shared that was not. */
	tpage->entry_holds_file = atomic_read(&current->files->count) > 1;
	init_task_work(&tpage->at_exit, run_at_exit);
	/* TWA_NONE: does not make the task look as if it had work to do on its way out. */
	tpage->waits_for_exit = !task_work_add(current, &tpage->at_exit, TWA_NONE);
	return tpage->waits_for_exit;
}

/* A mapping is being moved: the new one is made before the old one goes. */
static void vma_open(struct vm_area_struct *vma)
{
	struct sysvm_context *context = vma->vm_file->private_data;
	struct sysvm_thread_page *tpage = vma->vm_private_data;

	spin_lock(&context->pages_lock);
	tpage->mappings++;
	spin_unlock(&context->pages_lock);
}

static void vma_close(struct vm_area_struct *vma)
{
	struct sysvm_context *context = vma->vm_file->private_data;
	struct sysvm_thread_page *tpage = vma->vm_private_data;
	bool last;

	spin_lock(&context->pages_lock);
	last = !--tpage->mappings;
	if (last) {
		hash_del_rcu(&tpage->node);
		context->npages--;
	}
	spin_unlock(&context->pages_lock);
	if (last && !(atomic_fetch_or(SYSVM_PAGE_GONE, &tpage->state) & SYSVM_PAGE_BUSY))
		sysvm_page_drop(context, tpage);
}

static const struct vm_operations_struct vm_ops = {
	.open = vma_open,
	.close = vma_close,
};

static struct sysvm_thread_page *page_new(void)
{
	struct sysvm_thread_page *tpage = kzalloc(sizeof(*tpage), GFP_KERNEL_ACCOUNT);

	if (!tpage)
		return NULL;
	tpage->page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!tpage->page) {
		kfree(tpage);
		return NULL;
	}
	tpage->mappings = 1;
	tpage->owner = get_pid(task_pid(current));
	tpage->mem = page_address(tpage->page);
	tpage->mem->abi = SYSVM_ABI_VERSION;
	return tpage;
}

int sysvm_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct sysvm_context *context = file->private_data;
	struct sysvm_thread_page *tpage;
	int ret;

	if (in_compat_syscall())
		return -ENODEV; /* As open(): this machine is not for 32-bit callers. */
	if (vma->vm_mm != context->mm || current->mm != context->mm)
		return -EPERM;
	if (vma->vm_end - vma->vm_start != PAGE_SIZE || vma->vm_pgoff)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	/* VM_IO: else MADV_DOFORK would undo VM_DONTCOPY, and a child write its parent's registers. */
	vm_flags_mod(vma, VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);

	tpage = page_new();
	if (!tpage)
		return -ENOMEM;
	ret = sysvm_charge(context, &tpage->charge, sysvm_real_size(tpage, sizeof(*tpage)) + PAGE_SIZE);
	if (ret)
		goto err_free;
	ret = vm_insert_page(vma, vma->vm_start, tpage->page);
	if (ret)
		goto err_charge;

	spin_lock(&context->pages_lock);
	if (sysvm_page_find(context, tpage->owner)) {
		ret = -EBUSY; /* One for each thread. */
	} else if (context->npages >= READ_ONCE(max_pages)) {
		ret = -ENOSPC;
	} else {
		hlist_add_head_rcu(&tpage->node, sysvm_page_bucket(context, tpage->owner));
		context->npages++;
	}
	spin_unlock(&context->pages_lock);
	if (ret)
		goto err_charge; /* The failing mmap unmaps what was inserted. */

	vma->vm_private_data = tpage;
	vma->vm_ops = &vm_ops;
	return 0;

err_charge:
	sysvm_charge_leaves(context, &tpage->charge);
err_free:
	call_rcu(&tpage->rcu, page_free);
	return ret;
}
