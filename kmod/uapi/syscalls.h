/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The words of syscalls.inc as enums, its rows as structs, and their lookup (vm/syscalls.c: the same C in
 * kernel and user space). What the tracer's decoder, the miner, the module's rows and the shim read.
 *
 * It says what a call may do, not whether it may be run ahead at this moment: that is the shim's contract.
 * Tested by tests/uapi/.
 */
#ifndef SYSVM_UAPI_SYSCALLS_H
#define SYSVM_UAPI_SYSCALLS_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sysvm_effect {
	SYSVM_EFFECT_PURE = 0,
	SYSVM_EFFECT_QUIET = 1,
	SYSVM_EFFECT_ADVICE = 2,
	SYSVM_EFFECT_FD = 3,
	SYSVM_EFFECT_POS = 4,
	SYSVM_EFFECT_PRIV = 5,
	SYSVM_EFFECT_FREE = 6,
	SYSVM_EFFECT_MUT = 7,
	SYSVM_EFFECT_SYNC = 8,
	SYSVM_EFFECT_CTX = 9,
	SYSVM_EFFECT_TASK = 10,
};

enum sysvm_result {
	SYSVM_RESULT_INT = 0,
	SYSVM_RESULT_UINT = 1,
	SYSVM_RESULT_FD = 2,
	SYSVM_RESULT_BYTES = 3,
	SYSVM_RESULT_POS = 4,
	SYSVM_RESULT_ADDR = 5,
	SYSVM_RESULT_ZERO = 6,
	SYSVM_RESULT_PID = 7,
	SYSVM_RESULT_SIG = 8,
	SYSVM_RESULT_NONE = 9,
};

enum sysvm_undo {
	SYSVM_UNDO_NONE = 0,
	SYSVM_UNDO_SEEK = 1,
	SYSVM_UNDO_CLOSE = 2,
	SYSVM_UNDO_CLRFD = 3,
	SYSVM_UNDO_NEVER = 4,
};

enum sysvm_call_flags {
	SYSVM_FLAG_0 = 0,
	SYSVM_FLAG_BLOCK = 1,
	SYSVM_FLAG_AHEAD = 2,
	SYSVM_FLAG_TRIGGER = 4,
	/* the combinations that syscalls.inc uses */
	SYSVM_FLAG_AHEAD_TRIGGER = 6,
	SYSVM_FLAG_BLOCK_TRIGGER = 5,
	SYSVM_FLAG_BLOCK_AHEAD_TRIGGER = 7,
};

enum sysvm_arg_kind {
	SYSVM_KIND_NONE = 0,
	SYSVM_KIND_FD = 1,
	SYSVM_KIND_DIRFD = 2,
	SYSVM_KIND_PATH = 3,
	SYSVM_KIND_STR = 4,
	SYSVM_KIND_INT = 5,
	SYSVM_KIND_UINT = 6,
	SYSVM_KIND_FLAGS = 7,
	SYSVM_KIND_MODE = 8,
	SYSVM_KIND_SIZE = 9,
	SYSVM_KIND_OFF = 10,
	SYSVM_KIND_PID = 11,
	SYSVM_KIND_SIG = 12,
	SYSVM_KIND_PTR = 13,
	SYSVM_KIND_CMD = 14,
	SYSVM_KIND_IN = 15,	 /* param: argument that holds the size */
	SYSVM_KIND_OUT = 16,	 /* param: argument that holds the size */
	SYSVM_KIND_OUTN = 17,	 /* param: argument that holds the size */
	SYSVM_KIND_INS = 18,	 /* param: bytes */
	SYSVM_KIND_OUTS = 19,	 /* param: bytes */
	SYSVM_KIND_IOV_IN = 20,	 /* param: argument that holds the count */
	SYSVM_KIND_IOV_OUT = 21, /* param: argument that holds the count */
	SYSVM_KIND_MSG_IN = 22,
	SYSVM_KIND_MSG_OUT = 23,
};

struct sysvm_arg_info {
	__u16 kind; /* enum sysvm_arg_kind */
	__u16 param;
};

/* The argument kinds of the table as initialisers of struct sysvm_arg_info. */
#define SYSVM_ARG__                                                                                          \
	{                                                                                                    \
		SYSVM_KIND_NONE, 0                                                                           \
	}
#define SYSVM_ARG_FD                                                                                         \
	{                                                                                                    \
		SYSVM_KIND_FD, 0                                                                             \
	}
#define SYSVM_ARG_DIRFD                                                                                      \
	{                                                                                                    \
		SYSVM_KIND_DIRFD, 0                                                                          \
	}
#define SYSVM_ARG_PATH                                                                                       \
	{                                                                                                    \
		SYSVM_KIND_PATH, 0                                                                           \
	}
#define SYSVM_ARG_STR                                                                                        \
	{                                                                                                    \
		SYSVM_KIND_STR, 0                                                                            \
	}
