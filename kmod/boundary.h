/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SYSVM_BOUNDARY_H
#define SYSVM_BOUNDARY_H

#include <linux/thread_info.h>
#include <linux/types.h>

/* Flags of the task that may be a reason to stop: boundary.c says which are. */
#ifdef TIF_NEED_RESCHED_LAZY
#define SYSVM_RESCHED_FLAGS (_TIF_NEED_RESCHED | _TIF_NEED_RESCHED_LAZY)
#else
#define SYSVM_RESCHED_FLAGS _TIF_NEED_RESCHED
#endif
#define SYSVM_BOUNDARY_FLAGS                                                                         \
	(_TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME | _TIF_PATCH_PENDING | _TIF_UPROBE | \
	 SYSVM_RESCHED_FLAGS)

struct sysvm_env;

/* Not a status: go on, but what the task's seccomp filters say of each call comes first (judge.c). */
#define SYSVM_JUDGED 0x100

/* Not 0: the status to stop with, or SYSVM_JUDGED. */
u32 sysvm_boundary_look(const struct sysvm_env *env);
/* Somebody who did not want to see calls when the task's filters were asked now does. */
bool sysvm_boundary_has_news(void);
void sysvm_boundary_after_close(void);
void sysvm_boundary_init(void);
extern unsigned long sysvm_entry_ticks; /* jiffies that an entry may last; set at load */

#endif
