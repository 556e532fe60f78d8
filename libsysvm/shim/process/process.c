// SPDX-License-Identifier: MIT
/* The state of process.h. */
#include "libsysvm/shim/process/process.h"

struct shim_stats_file process_private_file;
struct process process = { .file = &process_private_file };

uint8_t shim_mode;
uint64_t shim_vfork_return, shim_vfork_mask;
uint8_t shim_vfork_mode = 1;
uint8_t shim_plain_looks[PLAIN_CALLS];
uint64_t *shim_plain_counter;

void process_not_alone(void)
{
	process.alone = false;
	__atomic_store_n(&process.file->forked, 1, __ATOMIC_RELAXED);
}
