/* SPDX-License-Identifier: GPL-2.0 */
/* What each user has allocated, and how much he may: account.c. */
#ifndef SYSVM_ACCOUNT_H
#define SYSVM_ACCOUNT_H

#include <linux/types.h>

struct seq_file;
struct sysvm_account;
struct sysvm_context;

/* What one allocation was charged with; stays with it until it is freed. All zero: nothing. */
struct sysvm_charge {
	struct sysvm_account *account; /* held */
	size_t bytes;
	size_t limited; /* bytes, or 0 */
};

struct sysvm_account *sysvm_account_open(void);
void sysvm_account_close(struct sysvm_account *account);
/* What the allocator handed out. */
size_t sysvm_real_size(const void *memory, size_t asked);
/* 0, or -ENOMEM: more than the user may lock. */
int sysvm_charge(struct sysvm_context *context, struct sysvm_charge *charge, size_t bytes);
/* The context does not have it any more; it is charged to the user until it is freed. */
void sysvm_charge_leaves(struct sysvm_context *context, const struct sysvm_charge *charge);
/* It is freed. In any context. */
void sysvm_uncharge(const struct sysvm_charge *charge);
void sysvm_accounts_show(struct seq_file *file);

#endif
