/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that the machine makes: rows bound at load, and what decides before and after each of them. */
#ifndef SYSVM_DISPATCH_H
#define SYSVM_DISPATCH_H

#include <linux/types.h>

struct pt_regs;

/* symbol.c: the addresses of kernel functions by name, all with one grace period. 0: not there. */
struct sysvm_symbol {
	char name[48];
	unsigned long address;
	bool data_too; /* take the address of what cannot be probed as well */
};

int sysvm_symbols_find(struct sysvm_symbol *symbols, unsigned int n);

/* dispatch.c */
int sysvm_dispatch_bind(void);
void sysvm_dispatch_supported(u64 supported[4]);
long sysvm_dispatch(unsigned int index, const u64 args[6]);
void sysvm_run_task_work(void);

/* allow.c: may a program make this call with these arguments? */
enum sysvm_refusal {
	SYSVM_ALLOWED,
	SYSVM_NOT_A_DESCRIPTOR, /* our own device: the program does not know it, so to it the number is not open */
	SYSVM_NOT_HERE,		/* only user space may make this call: plainly */
};

enum sysvm_refusal sysvm_allow(unsigned int index, const u64 args[6]);

#endif
