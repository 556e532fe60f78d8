/* SPDX-License-Identifier: MIT */
/*
 * As much of the kernel as the module's argument handling needs (main.c, context.c, page.c, procedure.c,
 * run.c), for user space: included before each of these files, in place of every header of the kernel that
 * they name.
 *
 * It is stricter than the kernel: a reference count that rises from 0, user memory touched under a lock, or
 * an object left behind ends the program; user memory is whatever the fuzzer says, and another thing at each
 * fetch. Allocations may fail.
 */
#ifndef SYSVM_TESTS_FUZZ_KERNEL_H
#define SYSVM_TESTS_FUZZ_KERNEL_H

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef unsigned int uint;

#define __user
#define __init
#define __exit
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define struct_size(p, member, n) (sizeof(*(p)) + sizeof((p)->member[0]) * (size_t)(n))
#define BUILD_BUG_ON(condition) _Static_assert(!(condition), #condition)
#define WARN_ON_ONCE(condition)                                                                              \
	do {                                                                                                 \
		if (condition)                                                                               \
			abort();                                                                             \
	} while (0)

#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* What the fuzzer decides (ioctl_fuzz.c). */
extern int locks_held;
extern long objects; /* allocated and not yet freed */
bool decide(void);   /* by one bit of the input */
unsigned long copy_from_user(void *to, const void *from, size_t n);
unsigned long copy_to_user(void *to, const void *from, size_t n);
#define get_user(x, p) (copy_from_user(&(x), p, sizeof(x)) ? -EFAULT : 0)
#define put_user(x, p)                                                                                       \
	({                                                                                                   \
		char value_ = (x);                                                                           \
		copy_to_user(p, &value_, 1) ? -EFAULT : 0;                                                   \
	})
#define u64_to_user_ptr(x) ((void *)(uintptr_t)(x))

/* Memory. */
#define GFP_KERNEL 0
#define GFP_KERNEL_ACCOUNT 0
#define __GFP_ZERO 0
static inline void *kzalloc(size_t n, int flags)
{
	void *p = decide() ? NULL : calloc(1, n);

	(void)flags;
	objects += !!p;
	return p;
}
static inline void *kvmalloc(size_t n, int flags)
{
	void *p = decide() ? NULL : malloc(n);

	(void)flags;
	objects += !!p;
	return p;
}
#define kvcalloc(n, size, flags) kzalloc((size_t)(n) * (size), flags)
static inline void kfree(const void *p)
{
	objects -= !!p;
	free((void *)p);
}
#define kvfree kfree

/* Locks: one thread, so a lock that is held already is a deadlock. */
struct mutex {
	int held;
};
typedef struct mutex spinlock_t;
static inline void lock_(struct mutex *m)
{
	WARN_ON_ONCE(m->held++);
	locks_held++;
}
static inline void unlock_(struct mutex *m)
{
	WARN_ON_ONCE(m->held-- != 1);
	locks_held--;
}
#define mutex_init(m) ((m)->held = 0)
#define spin_lock_init(m) ((m)->held = 0)
#define mutex_lock lock_
#define mutex_unlock unlock_
#define spin_lock lock_
#define spin_unlock unlock_
/* One thread: what is read without a lock is right, and what waits for readers is freed at once. */
#define rcu_read_lock_sched() ((void)0)
#define rcu_read_unlock_sched() ((void)0)
#define __rcu
#define lockdep_is_held(lock) true
#define rcu_dereference_sched(p) (p)
#define rcu_dereference_protected(p, condition) (p)
#define rcu_access_pointer(p) (p)
#define rcu_assign_pointer(p, v) ((p) = (v))
#define rcu_replace_pointer(p, v, condition)                                                                 \
	({                                                                                                   \
		__typeof__(p) was_ = (p);                                                                    \
		(p) = (v);                                                                                   \
		was_;                                                                                        \
	})
struct rcu_head {
	int unused;
};
#define call_rcu(head, function) ((function)(head))
#define rcu_barrier() ((void)0)
#define array_index_nospec(i, n) ((i) < (n) ? (i) : 0)
#define OPTIMIZER_HIDE_VAR(x) ((void)(x))
#define DECLARE_STATIC_KEY_FALSE(name) extern bool name
#define static_branch_unlikely(key) (*(key))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x) (x)
#define unlikely(x) (x)
#define noinline
#undef __always_inline
#define __always_inline inline
#define __ro_after_init

