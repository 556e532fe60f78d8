/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Who is traced: threads that are made, that replace their image, that end; and those that were there before.
 */
#ifndef SYSVM_TRACER_TASKS_BPF_H
#define SYSVM_TRACER_TASKS_BPF_H

#define SIGNAL_GROUP_EXIT 4
#define AT_BASE 7
#define PF_EXITING 0x4

/* Thread groups that the iterator adds, as the recorder's pid namespace knows them; key 0 stands for all. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u8);
} wanted SEC(".maps");

static __always_inline void emit_task(__u32 kind, __u32 tid, __u32 pid, __u32 parent, __s32 status,
				      __u32 next_seq)
{
	struct cpu_ring *ring = ring_of_cpu();
	struct rec_task *r;

	if (count_only || !ring)
		return;
	r = reserve(ring, 1);
	if (!r) {
		ring->lost_task++;
		return;
	}
	r->head.kind = kind;
	r->head.nargs = 0;
	r->head.nr = status;
	r->head.tid = tid;
	r->head.pid = pid;
	r->head.time = now_ns();
	r->parent = parent;
	r->next_seq = next_seq;
	r->from = 0;
	publish(ring, &r->head, sizeof(*r));
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct task_state *s = state_of_current(), *c;

	if (!s || s->waiting)
		return 0;
	c = new_state(child);
	if (!c)
		return 0;
	c->armed = ARMED_CHILD;
	c->site_start = s->site_start;
	c->site_end = s->site_end;
	if (count_only && count_times) {
		c->image = s->image;
		if (child->pid == child->tgid)
			begin_image(c, s->image, 0);
	}
	if (child->pid == child->tgid)
		emit_task(REC_FORK, c->tid, c->pid, s->pid, 0, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct task_state *s = state_of_current();
	struct cpu_ring *ring;
	struct rec_exec *r;
	struct mm_struct *mm;
	__u32 key, at = sizeof(*r), *seq;
	__u64 auxv[2], arg_start;
	const char *filename, *interp;
	char *bytes;
	long n;
	int i;

	if (!s)
		return 0;
	if (s->waiting) {
		s->waiting = 0;
		name_thread(s, task);
		if (count_only && count_times) /* the execve of the command is its first entry */
			begin_image(s, 0, BPF_CORE_READ(bprm, filename));
		if (count_only)
			count_entry(s);
	} else if (count_only && count_times) {
		add_to_image(s);
		begin_image(s, 0, BPF_CORE_READ(bprm, filename));
	}
	s->site_start = s->site_end = 0;
	if (count_only)
		return 0;
	key = s->pid;
	if (old_pid != task->pid) {
		s->tid = s->pid;
		seq = bpf_map_lookup_elem(&leader_seq, &key);
		if (seq)
			s->seq = *seq;
	}
	ring = ring_of_cpu();
	mm = BPF_CORE_READ(task, mm);
	if (!ring || !mm)
		return 0;
	bytes = reserve(ring, 1);
	if (!bytes) {
		ring->lost_task++;
		return 0;
	}
	r = (struct rec_exec *)bytes;
	r->head.kind = REC_EXEC;
	r->head.nargs = 0;
	r->head.nr = 0;
	r->head.tid = s->tid;
	r->head.pid = s->pid;
	r->head.time = now_ns();
	r->old_tid = old_pid;
	r->parent = id_of(BPF_CORE_READ(task, real_parent, group_leader));
	r->start_code = BPF_CORE_READ(mm, start_code);
	r->interp_base = 0;
	filename = BPF_CORE_READ(bprm, filename);
	interp = BPF_CORE_READ(bprm, interp);
	for (i = 0; i < 24; i++) {
		if (bpf_probe_read_kernel(auxv, sizeof(auxv), (const void *)&mm->saved_auxv[2 * i]) ||
		    !auxv[0])
			break;
		if (auxv[0] == AT_BASE)
			r->interp_base = auxv[1];
	}
	n = bpf_probe_read_kernel_str(bytes + at, TRACE_PATH_MAX, filename);
	r->name_len = n > 0 ? n & 0x1fff : 0;
	at += r->name_len & 0x1fff;
	r->exe_len = 0;
	if (at < 2 * TRACE_PATH_MAX && interp != filename) {
		n = bpf_probe_read_kernel_str(bytes + at, TRACE_PATH_MAX, interp);
		n = n > 0 ? n & 0x1fff : 0;
		r->exe_len = n;
		at += n;
	}
	arg_start = BPF_CORE_READ(mm, arg_start);
	n = BPF_CORE_READ(mm, arg_end) - arg_start;
	if (n > TRACE_ARGV_MAX - 1)
		n = TRACE_ARGV_MAX - 1;
	if (n < 0)
		n = 0;
	if (at > 4 * TRACE_PATH_MAX ||
	    bpf_probe_read_user(bytes + at, n & (TRACE_ARGV_MAX - 1), (const void *)arg_start))
		n = 0;
	n &= TRACE_ARGV_MAX - 1;
	r->argv_len = n;
	r->pad = 0;
	publish(ring, &r->head, at + n);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_task_exit, struct task_struct *task)
{
	struct task_state *s = state_of_current();
	struct signal_struct *signal;
	__u32 pid, tid, seq;
	__s32 status;

	if (!s)
		return 0;
	pid = s->pid;
	tid = s->tid;
	signal = BPF_CORE_READ(task, signal);
	__sync_fetch_and_add(&live_tasks, -1);
	if (s->waiting)
		return 0;
	if (count_only) {
		struct thread_count c = {.pid = pid, .tid = tid, .entries = s->entries};

		bpf_map_update_elem(&thread_counts, &tid, &c, BPF_ANY);
		if (count_times)
			add_to_image(s);
		return 0;
	}
	if (s->armed == ARMED_CALL)
		emit(s, 0, EV_NO_EXIT, 0, now_ns());
	s->armed = ARMED_NO;
	/*
	 * for nothing: its end is reported, and until somebody waits for it the task stays, with its storage
	 */
	s->waiting = 1;
	emit_task(REC_THREAD, tid, pid, 0, 0, s->seq);
	if (BPF_CORE_READ(signal, live.counter) > 0) {
		if (pid == tid) {
			seq = s->seq;
			bpf_map_update_elem(&leader_seq, &pid, &seq, BPF_ANY);
		}
		return 0;
	}
	status = BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT ?
			 BPF_CORE_READ(signal, group_exit_code) :
			 BPF_CORE_READ(task, group_leader, exit_code);
	emit_task(REC_EXIT, tid, pid, 0, status, 0);
	return 0;
}

