/* SPDX-License-Identifier: GPL-2.0 */
/* The module's check of itself when it is loaded with selftest=1. */
#ifndef SYSVM_SELFTEST_H
#define SYSVM_SELFTEST_H

#include <linux/types.h>

/* Written at load; checks is 0 if none was asked for. */
struct sysvm_selftest_result {
	u32 checks;
	u32 failed;
	bool skipped_calls;
};

extern struct sysvm_selftest_result sysvm_selftest_result;

int sysvm_selftest(void);

#endif