typedef struct {
	int n;
} atomic_t;
typedef struct {
	s64 n;
} atomic64_t;
#define atomic_read(a) ((a)->n)
#define atomic64_inc(a) ((a)->n++)
#define atomic64_set(a, v) ((a)->n = (v))
static inline bool atomic_try_cmpxchg(atomic_t *a, int *old, int new)
{
	int was = a->n;

	if (was == *old)
		a->n = new;
	return was == *old || (*old = was, false);
}
static inline int atomic_fetch_or(int bits, atomic_t *a)
{
	int was = a->n;

	a->n |= bits;
	return was;
}

#define ERR_PTR(e) ((void *)(long)(e))
#define PTR_ERR(p) ((long)(p))
#define IS_ERR_VALUE(x) ((unsigned long)(x) >= (unsigned long)-4095)
#define IS_ERR(p) IS_ERR_VALUE(p)
#define clamp_t(type, v, low, high) ((type)(v) < (low) ? (low) : (type)(v) > (high) ? (high) : (type)(v))

/* Reference counts. */
typedef struct {
	int n;
} refcount_t;
static inline void refcount_set(refcount_t *r, int n)
{
	r->n = n;
}
static inline void refcount_inc(refcount_t *r)
{
	WARN_ON_ONCE(r->n <= 0);
	r->n++;
}
static inline bool refcount_dec_and_test(refcount_t *r)
{
	WARN_ON_ONCE(r->n <= 0);
	return --r->n == 0;
}
/* A hash table. */
struct hlist_node {
	struct hlist_node *next, **at;
};
struct hlist_head {
	struct hlist_node *first;
};
#define DECLARE_HASHTABLE(name, bits) struct hlist_head name[1 << (bits)]
#define hash_init(table) memset(table, 0, sizeof(table))
static inline void hlist_add_head_rcu(struct hlist_node *node, struct hlist_head *list)
{
	node->next = list->first;
	node->at = &list->first;
	if (node->next)
		node->next->at = &node->next;
	list->first = node;
}
static inline void hash_del_rcu(struct hlist_node *node)
{
	*node->at = node->next;
	if (node->next)
		node->next->at = node->at;
	node->at = NULL;
}
#define hlist_for_each_entry_rcu(object, list, member, condition)                                            \
	for (struct hlist_node *node_ = (list)->first;                                                       \
	     node_ && ((object) = container_of(node_, __typeof__(*(object)), member)); node_ = node_->next)

/* Tasks and address spaces. */
struct mm_struct {
	int refs;
};
struct pid {
	int refs;
};
struct list_head {
	int unused;
};
#define LIST_HEAD(name) struct list_head name
#define DEFINE_MUTEX(name) struct mutex name
#define list_add_tail(node, list) ((void)(node))
#define list_del(node) ((void)(node))
struct callback_head {
	void (*func)(struct callback_head *);
};
#define init_task_work(work, function) ((work)->func = (function))
#define task_work_add(task, work, how) ((void)(task), -1)
#define PF_EXITING 4
#define PF_KTHREAD 0x200000
#define CAP_IPC_LOCK 14
#define capable(right) decide()
#define TASK_COMM_LEN 16
struct pt_regs {
	unsigned long di, si, dx, r10, r8, r9, ax, orig_ax;
};
struct files_struct {
	atomic_t count;
};
struct task_struct {
	struct mm_struct *mm;
	struct pid *pid;
	struct pt_regs regs;
	int flags, ptrace;
	struct files_struct *files;
};
struct thread_info {
	unsigned long flags, syscall_work;
};
struct thread_info *current_thread_info(void); /* its flags are the fuzzer's, each time anew */
#define _TIF_SIGPENDING 1
#define _TIF_NOTIFY_SIGNAL 0
#define _TIF_NOTIFY_RESUME 0
#define _TIF_PATCH_PENDING 0
#define _TIF_UPROBE 0
#define _TIF_NEED_RESCHED 0
#define time_after(a, b) ((long)((b) - (a)) < 0)
#define TRACE_EVENT(name, proto, ...)                                                                        \
	static inline void trace_##name(proto)                                                               \
	{                                                                                                    \
	}
