/* SPDX-License-Identifier: MIT */
/*
 * libsysvm: run programs of the sysvm machine, whose instructions are system calls, with one entry into the
 * kernel for each run (the kernel engine) or with one for each call (the user engine, the reference
 * semantics).
 *
 *     struct sysvm_vm *vm = aligned_alloc(64, sysvm_size());
 *     uint32_t proc;
 *     char why[160];
 *
 *     if (sysvm_init(vm, SYSVM_ENGINE_BEST) || sysvm_define(vm, code, len, 0, &proc, why, sizeof why))
 *             ...
 *     sysvm_page(vm)->reg[0] = (uintptr_t)path;                    // arguments
 *     sysvm_run_through(vm, proc, 100000);                         // 0: it stopped by itself ...
 *     sysvm_page(vm)->status == SYSVM_DONE                         // ... and this is how
 *     sysvm_page(vm)->reg[7]                                       // results
 *     sysvm_exit(vm);
 *
 * Code is made by the assembler (assemble.h: text), by the builder (sysvm.hpp: C++), or by hand from
 * uapi/opcodes.inc. The page, the statuses and the limits are in uapi/sysvm.h, procedure files in svp.h, runs
 * on helper threads in sysvm_async.h. The same as man pages: sysvm(3).
 *
 * Errors. Every call that can fail returns 0 or -errno; errno itself is never touched. What a program did is
 * not an error of these calls: it is in the page.
 *
 * Threads. A struct sysvm_vm belongs to the thread that made it: that thread alone runs, defines and ends it
 * (the kernel engine's page is bound to its thread: -ENXIO from another). Different threads use different
 * ones, without any lock. sysvm_size, sysvm_status_text: any thread.
 *
 * Processes. After fork the child must make a new one, and may only forget the old (not even sysvm_exit it);
 * in the child of vfork nothing here may be called; exec ends it.
 *
 * Signals. Handlers may use a machine of their own, not the one that they interrupted: a run that finds its
 * page busy returns -EBUSY (kernel engine).
 *
 * Nothing here calls the C library, allocates (but for a mapping in sysvm_define and sysvm_init), or locks.
 *
 * Tested by tests/libsysvm/ (the API), tests/cases/ and tests/fuzz/ (what programs mean, on every engine).
 */
#ifndef SYSVM_H
#define SYSVM_H

#include <stddef.h>
#include <stdint.h>

#include "uapi/sysvm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum sysvm_engine {
	SYSVM_ENGINE_AUTO = 0,	 /* kernel where /dev/sysvm can be opened, else user */
	SYSVM_ENGINE_USER = 1,	 /* plain system calls: the reference semantics */
	SYSVM_ENGINE_KERNEL = 2, /* the module */
	/*
	 * As AUTO, and what the kernel engine leaves to user space (SYSVM_FALLBACK: a seccomp filter or a
	 * tracer may judge the task, or it is a command that the module does not make) is made here, plainly:
	 * a run never stops with SYSVM_FALLBACK. Costs a copy of each procedure. A process that always falls
	 * back, as in most containers, soon asks the module for one run in 64 only.
	 */
	SYSVM_ENGINE_BEST = 3,
};

#define SYSVM_MAX_PROCS 256 /* procedures of one struct sysvm_vm */

struct sysvm_vm;

/* Bytes that sysvm_init needs for a struct sysvm_vm: a multiple of 64, the same for every engine. */
size_t sysvm_size(void);

/*
 * Make a machine in memory of sysvm_size() bytes, aligned to 64, which is the caller's and must stay in place
 * until sysvm_exit. Binds it to the calling thread. The kernel engine keeps a descriptor of /dev/sysvm open
 * (close-on-exec, from 200 on where the limit allows).
 *
 *   -EINVAL                    no such engine, or memory that is not aligned
 *   -ENOENT, -EACCES, -EPERM   KERNEL was asked for: no module, or not for this user
 *   -EPROTO                    KERNEL was asked for: the module speaks another version of the ABI
 *   -ENOMEM, -ENOSPC           no memory for the page; more than 1024 pages on one descriptor
 *
 * On an error there is nothing to end.
 */
int sysvm_init(struct sysvm_vm *vm, enum sysvm_engine engine);

/* End a machine: its procedures, its page and its descriptor are gone. Its memory is the caller's again. */
void sysvm_exit(struct sysvm_vm *vm);

/* The engine that runs: USER or KERNEL, whatever was asked for. */
enum sysvm_engine sysvm_engine(const struct sysvm_vm *vm);

/* The descriptor of /dev/sysvm, or -1 with the user engine. It is the library's: do not close it. */
int sysvm_device_fd(const struct sysvm_vm *vm);

/* The page: registers and code to set before a run, status and registers to read after it. Valid until
   sysvm_exit. */
