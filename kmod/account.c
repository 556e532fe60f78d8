// SPDX-License-Identifier: GPL-2.0
/*
 * Who pays. Everything that the module allocates for a user is charged to that user at its real size (what
 * the allocator handed out, not what was asked for) until it is freed, and limited as io_uring limits what it
 * pins: by RLIMIT_MEMLOCK, over everything that the user has locked anywhere (user->locked_vm), unless the
 * user may lock without limit (CAP_IPC_LOCK). A process's share shows as VmPin in /proc/PID/status. Control
 * groups are charged as well (GFP_KERNEL_ACCOUNT).
 *
 * Bytes are counted and whole pages charged, over all contexts of the user, so that fifty small procedures
 * cost what they take and not fifty pages. A user's contexts are limited in number, as inotify instances are,
 * unless the user may exceed limits (CAP_SYS_RESOURCE).
 *
 * Tested by tests/qemu/test_account.c.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "account.h"
#include "context.h"

static uint max_contexts = 1024;
module_param(max_contexts, uint, 0644);
MODULE_PARM_DESC(max_contexts, "open devices of one user who may not exceed limits (1024)");

struct sysvm_account {
	struct hlist_node node;	  /* in accounts */
	struct user_struct *user; /* held */
	u32 contexts;
	u64 refs;	   /* contexts and charges */
	size_t bytes;	   /* all that is allocated */
	size_t limited;	   /* of these, what counts for RLIMIT_MEMLOCK */
};

/*
 * Protects all accounts and their hash. Bottom halves off: callbacks that free after a grace period take it,
 * too.
 */
static DEFINE_SPINLOCK(accounts_lock);
static DEFINE_HASHTABLE(accounts, 6);

static unsigned long pages_of(size_t bytes)
{
	return DIV_ROUND_UP(bytes, PAGE_SIZE);
}

size_t sysvm_real_size(const void *memory, size_t asked)
{
	return is_vmalloc_addr(memory) ? PAGE_ALIGN(asked) : ksize(memory);
}

/* Under accounts_lock. */
static struct sysvm_account *find(const struct user_struct *user)
{
	struct sysvm_account *account;

	hash_for_each_possible(accounts, account, node, (unsigned long)user)
		if (account->user == user)
			return account;
	return NULL;
}

/* Under accounts_lock. Returns what the caller frees with done_with() after unlocking. */
static struct sysvm_account *put(struct sysvm_account *account)
{
	if (--account->refs)
		return NULL;
	hash_del(&account->node);
	return account;
}

static void done_with(struct sysvm_account *account)
{
	if (!account)
		return;
	free_uid(account->user);
	kfree(account);
}

/* The caller's account, with one more context. -EMFILE: there are too many. */
struct sysvm_account *sysvm_account_open(void)
{
	struct sysvm_account *account, *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL_ACCOUNT);

	if (!fresh)
		return ERR_PTR(-ENOMEM);
	spin_lock_bh(&accounts_lock);
	account = find(current_user());
	/* Asked only where it matters: security modules log each refusal of a capability. */
	if (account && account->contexts >= READ_ONCE(max_contexts) && !capable(CAP_SYS_RESOURCE)) {
		account = ERR_PTR(-EMFILE);
		goto out;
	}
	if (!account) {
		account = fresh;
		fresh = NULL;
		account->user = get_uid(current_user());
		hash_add(accounts, &account->node, (unsigned long)account->user);
	}
	account->refs++;
	account->contexts++;
out:
	spin_unlock_bh(&accounts_lock);
	kfree(fresh);
	return account;
}

void sysvm_account_close(struct sysvm_account *account)
{
	struct sysvm_account *last;

	spin_lock_bh(&accounts_lock);
	account->contexts--;
	last = put(account);
	spin_unlock_bh(&accounts_lock);
	done_with(last);
}

/* Under accounts_lock, as io_uring does it: other subsystems charge the same counter. */
static bool lock_pages(struct user_struct *user, unsigned long pages, unsigned long limit)
{
	unsigned long locked = atomic_long_read(&user->locked_vm);

	do {
		if (pages && locked + pages > limit)
			return false;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, (long *)&locked, locked + pages));
	return true;
}

/* Adds to, or subtracts from, the bytes that the context holds: what its process sees as pinned. */
static void context_holds(struct sysvm_context *context, long bytes)
{
	long more = pages_of(context->bytes + bytes) - pages_of(context->bytes);

	context->bytes += bytes;
	atomic64_add(more, &context->mm->pinned_vm);
}

int sysvm_charge(struct sysvm_context *context, struct sysvm_charge *charge, size_t bytes)
{
	struct sysvm_account *account = context->account;
	size_t limited = context->unlimited ? 0 : bytes;
	int ret = -ENOMEM;

	spin_lock_bh(&accounts_lock);
	if (lock_pages(account->user, pages_of(account->limited + limited) - pages_of(account->limited),
		       rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT)) {
		account->limited += limited;
		account->bytes += bytes;
		account->refs++;
		context_holds(context, bytes);
		*charge = (struct sysvm_charge){ account, bytes, limited };
		ret = 0;
	}
	spin_unlock_bh(&accounts_lock);
	return ret;
}

void sysvm_charge_leaves(struct sysvm_context *context, const struct sysvm_charge *charge)
{
	spin_lock_bh(&accounts_lock);
	context_holds(context, -(long)charge->bytes);
	spin_unlock_bh(&accounts_lock);
}

void sysvm_uncharge(const struct sysvm_charge *charge)
{
	struct sysvm_account *account = charge->account, *last;

	if (!account)
		return;
	spin_lock_bh(&accounts_lock);
	atomic_long_sub(pages_of(account->limited) - pages_of(account->limited - charge->limited),
			&account->user->locked_vm);
	account->limited -= charge->limited;
	account->bytes -= charge->bytes;
	last = put(account);
	spin_unlock_bh(&accounts_lock);
	done_with(last);
}

void sysvm_accounts_show(struct seq_file *file)
{
	struct sysvm_account *account;
	unsigned int i;

	spin_lock_bh(&accounts_lock);
	hash_for_each(accounts, i, account, node)
		seq_printf(file, "user uid=%u contexts=%u bytes=%zu limited=%zu\n",
			   from_kuid_munged(&init_user_ns, account->user->uid), account->contexts,
			   account->bytes, account->limited);
	spin_unlock_bh(&accounts_lock);
}
