// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Sees every system call of the traced threads: one record for each, written when the call returns.
 *
 * A thread is traced if it has task storage; a child gets its own in sched_process_fork before it runs. The
 * entry only notes time, arguments and place; the exit pairs with it through the storage, which follows the
 * task_struct through an exec from a thread that was not the leader, and goes when the task goes. Nothing
 * wakes the reader: user space empties the rings on a timer.
 *
 * What is not seen: work without a system call (vDSO, page faults, io_uring operations after their
 * submission). Linux 5.17 or later (bpf_loop), with BTF. Tested by tests/tracer/.
 */
#include "kernel_types.h"
/* Before the libbpf headers, which use these types. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "event.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL"; /* the helpers ask for a GPL-compatible program */

#include "state.bpf.h"   /* settings, counters, the storage of a thread */
#include "ring.bpf.h"    /* writing records; holding a thread back */
#include "capture.bpf.h" /* strings and structures that arguments point to */
#include "entry.bpf.h"   /* what an entry leaves for its return */
#include "count.bpf.h"   /* programs: counting without records */
#include "calls.bpf.h"   /* programs: entry, return, signal */
#include "tasks.bpf.h"   /* programs: fork, exec, end; threads that were there before */
