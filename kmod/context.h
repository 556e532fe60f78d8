/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's files share: a context (an open of /dev/sysvm), its pages (one for each thread that mapped one)
 * and its stored procedures.
 *
 * Life times. The file owns its context. A mapping holds the file, so a context outlives its pages' mappings; a run
 * holds the file, its page and its procedure, so a program may unmap, undefine and close what it runs on.
 */
#ifndef SYSVM_CONTEXT_H
#define SYSVM_CONTEXT_H

#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/xarray.h>

#include "uapi/sysvm.h"
#include "vm/vm.h"

#define SYSVM_MAX_PROCS 256	       /* procedures of one context */
#define SYSVM_MAX_PROC_BYTES 0x100000 /* bytes of code of all of them */
#define SYSVM_MAX_PAGES 1024	       /* pages, hence threads, of one context */
#define SYSVM_PAGE_HASH_BITS 6

struct sysvm_procedure {
	refcount_t refs;
	u32 len;
	u64 data_base; /* only ever a number */
	const u8 *starts; /* behind the code: where instructions begin */
	u8 code[];	  /* verified; never changes */
};

struct sysvm_context {
	struct mm_struct *mm; /* mmgrab()ed: compared, never used */

	struct mutex procs_lock; /* procs, proc_bytes; never held across a run or user access */
	struct xarray procs;
	u32 proc_bytes;

	spinlock_t pages_lock; /* pages, npages */
	DECLARE_HASHTABLE(pages, SYSVM_PAGE_HASH_BITS);
	u32 npages;
};

struct sysvm_thread_page {
	struct kref refs;
	struct hlist_node node;	 /* in context->pages while mapped; under pages_lock */
	unsigned int mappings;	 /* under pages_lock */
	struct pid *owner;	 /* the thread that mapped it; held, so it is no other's address */
	struct page *page;	 /* one reference; a pin may keep it longer than us */
	struct sysvm_page *mem;	 /* the same, as the kernel sees it: hostile */
	unsigned long busy;	 /* bit 0: a run is using this page */
	u64 interrupted;	 /* sequence number of a run that asked to be restarted, or 0 */
	/* This run's copy of the code in the page, and where its instructions begin. */
	u8 code[SYSVM_PAGE_CODE_MAX];
	u8 starts[SYSVM_STARTS_SIZE(SYSVM_PAGE_CODE_MAX)];
};

extern const struct file_operations sysvm_fops;

/* context.c */
int sysvm_open(struct inode *inode, struct file *file);
int sysvm_release(struct inode *inode, struct file *file);

/* page.c */
int sysvm_mmap(struct file *file, struct vm_area_struct *vma);
struct sysvm_thread_page *sysvm_page_get(struct sysvm_context *context);
void sysvm_page_put(struct sysvm_thread_page *tpage);

/* procedure.c */
long sysvm_define_ioctl(struct sysvm_context *context, void __user *arg);
long sysvm_undefine_ioctl(struct sysvm_context *context, void __user *arg);
struct sysvm_procedure *sysvm_procedure_get(struct sysvm_context *context, u32 number);
void sysvm_procedure_put(struct sysvm_procedure *procedure);
void sysvm_procedures_drop(struct sysvm_context *context);

/* run.c */
long sysvm_run_ioctl(struct sysvm_context *context, struct file *file, void __user *arg);

#endif
