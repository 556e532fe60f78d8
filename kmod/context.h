/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's files share: a context (an open of /dev/sysvm), its pages (one for each thread that
 * mapped one) and its stored procedures.
 *
 * Life times. The file owns its context. A mapping holds the file, so a context outlives its pages' mappings;
 * a run holds the file, its page (by the page's state) and its procedure, so a program may unmap, undefine
 * and close what it runs on. Pages and procedures are found under RCU and freed a grace period after nobody
 * can find them.
 */
#ifndef SYSVM_CONTEXT_H
#define SYSVM_CONTEXT_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/types.h>

#include "account.h"
#include "uapi/sysvm.h"
#include "vm/vm.h" /* struct sysvm_env is kernel_env.h's */

#define SYSVM_PAGE_HASH_BITS 6
#define SYSVM_MOST_PROCS 4096 /* what the parameter max_procs may be raised to */
#define SYSVM_STATUSES 11 /* enum sysvm_status */

/*
 * In the saved ax of a task that is inside the machine, where a task that has just entered the kernel has
 * -ENOSYS: so a program that enters the machine again, by whatever way, is detected. The result overwrites it
 * on the way out.
 */
#define SYSVM_INSIDE 0

struct sysvm_procedure {
	refcount_t refs;
	struct sysvm_program program; /* starts comes after code; data_base is only ever a number */
	atomic64_t runs;
	struct sysvm_charge charge;
	struct rcu_head rcu;
	u8 code[]; /* verified; never changes */
};

/* Written by the thread that runs, read by others without a lock: each is one word. */
struct sysvm_counters {
	u64 calls;
	u64 names; /* of these, those made by the short path (names.c) */
	u64 stops[SYSVM_STATUSES]; /* by status: their sum is the number of entries */
};

struct sysvm_context {
	struct mm_struct *mm; /* mmgrab()ed: compared, never used */
	struct list_head node; /* in sysvm_contexts, under its lock */
	pid_t opener;	       /* for the debugfs view only */
	char comm[TASK_COMM_LEN];
	bool ahead; /* its programs make calls that the application has not made (judge.c) */

	struct sysvm_account *account;
	struct sysvm_charge charge; /* of the context itself */
	bool unlimited;		    /* its opener may lock memory without limit */
	size_t bytes;		    /* of it and all that it has; written by account.c under its lock */

	struct mutex procs_lock; /* writing procs, proc_bytes; never held across a run or user access */
	struct sysvm_procedure __rcu **procs;
	u32 max_procs; /* elements of procs */
	u32 proc_bytes;
	atomic64_t rejected; /* definitions that the verifier refused */

	spinlock_t pages_lock; /* writing pages; npages, past */
	DECLARE_HASHTABLE(pages, SYSVM_PAGE_HASH_BITS);
	u32 npages;
	struct sysvm_counters past; /* of pages that are gone */
};

enum sysvm_page_state {
	SYSVM_PAGE_BUSY = 1, /* a run uses it, and frees it if it is GONE when the run ends */
	SYSVM_PAGE_GONE = 2, /* unmapped, not to be found any more */
};

struct sysvm_thread_page {
	struct hlist_node node;	 /* in context->pages while mapped; under pages_lock, read under RCU */
	atomic_t state;		 /* enum sysvm_page_state */
	struct pid *owner;	 /* the thread that mapped it; held, so it is no other's address */
	struct sysvm_page *mem;	 /* the page as the kernel sees it: hostile */
	u64 interrupted;	 /* sequence number of a run that asked to be restarted, or 0 */
	struct sysvm_env env;	 /* of the run; here and not on the stack, as it is the same each time */
	long restart;		 /* what a call returned that asks for a restart */
	struct sysvm_counters counters;
	unsigned int mappings;	 /* under pages_lock */
	struct page *page;	 /* one reference; a pin may keep it longer than us */
	struct sysvm_charge charge;
	struct rcu_head rcu;

	/* What a run holds, in case its task ends inside. Valid while BUSY. */
	struct file *file;
	struct sysvm_procedure *procedure; /* or NULL */
	struct callback_head at_exit;
	bool waits_for_exit; /* at_exit is queued */
	bool entry_holds_file; /* so does the system call that a task which ends inside does not return to */

	/* This run's copy of the code in the page, and where its instructions begin. */
	struct sysvm_program program;
	u8 code[SYSVM_PAGE_CODE_MAX];
	u8 starts[SYSVM_STARTS_SIZE(SYSVM_PAGE_CODE_MAX)];
};

extern struct file_operations sysvm_fops; /* constant once the module is loaded */

/* context.c */
extern struct list_head sysvm_contexts;
extern struct mutex sysvm_contexts_lock;
int sysvm_open(struct inode *inode, struct file *file);
int sysvm_release(struct inode *inode, struct file *file);

/* page.c */
int sysvm_mmap(struct file *file, struct vm_area_struct *vma);
/* Nobody can find it any more, and no run uses it. The context still exists. */
void sysvm_page_drop(struct sysvm_context *context, struct sysvm_thread_page *tpage);
void sysvm_page_not_at_exit(struct sysvm_thread_page *tpage);
/* From now on the end of the task releases what the run holds. false: it cannot be arranged. */
bool sysvm_page_release_at_exit(struct sysvm_thread_page *tpage);

/* procedure.c */
extern uint sysvm_max_procs;
long sysvm_define_ioctl(struct sysvm_context *context, void __user *arg);
long sysvm_undefine_ioctl(struct sysvm_context *context, void __user *arg);
void sysvm_procedure_free(struct sysvm_procedure *procedure);
void sysvm_procedures_drop(struct sysvm_context *context);

static inline void sysvm_procedure_put(struct sysvm_procedure *procedure)
{
	if (unlikely(refcount_dec_and_test(&procedure->refs)))
		sysvm_procedure_free(procedure);
}

/* run.c */
extern uint sysvm_max_fuel;
long sysvm_run_ioctl(struct file *file, void __user *arg);
int sysvm_run_fadvise(struct file *file, loff_t seq, loff_t proc, int advice);

/* debug.c */
void sysvm_debug_init(void);
void sysvm_debug_exit(void);

#endif
