/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the programs know and count: settings, counters, and the state of each traced thread. */
#ifndef SYSVM_TRACER_STATE_BPF_H
#define SYSVM_TRACER_STATE_BPF_H

/* Settings. Those of a constant value cost nothing: the kernel leaves out what they switch off. */
const volatile bool count_only = 0;
const volatile bool count_times = 0; /* with count_only: errors, latencies and sequences too */
const volatile bool minimal = 0;     /* numbers, arguments and times only */
const volatile struct call_desc calls[TRACE_NRS] = {};
const volatile __s32 site_fd = -1; /* the recorder's descriptor of the site file, -1: none */
const volatile __u32 own_tgid = 0;

/* Counters, read by user space. */
__u64 lost_storage = 0;
__u64 live_tasks = 0;
__u64 seen_tasks = 0;
/* address of the site file's inode: numbers differ between stat(2) and the kernel on overlayfs */
__u64 site_inode = 0;
__u32 pid_level = 0;  /* depth of the recorder's pid namespace; ids are reported as that one knows them */

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

/*
 * Process -> sequence number at which its first thread ended, while other threads live on: an exec from one
 * of them goes on under the first thread's id.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} leader_seq SEC(".maps");

static __always_inline struct task_state *state_of_current(void)
{
	return bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, 0);
}

static __always_inline __u64 now_ns(void)
{
	return bpf_ktime_get_boot_ns();
}

/*
 * The id of a thread in the recorder's pid namespace; 0: it is not known there.
 *
 * Pointers are followed by BPF_CORE_READ here and in tasks.bpf.h, not by plain loads: for each of those the
 * verifier searches the kernel's whole BTF by name, 1 ms a time.
 */
static __always_inline __u32 id_of(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid id = {};
	__u32 level = pid_level, depth = 0;

	/*
	 * At depth 0 that is task->pid, too; one way for both, or the verifier trips over how they are
	 * merged.
	 */
	if (pid && !bpf_probe_read_kernel(&depth, sizeof(depth), &pid->level) && level <= depth)
		bpf_probe_read_kernel(&id, sizeof(id), (char *)&pid->numbers + level * sizeof(id));
	return id.nr;
}

static __always_inline void name_thread(struct task_state *s, struct task_struct *task)
{
	s->tid = id_of(task);
	s->pid = task->pid == task->tgid ? s->tid : id_of(BPF_CORE_READ(task, group_leader));
}

static __always_inline struct task_state *new_state(struct task_struct *task)
{
	struct task_state *s = bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!s) {
		__sync_fetch_and_add(&lost_storage, 1);
		return 0;
	}
	name_thread(s, task);
	__sync_fetch_and_add(&live_tasks, 1);
	__sync_fetch_and_add(&seen_tasks, 1);
	return s;
}

#endif
