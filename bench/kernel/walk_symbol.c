// SPDX-License-Identifier: GPL-2.0
/*
 * In place of kmod/symbol.c, where the module is part of the kernel and there are no probes: the kernel's own
 * table of symbols is at hand.
 */
#include <linux/kallsyms.h>

#include "dispatch.h"

int sysvm_symbols_find(struct sysvm_symbol *symbols, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (symbols[i].name[0])
			symbols[i].address = kallsyms_lookup_name(symbols[i].name);
	return 0;
}
