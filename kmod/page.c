// SPDX-License-Identifier: GPL-2.0
/*
 * The page that a thread shares with the machine. mmap makes it, for the calling thread; it is found again by that
 * thread's struct pid, which is held, so a later thread with the same number does not inherit it.
 *
 * The mapping is shared, one page, never executable, not inherited by fork, not dumped. The page is freed by its
 * reference count: user space may have it pinned when we are long gone.
 *
 * Tested by tests/qemu/ (test_module.c).
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "context.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static void vm_flags_mod(struct vm_area_struct *vma, unsigned long set, unsigned long clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

/* A thread's bucket: struct pid is allocated, so its address spreads well enough. */
static unsigned long key_of(const struct pid *owner)
{
	return (unsigned long)owner >> 4;
}

static void page_free(struct kref *refs)
{
	struct sysvm_thread_page *tpage = container_of(refs, struct sysvm_thread_page, refs);

	put_pid(tpage->owner);
	put_page(tpage->page);
	kfree(tpage);
}

void sysvm_page_put(struct sysvm_thread_page *tpage)
{
	kref_put(&tpage->refs, page_free);
}

/* Under pages_lock. */
static struct sysvm_thread_page *find(struct sysvm_context *context, const struct pid *owner)
{
	struct sysvm_thread_page *tpage;

	hash_for_each_possible(context->pages, tpage, node, key_of(owner))
		if (tpage->owner == owner)
			return tpage;
	return NULL;
}

/* The calling thread's page with a reference, or NULL. */
struct sysvm_thread_page *sysvm_page_get(struct sysvm_context *context)
{
	struct sysvm_thread_page *tpage;

	spin_lock(&context->pages_lock);
	tpage = find(context, task_pid(current));
	if (tpage)
		kref_get(&tpage->refs);
	spin_unlock(&context->pages_lock);
	return tpage;
}

/* A mapping was moved: the new one is made before the old one goes. */
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
		hash_del(&tpage->node);
		context->npages--;
	}
	spin_unlock(&context->pages_lock);
	if (last)
		sysvm_page_put(tpage);
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
	kref_init(&tpage->refs);
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

	if (vma->vm_mm != context->mm || current->mm != context->mm)
		return -EPERM;
	if (vma->vm_end - vma->vm_start != PAGE_SIZE || vma->vm_pgoff)
		return -EINVAL;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EACCES;
	vm_flags_mod(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP, VM_MAYEXEC);

	tpage = page_new();
	if (!tpage)
		return -ENOMEM;
	ret = vm_insert_page(vma, vma->vm_start, tpage->page);
	if (ret)
		goto err_put;

	spin_lock(&context->pages_lock);
	if (find(context, tpage->owner)) {
		ret = -EBUSY; /* One for each thread. */
	} else if (context->npages >= SYSVM_MAX_PAGES) {
		ret = -ENOSPC;
	} else {
		hash_add(context->pages, &tpage->node, key_of(tpage->owner));
		context->npages++;
	}
	spin_unlock(&context->pages_lock);
	if (ret)
		goto err_put; /* The failing mmap unmaps what was inserted. */

	vma->vm_private_data = tpage;
	vma->vm_ops = &vm_ops;
	return 0;

err_put:
	sysvm_page_put(tpage);
	return ret;
}
