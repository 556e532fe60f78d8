// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Sees every system call of the traced threads: one record for each, written when the call returns.
 *
 * A thread is traced if it has task storage; a child gets its own in sched_process_fork before it runs. The entry
 * only notes time, arguments and place; the exit pairs with it through the storage, which follows the task_struct
 * through an exec from a thread that was not the leader, and goes when the task goes. Strings are read at the exit,
 * when the kernel has just touched their pages. The ring is never made to wake its reader: user space drains it on a timer.
 *
 * With count_only nothing is shipped: calls are counted by number, by thread, and by whether the syscall
 * instruction lies in one chosen file.
 *
 * What is not seen: work without a system call (vDSO, page faults, io_uring operations after their submission).
 * Process ids are those of the first pid namespace, which in a container are not the ones that the program sees.
 * Tested by tests/tracer/.
 */
#include "kernel_types.h"
/* Before the libbpf headers, which use these types. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "event.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL"; /* the helpers ask for a GPL-compatible program */

/* Settings. */
const volatile bool count_only = 0;
const volatile struct call_desc calls[TRACE_NRS] = {};
const volatile __s32 site_fd = -1; /* the recorder's descriptor of the site file, -1: none */
const volatile __u32 attach_tgid = 0; /* whose threads the iterator adds */

/* Counters, read by user space. */
__u64 lost[LOST_REASONS] = {};
__u64 live_tasks = 0;
__u64 seen_tasks = 0;
__u64 site_inode = 0; /* address of the site file's inode: numbers differ between stat(2) and the kernel on overlayfs */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

/* Where a record with strings is put together. One for each CPU: the programs run with preemption off. */
struct scratch {
	union {
		struct rec_call call;
		struct rec_exec exec;
		char head[REC_HEAD];
	};
	char bytes[2 * TRACE_PATH_MAX + TRACE_ARGV_MAX]; /* strings begin at REC_HEAD in every record */
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRACE_NRS + 1);
	__type(key, __u32);
	__type(value, struct call_count);
} counts SEC(".maps");

/* count_only: entries of each thread that has ended. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct thread_count);
} thread_counts SEC(".maps");

/* Process -> sequence number at which its first thread ended, while other threads live on: an exec from one of
 * them goes on under the first thread's id. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} leader_seq SEC(".maps");

#define SHORT_STRING 96 /* multiple of 8; longer ones go through the scratch buffer */
#define TS_COMPAT 0x0002 /* thread_info.status: the call under way came through the 32-bit entry */
#define SIGNAL_GROUP_EXIT 4
#define AT_BASE 7
#define NR_MMAP 9
#define PROT_EXEC 4

static __always_inline struct task_state *state_of_current(void)
{
	return bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, 0);
}

static __always_inline void count_lost(int reason)
{
	__sync_fetch_and_add(&lost[reason], 1);
}

static __always_inline void count_entry(struct task_state *s, __s32 nr, __u64 ip)
{
	__u32 key = s->flags & EV_COMPAT || (__u32)nr >= TRACE_NRS ? TRACE_NRS : (__u32)nr;
	struct call_count *c = bpf_map_lookup_elem(&counts, &key);

	s->entries++;
	if (!c)
		return;
	c->entries++;
	if (ip - s->site_start < s->site_end - s->site_start)
		c->inside++;
}

static __always_inline void load_args(struct pt_regs *regs, __u64 *args, __u32 flags)
{
	if (flags & EV_COMPAT) {
		args[0] = (__u32)regs->bx;
		args[1] = (__u32)regs->cx;
		args[2] = (__u32)regs->dx;
		args[3] = (__u32)regs->si;
		args[4] = (__u32)regs->di;
		args[5] = (__u32)regs->bp;
		return;
	}
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *regs, long nr)
{
	struct task_state *s = state_of_current();

	if (!s)
		return 0;
	s->armed = ARMED_CALL;
	s->nr = nr;
	s->flags = bpf_get_current_task_btf()->thread_info.status & TS_COMPAT ? EV_COMPAT : 0;
	s->ip = regs->ip;
	if (count_only) {
		if (!s->waiting)
			count_entry(s, nr, s->ip);
		if (site_inode)
			load_args(regs, s->args, s->flags);
		return 0;
	}
	s->sp = regs->sp;
	load_args(regs, s->args, s->flags);
	s->ts = bpf_ktime_get_boot_ns();
	return 0;
}

