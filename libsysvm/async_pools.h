/* SPDX-License-Identifier: MIT */
/* What async_guard.c needs of async.c. Private. */
#ifndef SYSVM_ASYNC_POOLS_H
#define SYSVM_ASYNC_POOLS_H

/* Nothing is under way in any pool and no helper thread lives until sysvm_pools_go_on, which the same thread calls. */
__attribute__((visibility("hidden"))) void sysvm_pools_pause(void);
__attribute__((visibility("hidden"))) void sysvm_pools_go_on(void);

#endif
