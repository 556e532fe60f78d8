/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The few kernel structures that the eBPF programs look into, with only the members they use. libbpf
 * relocates each access to the running kernel's layout (CO-RE), so neither this machine's BTF nor its headers
 * are needed to build.
 *
 * Each structure so relocated costs every recording more than a millisecond: libbpf compares its name with
 * that of each type of the kernel. Hence those whose layout is fixed are written as they are, and not
 * relocated.
 */
#ifndef SYSVM_TRACER_KERNEL_TYPES_H
#define SYSVM_TRACER_KERNEL_TYPES_H

#include <linux/types.h>

typedef _Bool bool;
typedef int pid_t;

/* The order in which the entry code pushes them; ptrace and core dumps made it part of the ABI. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

/* The beginning of siginfo_t as user space sees it; the kernel asserts that when it is built. */
struct kernel_siginfo {
	int si_signo;
	int si_errno;
	int si_code;
};

/*
 * What an iterator is given. The verifier knows the type of each pointer, and refuses a program that mistakes
 * one.
 */
struct seq_file;
struct task_struct;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_info {
	__u32 status;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
};

struct mm_struct {
	unsigned long start_code;
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long saved_auxv[52];
};

struct pid_namespace;

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct inode;

struct file {
	struct inode *f_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	struct mm_struct *mm;
	pid_t pid;
	pid_t tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct files_struct *files;
	int exit_code;
};

struct linux_binprm {
	const char *filename;
	const char *interp;
};

#pragma clang attribute pop

#endif