/* The inode behind a descriptor of the running task, as a number, or 0. */
static __always_inline __u64 inode_of_fd(__u32 fd)
{
	struct fdtable *fdt = bpf_get_current_task_btf()->files->fdt;
	struct file *file = 0;

	if (fd >= fdt->max_fds || bpf_probe_read_kernel(&file, sizeof(file), fdt->fd + fd) || !file)
		return 0;
	return (__u64)BPF_CORE_READ(file, f_inode);
}

/* If this was the mapping of the site file's text: its range, for count_entry(). */
static __always_inline void note_site(struct task_state *s, long ret)
{
	if (s->nr != NR_MMAP || (ret < 0 && ret > -4096) || !(s->args[2] & PROT_EXEC))
		return;
	if (inode_of_fd(s->args[4]) != site_inode)
		return;
	s->site_start = ret;
	s->site_end = ret + s->args[1];
}

static __always_inline void read_stat(struct rec_call *r, const struct call_desc *desc)
{
	const char *user;
	struct {
		__u64 st_dev, st_ino, st_nlink;
		__u32 st_mode, st_uid, st_gid, pad;
		__u64 st_rdev, st_size;
	} st;
	struct {
		__u32 major, minor;
	} dev;
	__u16 mode;
	__u64 size;

	/* Constant indices: the verifier would lose track of a variable one. */
	user = (const char *)(desc->stat == 1 ? r->args[1] : desc->stat == 2 ? r->args[2] : r->args[4]);
	if (!desc->is_statx) {
		if (bpf_probe_read_user(&st, sizeof(st), user))
			return;
		r->st_dev = st.st_dev;
		r->st_mode = st.st_mode;
		r->st_size = st.st_size;
	} else {
		/* Offsets of struct statx: stx_mode 28, stx_size 40, stx_dev_major 136. */
		if (bpf_probe_read_user(&mode, sizeof(mode), user + 28) ||
		    bpf_probe_read_user(&size, sizeof(size), user + 40) ||
		    bpf_probe_read_user(&dev, sizeof(dev), user + 136))
			return;
		r->st_mode = mode;
		r->st_size = size;
		r->st_dev = (dev.minor & 0xff) | (dev.major & 0xfff) << 8 | (__u64)(dev.minor & ~0xff) << 12 |
			    (__u64)(dev.major & ~0xfff) << 32;
	}
	r->flags |= EV_HAS_STAT;
}

static __always_inline void fill(struct rec_call *r, struct task_state *s, __u32 flags, long ret, __u64 now)
{
	__u64 id = bpf_get_current_pid_tgid();

	r->kind = REC_CALL;
	r->flags = flags;
	r->ts = s->ts;
	r->end = now;
	r->tid = (__u32)id;
	r->pid = id >> 32;
	r->seq = s->seq++;
	r->nr = s->nr;
	r->ret = ret;
	__builtin_memcpy(r->args, s->args, sizeof(r->args));
	r->ip = s->ip;
	r->caller = 0;
	r->st_size = 0;
	r->st_dev = 0;
	r->st_mode = 0;
	r->str_len[0] = 0;
	r->str_len[1] = 0;
}

