/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: events/sysvm/ in tracefs. Each costs a no-op while nobody listens. Tested by
 * tests/qemu/observe.sh.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM sysvm

#if !defined(SYSVM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYSVM_TRACE_H

#include <linux/tracepoint.h>
#include <linux/version.h>

#include "uapi/sysvm.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define SYSVM_ASSIGN_STR(to, from) __assign_str(to, from)
#else
#define SYSVM_ASSIGN_STR(to, from) __assign_str(to)
#endif

TRACE_EVENT(sysvm_define,
	TP_PROTO(u32 proc, u32 len),
	TP_ARGS(proc, len),
	TP_STRUCT__entry(
		__field(u32, proc)
		__field(u32, len)
	),
	TP_fast_assign(
		__entry->proc = proc;
		__entry->len = len;
	),
	TP_printk("proc=%u bytes=%u", __entry->proc, __entry->len)
);

/* The verifier refused a definition; message: which byte, and what was expected there. */
TRACE_EVENT(sysvm_reject,
	TP_PROTO(u32 len, u32 error_at, const char *message),
	TP_ARGS(len, error_at, message),
	TP_STRUCT__entry(
		__field(u32, len)
		__field(u32, error_at)
		__array(char, message, 96)
	),
	TP_fast_assign(
		__entry->len = len;
		__entry->error_at = error_at;
		strscpy(__entry->message, message, sizeof(__entry->message));
	),
	TP_printk("bytes=%u at=%u: %s", __entry->len, __entry->error_at, __entry->message)
);

TRACE_EVENT(sysvm_run,
	TP_PROTO(u32 proc, u64 seq),
	TP_ARGS(proc, seq),
	TP_STRUCT__entry(
		__field(u64, seq)
		__field(u32, proc)
	),
	TP_fast_assign(
		__entry->seq = seq;
		__entry->proc = proc;
	),
	TP_printk("proc=%d seq=%llu", (int)__entry->proc, __entry->seq)
);

TRACE_EVENT(sysvm_stop,
	TP_PROTO(u32 proc, u64 seq, u32 status, u64 calls),
	TP_ARGS(proc, seq, status, calls),
	TP_STRUCT__entry(
		__field(u64, seq)
		__field(u64, calls)
		__field(u32, proc)
		__field(u32, status)
	),
	TP_fast_assign(
		__entry->seq = seq;
		__entry->calls = calls;
		__entry->proc = proc;
		__entry->status = status;
	),
	TP_printk("proc=%d seq=%llu reason=%s calls=%llu", (int)__entry->proc, __entry->seq,
		  __print_symbolic(__entry->status, { SYSVM_DONE, "DONE" }, { SYSVM_ERROR, "ERROR" },
				   { SYSVM_FAULT, "FAULT" }, { SYSVM_FUEL, "FUEL" },
				   { SYSVM_SIGNAL, "SIGNAL" },
				   { SYSVM_FALLBACK, "FALLBACK" }, { SYSVM_INVALID, "INVALID" },
				   { SYSVM_ARITH, "ARITH" }, { SYSVM_RESTART, "RESTART" },
				   { SYSVM_YIELD, "YIELD" }),
		  __entry->calls)
);

/* A call that was made by the short path for names (names.c), and so through no system call's entry. */
TRACE_EVENT(sysvm_name,
	TP_PROTO(int fd, const char *name, long result),
	TP_ARGS(fd, name, result),
	TP_STRUCT__entry(
		__field(int, fd)
		__field(long, result)
		__string(name, name)
	),
	TP_fast_assign(
		__entry->fd = fd;
		__entry->result = result;
		SYSVM_ASSIGN_STR(name, name);
	),
	TP_printk("newfstatat fd=%d name=%s result=%ld", __entry->fd, __get_str(name), __entry->result)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