/* Run to attach: gives every thread of the groups in "wanted" its storage. */
SEC("iter/task")
int add_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u32 group, all = 0;

	if (!task || task->tgid == bpf_get_current_task_btf()->tgid)
		return 0;
	if (BPF_CORE_READ(task, flags) & PF_EXITING) /* it makes no more calls, and its end may have been */
		return 0;
	group = id_of(BPF_CORE_READ(task, group_leader));
	if (!group)
		return 0;
	if (!bpf_map_lookup_elem(&wanted, &all) && !bpf_map_lookup_elem(&wanted, &group))
		return 0;
	if (!bpf_task_storage_get(&tasks, task, 0, 0))
		new_state(task);
	return 0;
}

/* Run at the end: reports how far the numbers went of threads that live on. */
SEC("iter/task")
int report_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_state *s;
	struct {
		__u32 tid, pid, next_seq, pad;
	} line;

	if (!task)
		return 0;
	s = bpf_task_storage_get(&tasks, task, 0, 0);
	if (!s || s->waiting)
		return 0;
	line.tid = s->tid;
	line.pid = s->pid;
	line.next_seq = s->seq;
	line.pad = 0;
	bpf_seq_write(ctx->meta->seq, &line, sizeof(line));
	return 0;
}

/* Run once, by the recorder itself. */
SEC("raw_tp/sys_enter")
int look_around(void *ctx)
{
	pid_level = BPF_CORE_READ(bpf_get_current_task_btf(), thread_pid, level);
	return 0;
}

#endif
