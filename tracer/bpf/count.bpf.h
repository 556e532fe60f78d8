/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Counting in the kernel, with nothing shipped: calls by number, by thread, and by whether the syscall
 * instruction lies in one chosen file; on request errors, latencies, the sequences of TRACE_GRAM calls in a
 * row, and all of it by image.
 */
#ifndef SYSVM_TRACER_COUNT_BPF_H
#define SYSVM_TRACER_COUNT_BPF_H

#define COUNT_GRAMS 32768
#define COUNT_IMAGES 16384

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRACE_NRS + 1);
	__type(key, __u32);
	__type(value, struct call_count);
} counts SEC(".maps");

/* Entries of each thread that has ended. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct thread_count);
} thread_counts SEC(".maps");

/* Sequence -> how often, for each processor. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, COUNT_GRAMS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u64);
} grams SEC(".maps");

/*
 * By number of the image. A thread counts in its own state, and adds that here when it ends or execs. Of more
 * images than there is room for the oldest are forgotten; user space knows the sum of all.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, COUNT_IMAGES);
	__type(key, __u32);
	__type(value, struct image_count);
} images SEC(".maps");

__u32 images_seen = 0;
__u64 grams_lost = 0; /* for which there was no room any more */

static __always_inline struct call_count *count_of(struct task_state *s)
{
	__u32 key = s->flags & EV_COMPAT || (__u32)s->nr >= TRACE_NRS ? TRACE_NRS : (__u32)s->nr;

	return bpf_map_lookup_elem(&counts, &key);
}

static __always_inline void count_gram(struct task_state *s)
{
	__u64 key, one = 1, *n;

	s->gram = s->gram << 16 |
		  (s->flags & EV_COMPAT || (__u32)s->nr >= TRACE_NRS ? TRACE_NRS : (__u32)s->nr);
	if (++s->grams_seen < TRACE_GRAM)
		return;
	key = s->gram;
	n = bpf_map_lookup_elem(&grams, &key);
	if (n)
		++*n;
	else if (bpf_map_update_elem(&grams, &key, &one, BPF_NOEXIST))
		__sync_fetch_and_add(&grams_lost, 1);
}

static __always_inline void add_to_image(struct task_state *s)
{
	__u32 key = s->image;
	struct image_count *c = bpf_map_lookup_elem(&images, &key);

	if (c) {
		__sync_fetch_and_add(&c->entries, s->image_entries);
		__sync_fetch_and_add(&c->errors, s->image_errors);
		__sync_fetch_and_add(&c->ns, s->image_ns);
	}
	s->image_entries = s->image_ns = s->image_errors = 0;
}

/* path: of an exec; none: the child of a fork. */
static __always_inline void begin_image(struct task_state *s, __u32 parent, const char *path)
{
	struct image_count c = {.pid = s->pid, .parent = parent};
	__u32 key = __sync_fetch_and_add(&images_seen, 1) + 1;

	if (path)
		bpf_probe_read_kernel_str(c.path, sizeof(c.path), path);
	s->image = key;
	bpf_map_update_elem(&images, &key, &c, BPF_ANY);
}

static __always_inline void count_entry(struct task_state *s)
{
	struct call_count *c = count_of(s);

	if (s->waiting)
		return;
	s->entries++;
	if (c) {
		c->entries++;
		if (s->ip - s->site_start < s->site_end - s->site_start)
			c->inside++;
	}
	if (count_times) {
		s->image_entries++;
		count_gram(s);
	}
}

static __always_inline __u32 log2_of(__u64 n)
{
	__u32 log = 0;

	if (n >> 31)
		return 31;
	if (n >> 16) {
		log += 16;
		n >>= 16;
	}
	if (n >> 8) {
		log += 8;
		n >>= 8;
	}
	if (n >> 4) {
		log += 4;
		n >>= 4;
	}
	if (n >> 2) {
		log += 2;
		n >>= 2;
	}
	return log + (n >> 1);
}

static __always_inline void count_return(struct task_state *s, long ret, bool timed)
{
	struct call_count *c;
	__u64 ns;

	if (!count_times)
		return;
	c = count_of(s);
	if (!c)
		return;
	if (ret < 0 && ret > -4096)
		c->errors++, s->image_errors++;
	if (!timed)
		return;
	ns = now_ns() - s->ts;
	c->ns += ns;
	s->image_ns += ns;
	c->slots[log2_of(ns) & 31]++;
}

/* The inode of a descriptor of the running task, as a number, or 0. */
static __always_inline __u64 inode_of_fd(__u32 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(bpf_get_current_task_btf(), files, fdt);
	struct file *file = 0;

	if (!fdt || fd >= BPF_CORE_READ(fdt, max_fds) ||
	    bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(fdt, fd) + fd) || !file)
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

SEC("tp_btf/sys_enter")
int BPF_PROG(count_enter, struct pt_regs *regs, long nr)
{
	struct task_state *s = state_of_current();

	if (!s)
		return 0;
	note_entry(s, regs, nr);
	count_entry(s);
	if (site_inode)
		load_args(regs, s->args, s->flags);
	if (count_times)
		s->ts = now_ns();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(count_exit, struct pt_regs *regs, long ret)
{
	struct task_state *s = state_of_current();
	__u8 armed;

	if (!s)
		return 0;
	armed = s->armed;
	s->armed = ARMED_NO;
	if (s->waiting || armed == ARMED_CHILD)
		return 0;
	if (armed == ARMED_CALL) {
		if (site_inode)
			note_site(s, ret);
	} else { /* a call that seccomp answered */
		note_entry(s, regs, regs->orig_ax);
		s->armed = ARMED_NO;
		count_entry(s);
	}
	count_return(s, ret, armed == ARMED_CALL);
	return 0;
}

/* Run once, by the recorder itself, which holds the site file open. */
SEC("raw_tp/sys_enter")
int find_site(void *ctx)
{
	site_inode = inode_of_fd(site_fd);
	return 0;
}

#endif
