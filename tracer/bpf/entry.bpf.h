/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the entry of a call leaves in the thread's storage for its return. */
#ifndef SYSVM_TRACER_ENTRY_BPF_H
#define SYSVM_TRACER_ENTRY_BPF_H

#define TS_COMPAT 0x0002 /* thread_info.status: the call under way came through the 32-bit entry */
#define NR_MMAP 9
#define PROT_EXEC 4

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

static __always_inline void note_entry(struct task_state *s, struct pt_regs *regs, long nr)
{
	s->armed = ARMED_CALL;
	s->nr = nr;
	s->flags = bpf_get_current_task_btf()->thread_info.status & TS_COMPAT ? EV_COMPAT : 0;
	s->ip = regs->ip;
}

#endif
