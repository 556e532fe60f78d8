/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that the machine makes: rows bound at load, and what decides before and after each of them. */
#ifndef SYSVM_DISPATCH_H
#define SYSVM_DISPATCH_H

#include <linux/jump_label.h>
#include <linux/types.h>

struct callback_head;
struct pt_regs;
struct sysvm_env;

/* symbol.c: the addresses of kernel functions by name, all with one grace period. 0: not there. */
enum sysvm_symbol_kind {
	SYSVM_SYMBOL_FUNCTION = 0,
	SYSVM_SYMBOL_NOT_PROBED, /* one that must not be: the attempt leaves its address all the same */
};

struct sysvm_symbol {
	char name[48];
	unsigned long address;
	enum sysvm_symbol_kind kind;
};

int sysvm_symbols_find(struct sysvm_symbol *symbols, unsigned int n);

/* dispatch.c */
int sysvm_dispatch_bind(void);
int sysvm_dispatch_find_stray(void); /* at load */
int sysvm_dispatch_find_displaced(void);
void sysvm_dispatch_supported(u64 supported[4]);
unsigned int sysvm_dispatch_count(void);
/* Goes to the row of that call. */
long sysvm_dispatch_row(struct pt_regs *regs, unsigned int index);
DECLARE_STATIC_KEY_FALSE(sysvm_needs_clearing);
void sysvm_clear_branch_history(void);

/*
 * Between branches that a program chose and code of the kernel that may branch indirectly: a call, a page
 * fault of a load or store, a filter's program, the scheduler, the way out.
 */
static __always_inline void sysvm_forget_branches(void)
{
	if (static_branch_unlikely(&sysvm_needs_clearing))
		sysvm_clear_branch_history();
}

/* Makes the call whose number and arguments are in regs. */
static __always_inline long sysvm_dispatch(struct pt_regs *regs, unsigned int index)
{
	sysvm_forget_branches();
	return sysvm_dispatch_row(regs, index);
}

/* A call's error: what the program sees of it, or env->stop is set. */
long sysvm_after_error(struct sysvm_env *env, long result);
/* The same where something is to be checked before or after it. why: what sysvm_env_look() returned. */
long sysvm_dispatch_slowly(struct sysvm_env *env, unsigned int index, u32 why);
void sysvm_run_task_work(void);

/* The kernel's own functions, which are not exported: only where sysvm_can_judge. */
extern bool sysvm_can_judge; /* written at load only */
bool sysvm_filters_permit(void); /* the call in the task's registers */
void sysvm_cancel_task_work(void (*func)(struct callback_head *work));

/* allow.c: may a program make this call with these arguments? */
enum sysvm_refusal {
	SYSVM_ALLOWED,
	SYSVM_NOT_A_DESCRIPTOR, /* our own device: to the program, which does not know it, it is not open */
	SYSVM_NOT_HERE,		/* only user space may make this call: plainly */
};

enum sysvm_refusal sysvm_allow(unsigned int index, const struct pt_regs *regs);

#endif
