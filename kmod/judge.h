/* SPDX-License-Identifier: GPL-2.0 */
/* A task's seccomp filters, asked about each inner call: judge.c says when and how. */
#ifndef SYSVM_JUDGE_H
#define SYSVM_JUDGE_H

#include <linux/types.h>

struct sysvm_env;

/* work: the task's syscall_work. May the module ask whoever that names, and go on? */
bool sysvm_may_judge(unsigned long work);
/*
 * Asks the filters about the call in env->regs. true: make it. false: it is answered with *result (which may
 * be a code that asks for a restart), or the program stops before it, with *stop.
 */
bool sysvm_judge(struct sysvm_env *env, long *result, u32 *stop);

#endif
