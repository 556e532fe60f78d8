/* SPDX-License-Identifier: MIT */
/*
 * What a struct sysvm_vm is, and what the two engines owe sysvm.c. Private: nothing outside of libsysvm
 * includes it.
 *
 * Which engine runs is decided once, in sysvm_init; each public function then branches on vm->engine, so
 * there is no table of pointers to protect.
 */
#ifndef SYSVM_INTERNAL_H
#define SYSVM_INTERNAL_H

#include "sysvm.h"
#include "vm/vm.h"

#define HIDDEN __attribute__((visibility("hidden")))

struct user_proc {
	uint8_t *memory; /* code, then its bitmap of boundaries; NULL: free */
	uint32_t code_len;
	uint64_t data_base;
};

struct trusted {
	uint64_t start, len;
	int writable;
};

struct user_engine {
	struct sysvm_env env;
	const volatile uint64_t *signals;
	uint64_t signals_seen; /* *signals when the run began */
	uint64_t pid;	       /* for process_vm_readv on itself */
	struct trusted trusted[SYSVM_MAX_TRUSTED];
	uint32_t ntrusted;
	struct user_proc procs[SYSVM_MAX_PROCS];
	/* The private copy of the code in the page. */
	uint8_t code[SYSVM_PAGE_CODE_MAX];
	uint8_t starts[SYSVM_STARTS_SIZE(SYSVM_PAGE_CODE_MAX)];
	struct sysvm_page page;
};

struct sysvm_vm {
	enum sysvm_engine engine;
	int fd; /* -1 with the user engine */
	struct sysvm_page *page;
	uint64_t seq;  /* of the latest run */
	uint32_t proc; /* of the latest run */
	uint64_t supported[4];
	/* SYSVM_ENGINE_BEST with the kernel engine: what it leaves to user space is done by the user engine.
	   */
	int best;
	int plainly;	  /* the latest run goes on in the user engine */
	uint32_t refused; /* runs in a row in which the kernel engine made no call at all */
	uint64_t features; /* SYSVM_FEATURE_*; 0 with the user engine */
	struct user_engine user;
};

HIDDEN int user_init(struct sysvm_vm *vm);
HIDDEN void user_prepare(struct sysvm_vm *vm); /* to run on a page that it does not own */
HIDDEN void user_exit(struct sysvm_vm *vm);
HIDDEN int user_define(struct sysvm_vm *vm, const void *code, size_t code_len, uint64_t data_base,
		       uint32_t *proc, char *message, size_t message_size);
/* The same under a number that is free. */
HIDDEN int user_define_as(struct sysvm_vm *vm, uint32_t proc, const void *code, size_t code_len,
			  uint64_t data_base, char *message, size_t message_size);
HIDDEN int user_undefine(struct sysvm_vm *vm, uint32_t proc);
HIDDEN int user_run(struct sysvm_vm *vm);

HIDDEN int kernel_init(struct sysvm_vm *vm);
HIDDEN void kernel_exit(struct sysvm_vm *vm);
HIDDEN int kernel_define(struct sysvm_vm *vm, const void *code, size_t code_len, uint64_t data_base,
			 uint32_t *proc, char *message, size_t message_size);
HIDDEN int kernel_undefine(struct sysvm_vm *vm, uint32_t proc);
HIDDEN int kernel_set_ahead(struct sysvm_vm *vm);
HIDDEN int kernel_run(struct sysvm_vm *vm);

#endif