#define TP_PROTO(...) __VA_ARGS__
#define TWA_NONE 0
#define current_pt_regs() (&current->regs)
#define task_tgid_nr(task) 1
#define get_task_comm(buffer, task) ((buffer)[0] = 0)
#define jiffies 0ul
extern struct task_struct *current;
#define mmgrab(mm) ((mm)->refs++)
#define mmdrop(mm) ((mm)->refs--)
#define task_pid(task) ((task)->pid)
static inline struct pid *get_pid(struct pid *pid)
{
	pid->refs++;
	return pid;
}
#define put_pid(pid) ((pid)->refs--)
bool signal_pending(struct task_struct *task);
bool in_compat_syscall(void);

/* Pages and mappings. */
#define PAGE_SIZE 4096
#define VM_SHARED 8u
#define VM_EXEC 4u
#define VM_MAYEXEC 0x40u
#define VM_IO 0x4000u
#define VM_DONTCOPY 0x20000u
#define VM_DONTEXPAND 0x40000u
#define VM_DONTDUMP 0x4000000u
struct page {
	int refs;
	_Alignas(64) char memory[PAGE_SIZE];
};
struct vm_area_struct;
struct file;
struct vm_operations_struct {
	void (*open)(struct vm_area_struct *vma);
	void (*close)(struct vm_area_struct *vma);
};
struct vm_area_struct {
	struct mm_struct *vm_mm;
	unsigned long vm_start, vm_end, vm_pgoff, vm_flags;
	struct file *vm_file;
	void *vm_private_data;
	const struct vm_operations_struct *vm_ops;
	struct page *inserted;
};
static inline struct page *alloc_page(int flags)
{
	struct page *page = decide() ? NULL : aligned_alloc(64, sizeof(*page));

	(void)flags;
	if (!page)
		return NULL;
	memset(page, 0, sizeof(*page));
	page->refs = 1;
	objects++;
	return page;
}
static inline void put_page(struct page *page)
{
	WARN_ON_ONCE(page->refs <= 0);
	if (!--page->refs)
		kfree(page);
}
#define page_address(page) ((void *)(page)->memory)
static inline int vm_insert_page(struct vm_area_struct *vma, unsigned long address, struct page *page)
{
	(void)address;
	if (decide())
		return -ENOMEM;
	page->refs++;
	vma->inserted = page;
	return 0;
}

/* Files and the device. */
struct inode;
struct file {
	void *private_data;
	int refs;
};
struct module;
#define THIS_MODULE ((struct module *)0)
struct file_operations {
	struct module *owner;
	int (*open)(struct inode *, struct file *);
	int (*release)(struct inode *, struct file *);
	int (*mmap)(struct file *, struct vm_area_struct *);
	long (*unlocked_ioctl)(struct file *, unsigned int, unsigned long);
	int (*fadvise)(struct file *, loff_t, loff_t, int);
	void *llseek;
};
#define noop_llseek NULL
#define nonseekable_open(inode, file) ((void)(inode), (void)(file), 0)
#define get_file(file) ((file)->refs++, (file))
static inline void fput(struct file *file)
{
	WARN_ON_ONCE(file->refs <= 0);
	file->refs--;
}
struct miscdevice {
	int minor;
	const char *name;
	const struct file_operations *fops;
	unsigned short mode;
};
#define MISC_DYNAMIC_MINOR 255
#define misc_register(device) ((void)(device), 0)
#define misc_deregister(device) ((void)(device))
#define pr_notice_once(...) ((void)0)
#define module_param(name, type, mode)
#define module_param_named(name, variable, type, mode)
#define MODULE_PARM_DESC(name, text)
#define MODULE_LICENSE(text)
#define MODULE_DESCRIPTION(text)
#define MODULE_VERSION(text)
#define module_init(f) int (*module_init_)(void) = f;
#define module_exit(f) void (*module_exit_)(void) = f;

#endif
