/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The ABI between a program and the sysvm machine: the shared page, the ioctls of /dev/sysvm, the numbers.
 *
 * Rules of this file: __u32/__u64 only, explicit padding, reserved fields are zero, unknown flags are
 * -EINVAL, numbers are explicit and never reused. Little-endian. Everything in a shared page is hostile to
 * the kernel: fetched once, checked at use.
 *
 * Instructions: opcodes.inc. System calls: syscalls.inc. Tested by tests/uapi/.
 */
#ifndef SYSVM_UAPI_SYSVM_H
#define SYSVM_UAPI_SYSVM_H

#include <linux/types.h>
#include <linux/ioctl.h>

/* Of the machine: page, instructions, system calls. Procedure files name it. */
#define SYSVM_ABI_VERSION 1
/* Of the ioctls. Version 1 had other numbers (SYSVM_IOC_MAGIC_1) and no SYSVM_IOC_CONTEXT. */
#define SYSVM_DEVICE_ABI_VERSION 2

#define SYSVM_PAGE_SIZE 4096
#define SYSVM_NREGS 256
#define SYSVM_HEADER_SIZE 128
#define SYSVM_CODE_OFFSET 2176
#define SYSVM_PAGE_CODE_MAX 1920  /* bytes of code in a page */
#define SYSVM_PROC_CODE_MAX 16384 /* bytes of code in a stored procedure */
#define SYSVM_PROC_PAGE 0xffffffffu /* sysvm_run.proc: run the code in the page */
#define SYSVM_FUEL_MAX (1u << 20)   /* instructions for one entry; larger values are cut to this */

/* Why the machine stopped; sysvm_page.status. */
enum sysvm_status {
	SYSVM_IDLE = 0,     /* has not run */
	SYSVM_DONE = 1,     /* END was reached */
	SYSVM_ERROR = 2,    /* a call without go-on returned an error; pc names the call, error its errno */
	SYSVM_FAULT = 3,    /* a load or store touched bad memory; error is EFAULT */
	SYSVM_FUEL = 4,     /* fuel is spent; resumable */
	SYSVM_SIGNAL = 5,   /* a signal is pending, nothing is half done; resumable */
	/* a filter, tracer or auditor may judge this task: make the calls plainly from pc; resumable */
	SYSVM_FALLBACK = 6,
	SYSVM_INVALID = 7,  /* the verifier refused the code; pc names the byte */
	SYSVM_ARITH = 8,    /* division by zero */
	SYSVM_RESTART = 9,  /* the call at pc was interrupted and asks to be restarted; resumable */
	SYSVM_YIELD = 10,   /* the time for one entry is used up, or the kernel has work to do; resumable */
};

/* How a wide instruction over dirents (opcodes.inc) ended, when it did not at a kind of file. */
enum sysvm_entries_end {
	SYSVM_ENTRIES_ALL = 0,	     /* no dirent is left */
	SYSVM_ENTRIES_FULL = 1,	     /* no call may be made any more, or there is no room for its record */
	SYSVM_ENTRIES_ELSEWHERE = 2, /* the name is on another device: its record is there, and not counted */
	SYSVM_ENTRIES_BAD = 3,	     /* what follows is no dirent */
};

/*
 * The page: 4096 bytes, one for each thread. It is the machine's whole state, so a stopped program is resumed
 * from it. Written by the machine at every stop: status, pc, error, fuel, run_seq, counters, registers.
 */
struct sysvm_page {
	__u32 abi;       /*   0: SYSVM_ABI_VERSION */
	__u32 status;    /*   4: enum sysvm_status */
	__u32 pc;        /*   8: byte offset of the instruction that the machine stopped at, or its prefix */
	__s32 error;     /*  12: errno of the stop as a positive number, or 0 */
	__u64 fuel;      /*  16: in: instructions that this run may take; out: what is left */
	__u64 run_seq;   /*  24: sequence number of the run that this state belongs to */
	__u32 proc;      /*  32: procedure that ran, or SYSVM_PROC_PAGE */
	__u32 code_len;  /*  36: in: bytes of code in this page */
	__u64 data_base; /*  40: in: user address of the data section of the code in this page */
	__u64 insns;     /*  48: instructions executed since the page was made */
	__u64 calls;     /*  56: inner calls made since the page was made */
	__u64 runs;      /*  64: entries since the page was made */
	__u64 fallbacks; /*  72: entries that ended in SYSVM_FALLBACK */
	__u64 reserved[6]; /* 80 */
	__u64 reg[SYSVM_NREGS];		   /*  128 */
	__u8 code[SYSVM_PAGE_CODE_MAX];    /* 2176 */
};

