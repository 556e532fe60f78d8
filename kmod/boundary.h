/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SYSVM_BOUNDARY_H
#define SYSVM_BOUNDARY_H

#include <linux/types.h>

/* What is known between two calls of one entry. */
struct sysvm_boundary {
	unsigned long deadline; /* jiffies */
};

void sysvm_boundary_init(struct sysvm_boundary *boundary);
u32 sysvm_boundary_check(const struct sysvm_boundary *boundary);
void sysvm_boundary_after_close(void);

#endif
