/* SPDX-License-Identifier: MIT */
/* Whether the threads of the prefetcher fit into what the command may have. Tested by tests/prefetch. */
#ifndef SYSVM_PREFETCH_LIMITS_H
#define SYSVM_PREFETCH_LIMITS_H

#include <stdbool.h>

bool limits_have_room(unsigned int threads);

/* Tasks wait for memory: nothing may be brought into the page cache now. */
bool limits_memory_short(void);

#endif
