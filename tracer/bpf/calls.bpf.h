/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The record of a call. Its entry notes time, arguments and place in the thread's storage; its return writes
 * the record.
 */
#ifndef SYSVM_TRACER_CALLS_BPF_H
#define SYSVM_TRACER_CALLS_BPF_H

/* Was not asked for: it has no number, and its record, if it makes one, is hidden. */
static __always_inline bool not_wanted(struct task_state *s)
{
	__u32 nr = s->nr;

	return nr < TRACE_NRS && calls[nr].hidden && !(s->flags & EV_COMPAT);
}

/* Only a mapping of code is needed in any case: it says where call sites lie. */
static __always_inline bool is_code_mapping(struct task_state *s)
{
	return s->nr == NR_MMAP && (s->args[2] & PROT_EXEC);
}

/* Ships the event of s. At the return of a call, or with EV_NO_EXIT at the end of the thread (regs is 0). */
static __always_inline void emit(struct task_state *s, struct pt_regs *regs, __u32 flags, long ret, __u64 now)
{
	const struct call_desc *desc = 0;
	struct cpu_ring *ring;
	struct rec_call *r;
	struct rec_tail *tail;
	__u32 nr = s->nr, at = sizeof(*r), nargs = 6, n;
	char *bytes;
	bool in_place, compat;

	flags |= s->flags;
	compat = flags & EV_COMPAT;
	if (not_wanted(s)) {
		if (!is_code_mapping(s))
			return;
		flags |= EV_HIDDEN;
	}
	ring = ring_of_cpu();
	if (!ring)
		return;
	bytes = reserve(ring, 0);
	if (!bytes) {
		if (!(flags & EV_HIDDEN)) {
			s->seq++;
			ring->lost++;
		}
		return;
	}
	r = (struct rec_call *)bytes;
	if (nr < TRACE_NRS && !compat) {
		desc = (const struct call_desc *)&calls[nr];
		nargs = desc->nargs;
	}
	if (ret <= -512 && ret >= -516) /* ERESTARTSYS ... ERESTART_RESTARTBLOCK */
		flags |= EV_RESTARTED;

	r->head.kind = REC_CALL;
	r->head.nr = nr;
	*(__u64 *)&r->head.tid = *(__u64 *)&s->tid;
	r->head.time = now;
	r->seq = s->seq;
	if (!(flags & EV_HIDDEN))
		s->seq++;
	r->dur = now - s->ts;
	r->ret = ret;
	r->ip = s->ip;
	r->caller = 0;
	__builtin_memcpy(bytes + sizeof(*r), s->args, 48);
	if (nargs > 6)
		nargs = 6;
	r->head.nargs = nargs;
	at += nargs * 8;

	/* After an exec, and where the thread is gone, there is nothing to read any more. */
	in_place = !minimal && regs && regs->sp == s->sp && !compat;
	if (in_place) {
		bpf_probe_read_user(&r->caller, sizeof(r->caller), (const void *)s->sp);
		if (desc && desc->stat != 0xff && ret == 0 &&
		    read_stat((struct rec_stat *)(bytes + at), (const void *)s->args[desc->stat & 7],
				      desc->is_statx)) {
			flags |= EV_HAS_STAT;
			at += sizeof(struct rec_stat);
		}
		if (desc && (desc->str[0] != 0xff || desc->data != 0xff)) {
			tail = (struct rec_tail *)(bytes + at);
			at += sizeof(*tail);
			*(__u64 *)tail = 0;
			flags |= EV_HAS_TAIL;
			if (desc->str[0] != 0xff) {
				n = read_string(bytes + at, s->args[desc->str[0] & 7], &flags);
				tail->str_len[0] = n;
				at += n;
				if (desc->str[1] != 0xff && at < 2 * TRACE_PATH_MAX) {
					n = read_string(bytes + at, s->args[desc->str[1] & 7], &flags);
					tail->str_len[1] = n;
					at += n;
				}
			}
			if (desc->data != 0xff && ret >= 0 && at < 4 * TRACE_PATH_MAX) {
				n = read_data(bytes + at, s, desc, ret);
				tail->data_len = n;
				tail->data_kind = desc->data_kind;
				if (n)
					flags |= EV_HAS_DATA;
				at += n;
			}
		}
	}
	r->flags = flags;
	publish(ring, &r->head, at);
	if (too_full(ring) && !(flags & EV_NO_EXIT))
		hold_back(s);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_enter, struct pt_regs *regs, long nr)
{
	struct task_state *s = state_of_current();

	if (!s)
		return 0;
	note_entry(s, regs, nr);
	s->sp = regs->sp;
	load_args(regs, s->args, s->flags);
	s->ts = now_ns();
	return 0;
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
	now = now_ns();
	if (armed != ARMED_CALL) {
		/* No entry was seen: the child's side of a fork, or a call that seccomp answered. */
		note_entry(s, regs, regs->orig_ax);
		s->armed = ARMED_NO;
		s->sp = regs->sp;
		load_args(regs, s->args, s->flags);
		s->ts = now;
		flags |= armed == ARMED_CHILD ? EV_FORK_CHILD : EV_NO_ENTER;
	} else if (regs->orig_ax != (unsigned long)(long)s->nr) {
		flags |= EV_NR_CHANGED;
	}
	emit(s, regs, flags, ret, now);
	return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(on_signal, int sig, struct kernel_siginfo *info, void *action)
{
	struct task_state *s = state_of_current();
	struct cpu_ring *ring;
	struct rec_call *r;
	__u64 *args;

	if (!s || s->waiting)
		return 0;
	ring = ring_of_cpu();
	if (!ring)
		return 0;
	r = reserve(ring, 0);
	if (!r) {
		s->seq++;
		ring->lost++;
		return 0;
	}
	r->head.kind = REC_SIGNAL;
	r->head.nargs = 2;
	r->head.nr = -1;
	r->head.tid = s->tid;
	r->head.pid = s->pid;
	r->head.time = now_ns();
	r->seq = s->seq++;
	r->flags = EV_SIGNAL;
	r->dur = 0;
	r->ret = 0;
	r->ip = 0;
	r->caller = 0;
	args = (__u64 *)(r + 1);
	args[0] = sig;
	/* 0 and 1 stand for signals without information: SEND_SIG_NOINFO, SEND_SIG_PRIV. So newer kernels do
	   not take it for a pointer that may be followed. */
	args[1] = (unsigned long)info > 1 ? (long)BPF_CORE_READ(info, si_code) : 0;
	publish(ring, &r->head, sizeof(*r) + 16);
	return 0;
}

#endif
