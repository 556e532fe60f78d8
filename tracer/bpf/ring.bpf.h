/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Writing into the ring of this processor (struct cpu_ring), and holding a thread back when it fills.
 *
 * A record is put together in place: reserve() gives room for the longest, publish() keeps what was used. The
 * kernel's own BPF ring buffer would take a lock and two helper calls for each record.
 *
 * Holding: at the return of a call, after its record was written, a thread waits here while its ring is
 * fuller than high_water, but at most HOLD_NS, for it waits without giving up the processor (programs at
 * tracepoints may not sleep). The rest of the ring is room for as many further calls, each held as long, so
 * the reader may be late by seconds. No signal is sent and nothing is frozen: the thread is on its way back
 * from a call that is over, so no parent sees a stop, and no other thread's call is interrupted.
 */
#ifndef SYSVM_TRACER_RING_BPF_H
#define SYSVM_TRACER_RING_BPF_H

#define HOLD_NS 1000000
#define HOLD_LOOKS 100000 /* more than fit into HOLD_NS */

const volatile __u64 ring_bytes = RING_MIN; /* power of two */
const volatile __u64 high_water = 0;        /* 0: never hold; else bytes */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, RING_HEAD + RING_MIN + RING_SLACK);
} rings SEC(".maps");

#define barrier() asm volatile("" ::: "memory") /* x86 keeps stores in order */

static __always_inline struct cpu_ring *ring_of_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&rings, &cpu);
}

/*
 * Room for RING_SLACK bytes, or 0: then the caller counts the loss. Calls leave as much again to the rare
 * records of forks and ends, without which the others are hard to make sense of.
 */
static __always_inline void *reserve(struct cpu_ring *ring, bool rare)
{
	__u64 head = ring->head;

	if (ring->busy ||
	    head - *(volatile __u64 *)&ring->tail > ring_bytes - (rare ? RING_SLACK : 2 * RING_SLACK))
		return 0;
	ring->busy = 1;
	barrier();
	return (char *)ring + RING_HEAD + (head & (ring_bytes - 1) & ~7ull);
}

static __always_inline void publish(struct cpu_ring *ring, struct rec_head *head, __u32 bytes)
{
	__u64 at = ring->head, next;

	head->units = (bytes + 7) >> 3;
	next = at + (head->units << 3);
	if ((at ^ next) & ring_bytes) /* over the end: a new lap */
		next &= ~(ring_bytes - 1);
	barrier();
	*(volatile __u64 *)&ring->head = next;
	barrier();
	ring->busy = 0;
}

struct hold {
	__u64 since;
	__u64 now;
};

static long still_full(__u32 turn, void *context)
{
	struct hold *hold = context;
	struct cpu_ring *ring = ring_of_cpu();

	hold->now = now_ns();
	if (!ring || hold->now - hold->since > HOLD_NS)
		return 1;
	return ring->head - *(volatile __u64 *)&ring->tail <= high_water;
}

static __noinline int hold_back(struct task_state *s)
{
	struct cpu_ring *ring = ring_of_cpu();
	struct hold hold;
	struct rec_task *r;

	if (!ring || !s)
		return 0;
	hold.since = hold.now = now_ns();
	bpf_loop(HOLD_LOOKS, still_full, &hold, 0);
	ring->held++;
	ring->held_ns += hold.now - hold.since;
	r = reserve(ring, 1);
	if (!r) {
		ring->lost_task++;
		return 0;
	}
	r->head.kind = REC_HELD;
	r->head.nargs = 0;
	r->head.nr = 0;
	r->head.tid = s->tid;
	r->head.pid = s->pid;
	r->head.time = hold.now;
	r->parent = 0;
	r->next_seq = 0;
	r->from = hold.since;
	publish(ring, &r->head, sizeof(*r));
	return 0;
}

static __always_inline bool too_full(struct cpu_ring *ring)
{
	return high_water && ring->head - *(volatile __u64 *)&ring->tail > high_water;
}

#endif
