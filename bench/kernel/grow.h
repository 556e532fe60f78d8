/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SYSVM_BENCH_KERNEL_GROW_H
#define SYSVM_BENCH_KERNEL_GROW_H

#include <linux/types.h>

/* Makes a tree of so many directories; its files in the order of their directories, or in none. 0 or -errno.
 */
int grow(const char *top, unsigned int directories, bool scattered);
/* Looks each file up once, in an order without locality. Nothing of the tree was in memory before. */
int scatter(const char *top, unsigned int directories);

#endif