struct sysvm_page *sysvm_page(struct sysvm_vm *vm);

/* 1 if the machine can make the system call with this number (of <sys/syscall.h>) here, else 0. */
int sysvm_supports(const struct sysvm_vm *vm, unsigned int nr);

/*
 * Define a stored procedure: verify code_len bytes at code and copy them. data_base is where instruction DATA
 * counts from; it is only a number, and what lies there is the caller's. *proc gets the procedure's number,
 * from 0 to SYSVM_MAX_PROCS - 1. message (message_size bytes, may be NULL with 0; always terminated) says
 * what is wrong: "byte 14: jump target 92 past end 40 (jeq r1, r2, +73)".
 *
 *   -EINVAL   the verifier refused the code: see message
 *   -E2BIG    more than SYSVM_PROC_CODE_MAX bytes
 *   -ENOSPC   SYSVM_MAX_PROCS procedures, or 1 MiB of code (kernel engine)
 *   -ENOMEM, -EFAULT (code cannot be read; kernel engine)
 */
int sysvm_define(struct sysvm_vm *vm, const void *code, size_t code_len, uint64_t data_base, uint32_t *proc,
		 char *message, size_t message_size);

/*
 * From now on this machine's programs make calls that the application has not made and may never make: under
 * a seccomp filter (and the module parameter seccomp) the kernel engine stops with SYSVM_FALLBACK before a
 * call that the filter does not plainly allow, so nothing happens to the application for it. 0, or an error
 * of the device.
 */
int sysvm_set_ahead(struct sysvm_vm *vm);

/* Forget a procedure; its number may be given again. -ENOENT: there is none. */
int sysvm_undefine(struct sysvm_vm *vm, uint32_t proc);

/*
 * Run a procedure from its start, or with SYSVM_PROC_PAGE the code in the page (page->code, code_len,
 * data_base; verified at each run), with fuel instructions at most (cut to SYSVM_FUEL_MAX). Registers are as
 * the caller left them. Returns 0 whenever the machine stopped by itself: page->status says why, page->pc
 * where.
 *
 *   -ENOENT   no such procedure
 *   -EINTR    the call at page->pc was interrupted by a handler without SA_RESTART (status RESTART: resume
 *             repeats it)
 *   -EBUSY    a handler interrupted a run of this machine and tries to run it (kernel engine)
 *   -ENXIO    not the thread that made the machine (kernel engine)
 *   -EPERM    not the process that made it (kernel engine)
 */
int sysvm_run(struct sysvm_vm *vm, uint32_t proc, uint64_t fuel);

/* Go on from a resumable stop (FUEL, SIGNAL, YIELD, FALLBACK, RESTART). -EINVAL: it is not in one. Else as
   sysvm_run. */
int sysvm_resume(struct sysvm_vm *vm, uint64_t fuel);

/*
 * sysvm_run, then sysvm_resume for as long as it stops for a reason that the program need not know (YIELD,
 * SIGNAL: handlers have run meanwhile), with fuel instructions in all, which here may be more than
 * SYSVM_FUEL_MAX. Afterwards page->status is DONE, ERROR, FAULT, ARITH, INVALID, FUEL (all of it is spent)
 * or, unless the engine is BEST, FALLBACK. Errors as sysvm_run.
 */
int sysvm_run_through(struct sysvm_vm *vm, uint32_t proc, uint64_t fuel);

/*
 * What became of the latest run, for people: "ERROR at byte 12, errno 2, 970 fuel left". text (size
 * bytes, at least 1) is cut to its size and always terminated. Returns text. Any thread.
 */
const char *sysvm_status_text(const struct sysvm_page *page, char *text, size_t size);

/*
 * User engine only (the kernel engine needs neither). Loads and stores within [start, start + len) become
 * plain copies, without a system call; the memory must stay mapped, and if writable, writable. All other
 * addresses are accessed with process_vm_readv and process_vm_writev, so a bad one stops the program
 * (SYSVM_FAULT) instead of killing the process. There is no way back but sysvm_exit.
 *
 *   -ENOSPC   SYSVM_MAX_TRUSTED ranges are there already
 *   -EINVAL   the range wraps around
 */
#define SYSVM_MAX_TRUSTED 8
int sysvm_trust(struct sysvm_vm *vm, const void *start, size_t len, int writable);

/*
 * User engine only (the kernel engine sees signals itself). Stop with SYSVM_SIGNAL between two calls and at
 * backward jumps once *counter has changed since the run or resume began: handlers, or another thread, count
 * it up. NULL ends it. An inner call that returns -EINTR is an error like others.
 */
void sysvm_watch_signals(struct sysvm_vm *vm, const volatile uint64_t *counter);

#ifdef __cplusplus
}
#endif
#endif