#define SYSVM_ARG_INT                                                                                        \
	{                                                                                                    \
		SYSVM_KIND_INT, 0                                                                            \
	}
#define SYSVM_ARG_UINT                                                                                       \
	{                                                                                                    \
		SYSVM_KIND_UINT, 0                                                                           \
	}
#define SYSVM_ARG_FLAGS                                                                                      \
	{                                                                                                    \
		SYSVM_KIND_FLAGS, 0                                                                          \
	}
#define SYSVM_ARG_MODE                                                                                       \
	{                                                                                                    \
		SYSVM_KIND_MODE, 0                                                                           \
	}
#define SYSVM_ARG_SIZE                                                                                       \
	{                                                                                                    \
		SYSVM_KIND_SIZE, 0                                                                           \
	}
#define SYSVM_ARG_OFF                                                                                        \
	{                                                                                                    \
		SYSVM_KIND_OFF, 0                                                                            \
	}
#define SYSVM_ARG_PID                                                                                        \
	{                                                                                                    \
		SYSVM_KIND_PID, 0                                                                            \
	}
#define SYSVM_ARG_SIG                                                                                        \
	{                                                                                                    \
		SYSVM_KIND_SIG, 0                                                                            \
	}
#define SYSVM_ARG_PTR                                                                                        \
	{                                                                                                    \
		SYSVM_KIND_PTR, 0                                                                            \
	}
#define SYSVM_ARG_CMD                                                                                        \
	{                                                                                                    \
		SYSVM_KIND_CMD, 0                                                                            \
	}
#define SYSVM_ARG_IN(n)                                                                                      \
	{                                                                                                    \
		SYSVM_KIND_IN, n                                                                             \
	}
#define SYSVM_ARG_OUT(n)                                                                                     \
	{                                                                                                    \
		SYSVM_KIND_OUT, n                                                                            \
	}
#define SYSVM_ARG_OUTN(n)                                                                                    \
	{                                                                                                    \
		SYSVM_KIND_OUTN, n                                                                           \
	}
#define SYSVM_ARG_INS(bytes)                                                                                 \
	{                                                                                                    \
		SYSVM_KIND_INS, bytes                                                                        \
	}
#define SYSVM_ARG_OUTS(bytes)                                                                                \
	{                                                                                                    \
		SYSVM_KIND_OUTS, bytes                                                                       \
	}
#define SYSVM_ARG_IOV_IN(n)                                                                                  \
	{                                                                                                    \
		SYSVM_KIND_IOV_IN, n                                                                         \
	}
#define SYSVM_ARG_IOV_OUT(n)                                                                                 \
	{                                                                                                    \
		SYSVM_KIND_IOV_OUT, n                                                                        \
	}
#define SYSVM_ARG_MSG_IN                                                                                     \
	{                                                                                                    \
		SYSVM_KIND_MSG_IN, 0                                                                         \
	}
#define SYSVM_ARG_MSG_OUT                                                                                    \
	{                                                                                                    \
		SYSVM_KIND_MSG_OUT, 0                                                                        \
	}

struct sysvm_syscall_info {
	const char *name;
	__u16 nr;
	__s16 index; /* call index, or -1 */
	__u8 nargs;
	__u8 effect;
	__u8 result;
	__u8 undo;
	__u8 flags;
	__u8 reserved[3];
	struct sysvm_arg_info arg[6];
};

/* A command of fcntl or ioctl; arg describes the third argument. */
struct sysvm_command_info {
	const char *name;
	__u32 cmd;
	__u8 effect;
	__u8 result;
	__u8 undo;
	__u8 flags;
	struct sysvm_arg_info arg;
};

/* SYSVM_NR_read and so on: system call numbers; SYSVM_CALL_read: call index, or -1. */
enum sysvm_nr {
#define SYSVM_SYSCALL(nr, name, ...) SYSVM_NR_##name = nr,
#include "syscalls.inc"
	SYSVM_NR_END, /* one more than the last number */
};
enum sysvm_call_index {
#define SYSVM_SYSCALL(nr, name, index, ...) SYSVM_CALL_##name = index,
#include "syscalls.inc"
};

/* Each returns a row, or NULL. */
const struct sysvm_syscall_info *sysvm_syscall_by_nr(unsigned int nr);
const struct sysvm_syscall_info *sysvm_syscall_by_index(unsigned int index);
const struct sysvm_syscall_info *sysvm_syscall_by_name(const char *name); /* linear */
const struct sysvm_command_info *sysvm_fcntl_by_cmd(unsigned int cmd);
const struct sysvm_command_info *sysvm_ioctl_by_cmd(unsigned int cmd);

/* The words of the table: "PURE", "FD", "OUTS"; "?" if unknown. */
const char *sysvm_effect_name(unsigned int effect);
const char *sysvm_result_name(unsigned int result);
const char *sysvm_undo_name(unsigned int undo);
const char *sysvm_kind_name(unsigned int kind);

#ifdef __cplusplus
}
#endif
#endif
