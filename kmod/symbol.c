// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses of kernel functions that are not exported. A kprobe that is never armed resolves a name. All of
 * them are removed together, because each removal alone waits for a grace period.
 *
 * A probe on a function that begins with ENDBR, or with what the kernel has put over it to seal it, sits
 * after that; the kernel's symbol table says where the function begins. kallsyms_lookup_name is not used:
 * calling it through a pointer is fatal where it is sealed against indirect branches.
 */
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dispatch.h"

/* name+0x4/0x90: 4 bytes less. 0 for what is in no function. */
static unsigned long function_start(unsigned long address)
{
	char text[128];
	const char *plus;
	unsigned long offset;

	snprintf(text, sizeof(text), "%pS", (void *)address);
	plus = strrchr(text, '+');
	return plus && sscanf(plus, "+0x%lx/", &offset) == 1 ? address - offset : 0;
}

/* Fills in the addresses; what has none keeps 0. */
int sysvm_symbols_find(struct sysvm_symbol *symbols, unsigned int n)
{
	struct kprobe *probes;
	struct kprobe **registered;
	unsigned int i, count = 0;

	probes = kvcalloc(n, sizeof(*probes), GFP_KERNEL);
	registered = kvcalloc(n, sizeof(*registered), GFP_KERNEL);
	if (!probes || !registered) {
		kvfree(registered);
		kvfree(probes);
		return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		probes[i].symbol_name = symbols[i].name;
		probes[i].flags = KPROBE_FLAG_DISABLED;
		if (!register_kprobe(&probes[i]))
			registered[count++] = &probes[i];
		else if (symbols[i].kind == SYSVM_SYMBOL_FUNCTION)
			continue;
		if (probes[i].addr)
			symbols[i].address = function_start((unsigned long)probes[i].addr);
	}
	unregister_kprobes(registered, count);
	kvfree(registered);
	kvfree(probes);
	return 0;
}
