/* SPDX-License-Identifier: MIT */
/*
 * libsysvm: run programs of the sysvm machine. The page, the statuses and the limits are in uapi/sysvm.h.
 *
 * A struct sysvm_vm belongs to one thread (it owns that thread's page); different threads use different ones.
 * Every call returns 0 or -errno, never sets errno, and makes its own raw system calls. After fork the child
 * must make a new one; in the child of vfork nothing here may be called.
 *
 * Tested by tests/libsysvm/.
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
};

#define SYSVM_MAX_PROCS 256 /* procedures of one struct sysvm_vm */

struct sysvm_vm;

/* Bytes that sysvm_init needs for a struct sysvm_vm, multiple of 64. */
size_t sysvm_size(void);

/*
 * Make a machine in memory (sysvm_size() bytes, 64-byte aligned, caller's). Errors: -ENOENT, -EACCES, -EPERM
 * (no usable /dev/sysvm and KERNEL was asked for), -ENOMEM, -EPROTO (module of another ABI version).
 */
int sysvm_init(struct sysvm_vm *vm, enum sysvm_engine engine);
void sysvm_exit(struct sysvm_vm *vm);

enum sysvm_engine sysvm_engine(const struct sysvm_vm *vm); /* USER or KERNEL */
int sysvm_device_fd(const struct sysvm_vm *vm);		   /* -1 with the user engine */
struct sysvm_page *sysvm_page(struct sysvm_vm *vm);

/* 1 if the machine can make the system call with this number here, else 0. */
int sysvm_supports(const struct sysvm_vm *vm, unsigned int nr);

/*
 * Define a stored procedure. code is copied; data_base is only a number. *proc gets its number. On -EINVAL
 * message says which byte the verifier refused.
 */
int sysvm_define(struct sysvm_vm *vm, const void *code, size_t code_len, uint64_t data_base, uint32_t *proc,
		 char *message, size_t message_size);
int sysvm_undefine(struct sysvm_vm *vm, uint32_t proc);

/*
 * Run a procedure (or SYSVM_PROC_PAGE: the code in the page) from its start, with fuel instructions at most.
 * Returns 0 when the machine stopped by itself: look at page->status. -EINTR: the call at page->pc was
 * interrupted by a handler that does not restart calls. Other errors as SYSVM_IOC_RUN.
 */
int sysvm_run(struct sysvm_vm *vm, uint32_t proc, uint64_t fuel);
/* Go on from a resumable stop (FUEL, SIGNAL, YIELD, FALLBACK, RESTART). -EINVAL: the page is not in one. */
int sysvm_resume(struct sysvm_vm *vm, uint64_t fuel);

/*
 * User engine only; the kernel engine needs neither. trust: loads and stores within [start, start + len) are
 * plain copies, without a system call; the memory must stay mapped (stores: only if writable). At most
 * SYSVM_MAX_TRUSTED ranges, -ENOSPC beyond. All other addresses are accessed with process_vm_readv/writev, so
 * a bad one stops the program (SYSVM_FAULT) instead of killing the process. watch_signals: stop with
 * SYSVM_SIGNAL between two calls and at backward jumps once *counter has changed since the run or resume
 * began (handlers count it up); NULL ends it. An inner call that returns -EINTR is an error like others.
 */
#define SYSVM_MAX_TRUSTED 8
int sysvm_trust(struct sysvm_vm *vm, const void *start, size_t len, int writable);
void sysvm_watch_signals(struct sysvm_vm *vm, const volatile uint64_t *counter);

#ifdef __cplusplus
}
#endif
#endif
