/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The records that the eBPF programs put into the ring buffer, and the settings and counters that they share with
 * user space. Included by sysvm_trace.bpf.c and by the recorder; never on disk (that is traces/trace.proto).
 *
 * Tested by tests/tracer/.
 */
#ifndef SYSVM_TRACER_EVENT_H
#define SYSVM_TRACER_EVENT_H

#include <linux/types.h>

enum record_kind {
	REC_CALL = 1,   /* struct rec_call: a call that returned, or that its thread ended inside */
	REC_SIGNAL = 2, /* struct rec_call: a signal was delivered */
	REC_FORK = 3,   /* struct rec_task: a thread or process was made */
	REC_EXEC = 4,   /* struct rec_exec */
	REC_EXIT = 5,   /* struct rec_task: the last thread of a process ended */
};

#define TRACE_NRS 512       /* call numbers with a row of their own; higher ones count as TRACE_NRS */
#define TRACE_PATH_MAX 4096 /* bytes kept of one string, closing 0 included */
#define TRACE_ARGV_MAX 8192 /* bytes kept of argv */

/* Flags of rec_call are enum EventFlag of traces/event.h; recorder.cc asserts that these are the same. */
#define EV_NO_ENTER (1u << 0)
#define EV_NO_EXIT (1u << 1)
#define EV_RESTARTED (1u << 2)
#define EV_FORK_CHILD (1u << 3)
#define EV_COMPAT (1u << 4)
#define EV_PATH_FAULT (1u << 5)
#define EV_PATH_CUT (1u << 6)
#define EV_SIGNAL (1u << 7)
#define EV_HAS_STAT (1u << 8)
#define EV_NR_CHANGED (1u << 9)

struct rec_call {
	__u32 kind;
	__u32 flags;
	__u64 ts; /* entry */
	__u64 end;
	__u32 tid;
	__u32 pid;
	__u32 seq;
	__s32 nr;
	__s64 ret;
	__u64 args[6];
	__u64 ip;
	__u64 caller;
	__u64 st_size;
	__u64 st_dev;
	__u32 st_mode;
	__u16 str_len[2]; /* bytes of the strings that follow, closing 0 included; 0: none */
};

struct rec_task {
	__u32 kind;
	__s32 status; /* REC_EXIT: as wait(2) gives it */
	__u64 ts;
	__u32 tid;
	__u32 pid;
	__u32 parent; /* thread group */
	__u32 pad;
};

struct rec_exec {
	__u32 kind;
	__u32 pid;
	__u64 ts;
	__u32 old_tid;
	__u32 parent;
	__u64 start_code; /* where the executable's text begins */
	__u64 interp_base; /* AT_BASE of the auxiliary vector: where ld.so is, or 0 */
	__u32 name_len; /* bytes of the name given to execve, closing 0 included; the strings follow at REC_HEAD */
	__u32 exe_len;  /* then of the file that runs, if it is another (the interpreter of a script), or 0 */
	__u32 argv_len; /* then of argv: words, each with its closing 0; the last may be cut */
	__u32 pad;
};

#define REC_HEAD sizeof(struct rec_call) /* where the strings of a record begin */

/* What the programs need to know about a call; index is its number. 0xff: no such argument. */
struct call_desc {
	__u8 str[2];  /* string arguments */
	__u8 stat;    /* argument that a struct stat, or statx, is returned in */
	__u8 is_statx;
};

struct call_count {
	__u64 entries;
	__u64 inside; /* of these, with the syscall instruction inside the site file */
};

struct thread_count {
	__u32 pid;
	__u32 tid;
	__u64 entries;
};

/* State of a traced thread; the value of the task storage. Its existence is what makes a thread traced. */
struct task_state {
	__u64 ts;
	__u64 args[6];
	__u64 ip;
	__u64 sp;
	__s32 nr;
	__u32 seq;
	__u32 flags;      /* EV_COMPAT of the call under way */
	__u8 armed;       /* enum armed */
	__u8 waiting;     /* 1: nothing counts before the next successful exec */
	__u16 pad;
	__u64 entries;
	__u64 site_start; /* where the site file is mapped executable */
	__u64 site_end;
};

enum armed { ARMED_NO = 0, ARMED_CALL = 1, ARMED_CHILD = 2 };

enum lost_reason { LOST_RING = 0, LOST_STORAGE = 1, LOST_REASONS = 2 };

#endif
