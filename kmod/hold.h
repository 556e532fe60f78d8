/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a run holds: how every entry takes its page and its procedure, and releases them. Here and inline,
 * because this is a good part of what an entry costs; page.c and procedure.c make and free the same things.
 *
 * Tested by tests/qemu/ (test_life.c, test_midrun.c).
 */
#ifndef SYSVM_HOLD_H
#define SYSVM_HOLD_H

#include <linux/err.h>
#include <linux/file.h>
#include <linux/rculist.h>
#include <linux/sched.h>

#include "context.h"

/* A thread's bucket: struct pid is allocated in steps of 128 bytes, so its address spreads well enough. */
static inline struct hlist_head *sysvm_page_bucket(struct sysvm_context *context, const struct pid *owner)
{
	return &context->pages[(unsigned long)owner / 128 % ARRAY_SIZE(context->pages)];
}

/* Under RCU, or pages_lock. */
static inline struct sysvm_thread_page *sysvm_page_find(struct sysvm_context *context,
							const struct pid *owner)
{
	struct sysvm_thread_page *tpage;

	hlist_for_each_entry_rcu(tpage, sysvm_page_bucket(context, owner), node,
				 lockdep_is_held(&context->pages_lock))
		if (tpage->owner == owner)
			return tpage;
	return NULL;
}

/*
 * Under RCU, or NULL. What is found has a reference: the context's own is dropped a grace period after nobody
 * can find it any more.
 */
static __always_inline struct sysvm_procedure *sysvm_procedure_get(struct sysvm_context *context, u32 number)
{
	struct sysvm_procedure *procedure;

	if (unlikely(number >= context->max_procs))
		return NULL;
	procedure = rcu_dereference_sched(context->procs[array_index_nospec(number, context->max_procs)]);
	if (likely(procedure))
		refcount_inc(&procedure->refs);
	return procedure;
}

/*
 * Finds the calling thread's page, which is then BUSY until it is released, and holds the procedure of that
 * number or NULL. Not 0: -ENXIO, -EBUSY. Both are found with preemption off, where RCU readers cost least.
 */
static __always_inline int sysvm_page_hold(struct file *file, struct sysvm_context *context, u32 number,
					   struct sysvm_thread_page **found,
					   struct sysvm_procedure **procedure)
{
	struct sysvm_thread_page *tpage;
	int state = 0;

	rcu_read_lock_sched();
	tpage = sysvm_page_find(context, task_pid(current));
	if (unlikely(!tpage || !atomic_try_cmpxchg(&tpage->state, &state, SYSVM_PAGE_BUSY))) {
		rcu_read_unlock_sched();
		return state & SYSVM_PAGE_BUSY ? -EBUSY : -ENXIO;
	}
	*procedure = sysvm_procedure_get(context, number);
	rcu_read_unlock_sched();
	tpage->procedure = *procedure;
	/* A process with one thread only borrows files from its table, and the program may close this one. */
	tpage->file = get_file(file);
	*found = tpage;
	return 0;
}

/* The end of a run: everything that it holds. */
static __always_inline void sysvm_page_let_go(struct sysvm_thread_page *tpage)
{
	struct file *file = tpage->file;
	int state = SYSVM_PAGE_BUSY;

	OPTIMIZER_HIDE_VAR(tpage); /* Not worth a place on the stack for the whole run. */
	if (unlikely(tpage->waits_for_exit))
		sysvm_page_not_at_exit(tpage);
	if (likely(tpage->procedure))
		sysvm_procedure_put(tpage->procedure);
	if (unlikely(!atomic_try_cmpxchg(&tpage->state, &state, 0)))
		sysvm_page_drop(file->private_data, tpage);
	fput(file);
}

#endif