/*
 * ioctl(fd, SYSVM_IOC_RUN, &run): run the code of the page of the calling thread, or a stored procedure on
 * that page. Returns 0 whenever the machine itself stopped (see page->status). Other returns: EINTR (the
 * inner call at pc was interrupted by a handler that does not restart; status is SYSVM_RESTART), EINVAL,
 * EFAULT, ENOENT (no such procedure), ENXIO (the thread has no page), EBUSY (the page is already running),
 * EPERM (not the mm that opened the device), EBADF (not by a plain system call: a program cannot enter the
 * machine).
 *
 * A run starts at pc 0 unless page->run_seq == run.seq and page->status is resumable: then it goes on at
 * page->pc. So each new run takes a new seq (never 0), and a restart by the kernel, which repeats the same
 * ioctl, resumes.
 */
struct sysvm_run {
	__u32 flags; /* 0 */
	__u32 proc;  /* number given by DEFINE, or SYSVM_PROC_PAGE */
	__u64 seq;
	__u64 reserved[2];
};

/*
 * fadvise64(fd, seq, proc, SYSVM_ADVICE_RUN): the same as SYSVM_IOC_RUN, by a shorter path through the
 * kernel, where sysvm_query.features has SYSVM_FEATURE_FADVISE (module parameter fadvise, off by default:
 * security modules that judge ioctls do not see it). Same results; EINVAL also for any other advice.
 */
#define SYSVM_ADVICE_RUN 0x7376 /* no advice of the kernel's */
#define SYSVM_FEATURE_FADVISE 1u

/*
 * ioctl(fd, SYSVM_IOC_DEFINE, &define): verify and copy a stored procedure; it never changes after that. On
 * EINVAL from the verifier the message (with a closing 0, cut to message_len) says which byte and what was
 * expected. Other errors: E2BIG, ENOSPC (too many procedures or bytes for this context), ENOMEM, EFAULT.
 */
struct sysvm_define {
	__u64 code; /* user address */
	__u32 code_len;
	__u32 flags; /* 0 */
	__u64 data_base; /* user address that DATA counts from; only ever used as a number */
	__u64 message;	 /* user address, or 0 */
	__u32 message_len;
	__u32 proc;	 /* out: its number */
	__u32 error_at;	 /* out: the byte that the verifier refused */
	__u32 reserved0;
	__u64 reserved[2];
};

/* ioctl(fd, SYSVM_IOC_UNDEFINE, &proc_number): a __u32. A run in progress keeps its procedure alive. */

/* ioctl(fd, SYSVM_IOC_QUERY, &query): what this module can do. Fails only with EFAULT. */
struct sysvm_query {
	__u32 abi;	     /* out */
	__u32 page_size;     /* out */
	__u32 max_procs;     /* out: for one context */
	__u32 max_code;      /* out: bytes for one procedure */
	__u64 max_fuel;	     /* out */
	__u64 features;	     /* out: SYSVM_FEATURE_* */
	__u64 supported[4];  /* out: bit i of word i/64: the call with call index i (syscalls.inc) is bound */
	__u32 device_abi;    /* out: SYSVM_DEVICE_ABI_VERSION; 0 of those that had none */
	__u32 reserved0;
	__u64 reserved[3];
};

/*
 * ioctl(fd, SYSVM_IOC_CONTEXT, &settings): what the programs of this open file are, where features has
 * SYSVM_FEATURE_CONTEXT.
 *
 * SYSVM_CONTEXT_AHEAD: they make calls that the application has not made and may never make. Under a seccomp
 * filter such a program stops with FALLBACK before a call that the filter does not plainly allow, even where
 * the module asks filters (parameter seccomp): a filter takes no action for a call that the application has
 * not made.
 */
#define SYSVM_CONTEXT_AHEAD 1u
#define SYSVM_FEATURE_CONTEXT 2u
/* Wide instructions (opcodes.inc): a module without them refuses procedures that have some. */
#define SYSVM_FEATURE_WIDE 4u
struct sysvm_context_settings {
	__u32 flags; /* SYSVM_CONTEXT_*; others are EINVAL */
	__u32 reserved[3];
};

/* Free in the kernel's Documentation/userspace-api/ioctl/ioctl-number.rst. */
#define SYSVM_IOC_MAGIC 0xD5
#define SYSVM_IOC_MAGIC_1 0xB7 /* of device ABI 1, and nsfs's: answered with ENOTTY */
#define SYSVM_IOC_QUERY _IOR(SYSVM_IOC_MAGIC, 0x00, struct sysvm_query)
#define SYSVM_IOC_RUN _IOW(SYSVM_IOC_MAGIC, 0x01, struct sysvm_run)
#define SYSVM_IOC_DEFINE _IOWR(SYSVM_IOC_MAGIC, 0x02, struct sysvm_define)
#define SYSVM_IOC_UNDEFINE _IOW(SYSVM_IOC_MAGIC, 0x03, __u32)
#define SYSVM_IOC_CONTEXT _IOW(SYSVM_IOC_MAGIC, 0x04, struct sysvm_context_settings)

#endif
