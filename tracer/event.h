/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The records that the eBPF programs put into the ring of their processor, and the settings and counters that
 * they share with user space. Included by the programs in bpf/ and by bpf_session.cc; never on disk (that is
 * traces/trace.proto).
 *
 * Tested by tests/tracer/.
 */
#ifndef SYSVM_TRACER_EVENT_H
#define SYSVM_TRACER_EVENT_H

#include <linux/types.h>

enum record_kind {
	REC_CALL = 1,   /* struct rec_call: a call that returned, or that its thread ended inside */
	REC_SIGNAL = 2, /* struct rec_call: a signal was delivered */
	REC_FORK = 3,   /* struct rec_task: a process was made */
	REC_EXEC = 4,   /* struct rec_exec */
	REC_THREAD = 5, /* struct rec_task: a thread ended */
	REC_EXIT = 6,   /* struct rec_task: the last thread of a process ended */
	REC_HELD = 7,   /* struct rec_task: a thread was held, so that nothing is lost */
};

#define TRACE_NRS 512        /* call numbers with a row of their own; higher ones count as TRACE_NRS */
#define TRACE_PATH_MAX 4096  /* bytes kept of one string, closing 0 included */
#define TRACE_ARGV_MAX 8192  /* bytes kept of argv */
#define TRACE_DATA_MAX 16384 /* bytes kept of what a call read or wrote through a pointer */

/* Flags of rec_call: those of traces/event_codes.inc, EV_NO_ENTER and so on. */
enum event_flag {
#define SYSVM_EVENT_FLAG(bit, name, NAME) EV_##NAME = 1u << bit,
#include "../traces/event_codes.inc"
};
/* Between the programs and user space only. */
#define EV_HAS_TAIL (1u << 14) /* a struct rec_tail follows */
#define EV_HIDDEN (1u << 15)   /* not asked for, and without a number: sent for the mapping that it made */

/* Every record begins so. Of one ring, records come in order of time; of one thread, too. */
struct rec_head {
	__u16 units; /* length of the record, in units of 8 bytes */
	__u8 kind;
	__u8 nargs; /* rec_call: argument words */
	__s32 nr;   /* rec_call: number of the call; rec_task REC_EXIT: status as wait(2) gives it */
	__u32 tid;
	__u32 pid;
	__u64 time; /* when it was made: for a call, its return. CLOCK_BOOTTIME */
};

struct rec_call {
	struct rec_head head;
	__u32 seq;
	__u32 flags;
	__u64 dur;
	__s64 ret;
	__u64 ip;
	__u64 caller;
	/*
	 * Then: __u64 args[nargs]; struct rec_stat with EV_HAS_STAT; struct rec_tail with EV_HAS_TAIL, and
	 * its bytes.
	 */
};

struct rec_stat {
	__u64 dev;
	__u64 ino;
	__u64 size;
	__u32 mode;
	__u32 pad;
};

struct rec_tail {
	__u16 str_len[2]; /* bytes of the strings, closing 0 included, 0: none; they follow one another */
	__u16 data_len;   /* then of the data */
	__u16 data_kind;  /* enum DataKind of traces/event.h, or TRACE_DATA_RAW_DIRENTS */
};
#define TRACE_DATA_RAW_DIRENTS 100 /* struct linux_dirent64 as the kernel wrote them */

struct rec_task {
	struct rec_head head;
	__u32 parent;   /* thread group */
	__u32 next_seq; /* REC_THREAD: how far its numbers went */
	__u64 from;     /* REC_HELD: since when */
};

struct rec_exec {
	struct rec_head head;
	__u32 old_tid;
	__u32 parent;
	__u64 start_code;  /* where the executable's text begins */
	__u64 interp_base; /* AT_BASE of the auxiliary vector: where ld.so is, or 0 */
	__u32 name_len;    /* bytes of the name given to execve, closing 0 included */
	/* then of the file that runs, if it is another (the interpreter of a script), or 0 */
	__u32 exe_len;
	__u32 argv_len;    /* then of argv: words, each with its closing 0; the last may be cut */
	__u32 pad;
};

/*
 * The ring of one processor. Its programs run one at a time, so the records need no lock: bytes are written
 * first, then head is moved. User space moves tail. Both count bytes since the beginning. A record is never
 * split: one that begins before the end of the ring goes on into the slack after it, and the next begins a
 * new lap.
 */
struct cpu_ring {
	__u64 head;
	__u64 lost;     /* numbered events for which there was no room */
	__u64 lost_task; /* other records */
	__u64 busy;     /* a program is writing */
	__u64 held;     /* times that a thread was held, and nanoseconds in all */
	__u64 held_ns;
	__u64 pad[2];
	__u64 tail;
	__u64 pad2[7]; /* its own cache line: it is the reader's */
};
#define RING_HEAD sizeof(struct cpu_ring)
#define RING_SLACK (40 << 10) /* more than the longest record */
#define RING_MIN (256 << 10)

/* What the programs need to know about a call; index is its number. 0xff: no such argument. */
struct call_desc {
	__u8 nargs;
	__u8 str[2]; /* string arguments */
	__u8 stat;   /* argument that a struct stat, or statx, is returned in */
	__u8 is_statx;
	__u8 hidden; /* not asked for */
	__u8 data;   /* argument that points to data worth keeping */
	/* argument that says how many elements it has; 0xfe: the result does; 0xfd: one; 0xfc: a msghdr */
	__u8 data_len;
	__u16 data_size; /* bytes of an element */
	__u16 data_max;  /* bytes kept */
	__u16 data_kind;
	__u16 pad;
};

struct call_count {
	__u64 entries;
	__u64 inside; /* of these, with the syscall instruction inside the site file */
	__u64 errors;
	__u64 ns; /* from entry to return, of those that returned */
	__u32 slots[32]; /* of those, by the logarithm to base 2 of the nanoseconds */
};

struct thread_count {
	__u32 pid;
	__u32 tid;
	__u64 entries;
};

#define IMAGE_PATH_MAX 128

/* One image of a process: from a fork to its exec, from an exec to the next one or the end. */
struct image_count {
	__u32 pid;
	__u32 parent; /* of a fork's child: the image that it was forked from; else 0 */
	__u64 entries;
	__u64 errors;
	__u64 ns; /* as in call_count */
	char path[IMAGE_PATH_MAX]; /* as given to execve, the beginning; "" if it has not execed */
};

/* State of a traced thread; the value of the task storage. Its existence is what makes a thread traced. */
struct task_state {
	__u64 ts;
	__u64 args[8]; /* 6 are used; 8 so that a masked index is inside */
	__u64 ip;
	__u64 sp;
	__s32 nr;
	__u32 seq;
	__u32 tid; /* as the recorder's pid namespace knows it */
	__u32 pid;
	__u16 flags;   /* EV_COMPAT of the call under way */
	__u8 armed;    /* enum armed */
	__u8 waiting;  /* 1: nothing counts before the next successful exec */
	__u32 grams_seen; /* calls that gram holds, at most TRACE_GRAM */
	__u64 gram;    /* the last calls, 16 bits each */
	__u64 entries;
	__u32 image;	/* its number, from 1 on; with count_times, as what follows: since it began */
	__u32 image_errors;
	__u64 image_entries;
	__u64 image_ns;
	__u64 site_start; /* where the site file is mapped executable */
	__u64 site_end;
};

#define TRACE_GRAM 4 /* calls of a sequence that is counted */

enum armed { ARMED_NO = 0, ARMED_CALL = 1, ARMED_CHILD = 2 };

#endif
