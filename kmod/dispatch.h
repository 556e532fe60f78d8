/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that the machine makes: rows bound at load, and what decides before and after each of them. */
#ifndef SYSVM_DISPATCH_H
#define SYSVM_DISPATCH_H

#include <linux/jump_label.h>
#include <linux/types.h>

struct callback_head;
struct pt_regs;
struct sysvm_env;
struct task_struct;

/* symbol.c: the addresses of kernel functions by name, all with one grace period. 0: not there. */
struct sysvm_symbol {
	char name[48];
	unsigned long address;
	bool data_too; /* take the address of what cannot be probed as well */
};

int sysvm_symbols_find(struct sysvm_symbol *symbols, unsigned int n);

/* dispatch.c */
int sysvm_dispatch_bind(void);
int sysvm_dispatch_find_stray(void); /* at load */
void sysvm_dispatch_supported(u64 supported[4]);
unsigned int sysvm_dispatch_count(void);
/* Goes to the row of that call. */
long sysvm_dispatch_row(struct pt_regs *regs, unsigned int index);
DECLARE_STATIC_KEY_FALSE(sysvm_needs_clearing);
void sysvm_clear_branch_history(void);

/* Makes the call whose number and arguments are in regs. */
static __always_inline long sysvm_dispatch(struct pt_regs *regs, unsigned int index)
{
	if (static_branch_unlikely(&sysvm_needs_clearing))
		sysvm_clear_branch_history();
	return sysvm_dispatch_row(regs, index);
}

/* A call's error: what the program sees of it, or env->stop is set. */
long sysvm_after_error(struct sysvm_env *env, long result);
/* The same where something is to be looked at before or behind it. why: what sysvm_env_look() said. */
long sysvm_dispatch_slowly(struct sysvm_env *env, unsigned int index, u32 why);
void sysvm_run_task_work(void);

/* Functions of the kernel that are not exported, or NULL. */
struct sysvm_kernel_functions {
	int (*secure_computing)(const void *data);
	struct callback_head *(*task_work_cancel)(struct task_struct *task, void (*func)(struct callback_head *));
};

extern struct sysvm_kernel_functions sysvm_kernel;

/* allow.c: may a program make this call with these arguments? */
enum sysvm_refusal {
	SYSVM_ALLOWED,
	SYSVM_NOT_A_DESCRIPTOR, /* our own device: the program does not know it, so to it the number is not open */
	SYSVM_NOT_HERE,		/* only user space may make this call: plainly */
};

enum sysvm_refusal sysvm_allow(unsigned int index, const struct pt_regs *regs);

#endif