/* Appends a string argument at *at; sets its length and the flags. */
static __always_inline void add_string(struct scratch *scratch, int which, __u64 user, __u32 *at)
{
	struct rec_call *r = &scratch->call;
	long n;

	if (!user)
		return;
	if (*at > TRACE_PATH_MAX)
		return;
	n = bpf_probe_read_user_str(scratch->bytes + *at, TRACE_PATH_MAX, (const void *)user);
	if (n <= 0) {
		r->flags |= EV_PATH_FAULT;
		return;
	}
	if (n >= TRACE_PATH_MAX)
		r->flags |= EV_PATH_CUT;
	r->str_len[which] = n;
	*at += n & 0x1fff;
}

static __always_inline __u64 first_string(struct task_state *s, const struct call_desc *desc)
{
	/* Constant indices again. */
	return desc->str[0] == 0   ? s->args[0]
	       : desc->str[0] == 1 ? s->args[1]
	       : desc->str[0] == 2 ? s->args[2]
	       : desc->str[0] == 3 ? s->args[3]
				   : s->args[4];
}

/* Ships the event of s. At the exit of a call, or with EV_NO_EXIT at the end of the thread. */
static __always_inline void emit(struct task_state *s, struct pt_regs *regs, __u32 flags, long ret, __u64 now)
{
	struct call_desc desc = {.str = {0xff, 0xff}, .stat = 0xff};
	struct scratch *scratch;
	struct rec_call *r;
	__u32 nr = s->nr, zero = 0, at = 0, size;
	bool in_place;

	flags |= s->flags;
	if (nr < TRACE_NRS && !(flags & EV_COMPAT))
		desc = *(const struct call_desc *)&calls[nr];
	if (ret != 0)
		desc.stat = 0xff;
	if (ret <= -512 && ret >= -516) /* ERESTARTSYS ... ERESTART_RESTARTBLOCK */
		flags |= EV_RESTARTED;

	/* After an exec, and where the thread is gone, there is nothing to read any more. */
	in_place = regs && regs->sp == s->sp;
	if (desc.str[0] == 0xff || !in_place) {
		r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
		if (!r) {
			s->seq++;
			count_lost(LOST_RING);
			return;
		}
		fill(r, s, flags, ret, now);
		if (in_place) {
			bpf_probe_read_user(&r->caller, sizeof(r->caller), (const void *)s->sp);
			if (desc.stat != 0xff)
				read_stat(r, &desc);
		}
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
		return;
	}

	/* One short string, the usual case: straight into the ring. */
	if (desc.str[1] == 0xff) {
		struct {
			struct rec_call call;
			char string[SHORT_STRING];
		} *shortcut = bpf_ringbuf_reserve(&ring, sizeof(*shortcut), 0);
		long n;

		if (!shortcut) {
			s->seq++;
			count_lost(LOST_RING);
			return;
		}
		n = bpf_probe_read_user_str(shortcut->string, SHORT_STRING, (const void *)first_string(s, &desc));
		if (n > 0 && n < SHORT_STRING) {
			r = &shortcut->call;
			fill(r, s, flags, ret, now);
			bpf_probe_read_user(&r->caller, sizeof(r->caller), (const void *)s->sp);
			if (desc.stat != 0xff)
				read_stat(r, &desc);
			r->str_len[0] = n;
			bpf_ringbuf_submit(shortcut, BPF_RB_NO_WAKEUP);
			return;
		}
		bpf_ringbuf_discard(shortcut, BPF_RB_NO_WAKEUP);
	}

	scratch = bpf_map_lookup_elem(&scratches, &zero);
	if (!scratch)
		return;
	r = &scratch->call;
	fill(r, s, flags, ret, now);
	bpf_probe_read_user(&r->caller, sizeof(r->caller), (const void *)s->sp);
	if (desc.stat != 0xff)
		read_stat(r, &desc);
	if (desc.str[0] < 6)
		add_string(scratch, 0, r->args[desc.str[0]], &at);
	if (desc.str[1] < 6)
		add_string(scratch, 1, r->args[desc.str[1]], &at);
	size = REC_HEAD + (at & 0x3fff);
	if (bpf_ringbuf_output(&ring, scratch, size, BPF_RB_NO_WAKEUP))
		count_lost(LOST_RING);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_exit, struct pt_regs *regs, long ret)
{
	struct task_state *s = state_of_current();
	__u32 flags = 0;
	__u64 now;
	__u8 armed;

	if (!s)
		return 0;
	armed = s->armed;
	s->armed = ARMED_NO;
	if (s->waiting)
		return 0;
	if (armed != ARMED_CALL) {
		/* No entry was seen: the child's side of a fork, or a call that seccomp answered. */
		s->nr = regs->orig_ax;
		s->ip = regs->ip;
		s->flags = bpf_get_current_task_btf()->thread_info.status & TS_COMPAT ? EV_COMPAT : 0;
		flags |= armed == ARMED_CHILD ? EV_FORK_CHILD : EV_NO_ENTER;
		if (count_only) {
			if (armed != ARMED_CHILD)
				count_entry(s, s->nr, s->ip);
			return 0;
		}
		s->sp = regs->sp;
		load_args(regs, s->args, s->flags);
		s->ts = now = bpf_ktime_get_boot_ns();
	} else {
		if (count_only) {
			if (site_inode)
				note_site(s, ret);
			return 0;
		}
		if (regs->orig_ax != (unsigned long)(long)s->nr)
			flags |= EV_NR_CHANGED;
		now = bpf_ktime_get_boot_ns();
	}
	emit(s, regs, flags, ret, now);
	return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(on_signal, int sig, struct kernel_siginfo *info, void *action)
{
	struct task_state *s = count_only ? 0 : state_of_current();
	struct rec_call *r;
	__u64 now;

	if (!s || s->waiting)
		return 0;
	now = bpf_ktime_get_boot_ns();
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		s->seq++;
		count_lost(LOST_RING);
		return 0;
	}
	fill(r, s, EV_SIGNAL, 0, now);
	r->kind = REC_SIGNAL;
	r->ts = now;
	r->nr = -1;
	r->ip = 0;
	__builtin_memset(r->args, 0, sizeof(r->args));
	r->args[0] = sig;
	/* 0 and 1 stand for signals without information: SEND_SIG_NOINFO, SEND_SIG_PRIV. */
	if ((unsigned long)info > 1)
		r->args[1] = (long)info->si_code;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline void emit_task(__u32 kind, __u32 tid, __u32 pid, __u32 parent, __s32 status)
{
	struct rec_task *r;

	if (count_only)
		return;
	r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		count_lost(LOST_RING);
		return;
	}
	r->kind = kind;
	r->status = status;
	r->ts = bpf_ktime_get_boot_ns();
	r->tid = tid;
	r->pid = pid;
	r->parent = parent;
	r->pad = 0;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct task_state *s = state_of_current(), *c;

	if (!s || s->waiting)
		return 0;
	c = bpf_task_storage_get(&tasks, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!c) {
		count_lost(LOST_STORAGE);
		return 0;
	}
	c->armed = ARMED_CHILD;
	c->site_start = s->site_start;
	c->site_end = s->site_end;
	__sync_fetch_and_add(&live_tasks, 1);
	__sync_fetch_and_add(&seen_tasks, 1);
	if (child->pid == child->tgid)
		emit_task(REC_FORK, child->pid, child->tgid, parent->tgid, 0);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct task_state *s = state_of_current();
	struct scratch *scratch;
	struct rec_exec *r;
	struct mm_struct *mm;
	__u32 zero = 0, key = task->tgid, at, *seq;
	__u64 auxv[2];
	long n;
	int i;

	if (!s)
		return 0;
	if (s->waiting) {
		s->waiting = 0;
		if (count_only)
			count_entry(s, s->nr, s->ip);
	}
	s->site_start = s->site_end = 0;
	if (count_only)
		return 0;
	if (old_pid != task->pid) {
		seq = bpf_map_lookup_elem(&leader_seq, &key);
		if (seq)
			s->seq = *seq;
	}
	scratch = bpf_map_lookup_elem(&scratches, &zero);
	mm = task->mm;
	if (!scratch || !mm)
		return 0;
	r = &scratch->exec;
	r->kind = REC_EXEC;
	r->pid = key;
	r->ts = bpf_ktime_get_boot_ns();
	r->old_tid = old_pid;
	r->parent = task->real_parent->tgid;
	r->start_code = mm->start_code;
	r->interp_base = 0;
	for (i = 0; i < 24; i++) {
		if (bpf_probe_read_kernel(auxv, sizeof(auxv), (const void *)&mm->saved_auxv[2 * i]) || !auxv[0])
			break;
		if (auxv[0] == AT_BASE)
			r->interp_base = auxv[1];
	}
	n = bpf_probe_read_kernel_str(scratch->bytes, TRACE_PATH_MAX, bprm->filename);
	at = n > 0 ? n & 0x1fff : 0;
	r->name_len = at;
	r->exe_len = 0;
	if (at <= TRACE_PATH_MAX && bprm->interp != bprm->filename) {
		n = bpf_probe_read_kernel_str(scratch->bytes + at, TRACE_PATH_MAX, bprm->interp);
		r->exe_len = n > 0 ? n & 0x1fff : 0;
		at += r->exe_len;
	}
	n = mm->arg_end - mm->arg_start;
	if (n > TRACE_ARGV_MAX - 1)
		n = TRACE_ARGV_MAX - 1;
	if (n < 0)
		n = 0;
	if (at > 2 * TRACE_PATH_MAX || bpf_probe_read_user(scratch->bytes + at, n & (TRACE_ARGV_MAX - 1),
							   (const void *)mm->arg_start))
		n = 0;
	r->argv_len = n;
	at += n & (TRACE_ARGV_MAX - 1);
	if (at > sizeof(scratch->bytes))
		return 0;
	if (bpf_ringbuf_output(&ring, scratch, REC_HEAD + at, BPF_RB_NO_WAKEUP))
		count_lost(LOST_RING);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_task_exit, struct task_struct *task)
{
	struct task_state *s = state_of_current();
	struct signal_struct *signal;
	__u32 pid, tid, seq;

	if (!s)
		return 0;
	pid = task->tgid;
	tid = task->pid;
	signal = task->signal;
	__sync_fetch_and_add(&live_tasks, -1);
	if (s->waiting)
		return 0;
	if (count_only) {
		struct thread_count c = {.pid = pid, .tid = tid, .entries = s->entries};

		bpf_map_update_elem(&thread_counts, &tid, &c, BPF_ANY);
		return 0;
	}
	if (s->armed == ARMED_CALL)
		emit(s, 0, EV_NO_EXIT, 0, bpf_ktime_get_boot_ns());
	s->armed = ARMED_NO;
	if (signal->live.counter > 0) {
		if (pid == tid) {
			seq = s->seq;
			bpf_map_update_elem(&leader_seq, &pid, &seq, BPF_ANY);
		}
		return 0;
	}
	emit_task(REC_EXIT, tid, pid, task->real_parent->tgid,
		  signal->flags & SIGNAL_GROUP_EXIT ? signal->group_exit_code : task->group_leader->exit_code);
	return 0;
}

/* Run once to attach: gives every thread of attach_tgid its storage. */
SEC("iter/task")
int add_threads(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task || (__u32)task->tgid != attach_tgid)
		return 0;
	if (bpf_task_storage_get(&tasks, task, 0, 0))
		return 0;
	if (!bpf_task_storage_get(&tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE)) {
		count_lost(LOST_STORAGE);
		return 0;
	}
	__sync_fetch_and_add(&live_tasks, 1);
	__sync_fetch_and_add(&seen_tasks, 1);
	return 0;
}

/* Run once before a count, by the recorder itself, which holds the site file open. */
SEC("iter/task")
int find_site(struct bpf_iter__task *ctx)
{
	if (ctx->task && !site_inode)
		site_inode = inode_of_fd(site_fd);
	return 0;
}
