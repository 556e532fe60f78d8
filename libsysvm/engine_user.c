// SPDX-License-Identifier: MIT
/*
 * The user engine: the machine of kmod/vm/ with plain system calls. It is the reference for what programs
 * mean, and what runs where there is no module. It saves no entry into the kernel by itself.
 *
 * Difference to the kernel engine that cannot be closed from here: an inner call that a signal handler
 * interrupted comes back as -EINTR (or was restarted by the kernel already), so SYSVM_RESTART does not occur.
 *
 * Loads and stores must survive any address: inside a trusted range they are copies, elsewhere the kernel
 * copies (process_vm_writev on this process), which says EFAULT where a copy would end the process.
 *
 * No libc call, no allocation but mmap in user_define, less than 512 bytes of stack in user_run.
 * Tested by tests/libsysvm/ and tests/cases/.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/mman.h>

#include "internal.h"
#include "raw.h"
#include "uapi/syscalls.h"

static struct user_engine *user_of(struct sysvm_env *env)
{
	return (struct user_engine *)((char *)env - offsetof(struct user_engine, env));
}

/* Handlers and other threads write to it. */
static uint64_t counted(const struct user_engine *user)
{
	return __atomic_load_n(user->signals, __ATOMIC_RELAXED);
}

static __u32 user_poll(struct sysvm_env *env)
{
	struct user_engine *user = user_of(env);

	return user->signals && counted(user) != user->signals_seen ? SYSVM_SIGNAL : 0;
}

static long user_call(struct sysvm_env *env, unsigned int index, const __u64 args[6], __u32 *stop)
{
	(void)index;
	*stop = user_poll(env);
	if (*stop)
		return 0;
	return raw_call6(env->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
}

static int is_trusted(const struct user_engine *user, uint64_t address, unsigned int n, int for_writing)
{
	uint32_t i;

	for (i = 0; i < user->ntrusted; i++) {
		const struct trusted *t = &user->trusted[i];

		if (address - t->start <= t->len && t->len - (address - t->start) >= n)
			return !for_writing || t->writable;
	}
	return 0;
}

struct iovec_raw {
	uint64_t base, len;
};

/*
 * The kernel copies between the address and our bytes, and says EFAULT where we would fault. The address
 * stands on the local side, which is accessed as the processor would: the remote side wants a mapping that is
 * marked readable, and what is mapped for writing only can be read as well.
 */
static int copy_by_kernel(const struct user_engine *user, long nr, uint64_t address, const void *bytes,
			  unsigned int n)
{
	struct iovec_raw here = {address, n};
	struct iovec_raw there = {(uintptr_t)bytes, n};
	long result = raw_call6(nr, user->pid, (uintptr_t)&here, 1, (uintptr_t)&there, 1, 0);

	return result == n ? 0 : -EFAULT;
}

static int user_load(struct sysvm_env *env, __u64 address, void *to, unsigned int n)
{
	struct user_engine *user = user_of(env);

	if (!is_trusted(user, address, n, 0))
		return copy_by_kernel(user, __NR_process_vm_writev, address, to, n);
	raw_copy(to, (const void *)(uintptr_t)address, n);
	return 0;
}

static int user_store(struct sysvm_env *env, __u64 address, const void *from, unsigned int n)
{
	struct user_engine *user = user_of(env);

	if (!is_trusted(user, address, n, 1))
		return copy_by_kernel(user, __NR_process_vm_readv, address, from, n);
	raw_copy((void *)(uintptr_t)address, from, n);
	return 0;
}

void user_prepare(struct sysvm_vm *vm)
{
	vm->user.env = (struct sysvm_env){
		.call = user_call, .load = user_load, .store = user_store, .poll = user_poll};
	vm->user.pid = raw_call3(__NR_getpid, 0, 0, 0);
}

int user_init(struct sysvm_vm *vm)
{
	struct user_engine *user = &vm->user;
	uint32_t i;

	vm->engine = SYSVM_ENGINE_USER;
	vm->page = &user->page;
	vm->page->abi = SYSVM_ABI_VERSION;
	for (i = 0; i < SYSVM_CALL_MAX; i++)
		vm->supported[i / 64] |= 1ull << (i % 64);
	user_prepare(vm);
	return 0;
}

static size_t proc_size(uint32_t code_len)
{
	return code_len + SYSVM_STARTS_SIZE(code_len);
}

static void drop_proc(struct user_proc *p)
{
	if (p->memory)
		raw_call3(__NR_munmap, (uintptr_t)p->memory, proc_size(p->code_len), 0);
	p->memory = NULL;
}

void user_exit(struct sysvm_vm *vm)
{
	uint32_t i;

	for (i = 0; i < SYSVM_MAX_PROCS; i++)
		drop_proc(&vm->user.procs[i]);
}

int user_define_as(struct sysvm_vm *vm, uint32_t proc, const void *code, size_t code_len, uint64_t data_base,
		   char *message, size_t message_size)
{
	struct user_proc *p = &vm->user.procs[proc];
	uint32_t error_at;
	long memory;
	int err;

	memory = raw_call6(__NR_mmap, 0, proc_size(code_len) + !code_len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw_failed(memory))
		return -ENOMEM;
	p->memory = (uint8_t *)memory;
	p->code_len = code_len;
	p->data_base = data_base;
	raw_copy(p->memory, code, code_len);
	err = sysvm_verify(p->memory, code_len, p->memory + code_len, &error_at, message, message_size);
	if (err)
		drop_proc(p);
	return err;
}

int user_define(struct sysvm_vm *vm, const void *code, size_t code_len, uint64_t data_base, uint32_t *proc,
		char *message, size_t message_size)
{
	uint32_t i;
	int err;

	for (i = 0; i < SYSVM_MAX_PROCS && vm->user.procs[i].memory; i++)
		;
	if (i == SYSVM_MAX_PROCS)
		return -ENOSPC;
	err = user_define_as(vm, i, code, code_len, data_base, message, message_size);
	if (!err)
		*proc = i;
	return err;
}

int user_undefine(struct sysvm_vm *vm, uint32_t proc)
{
	if (proc >= SYSVM_MAX_PROCS || !vm->user.procs[proc].memory)
		return -ENOENT;
	drop_proc(&vm->user.procs[proc]);
	return 0;
}

/* The code in the page: copied, then verified, then run; an error is left in the page. */
static int take_page_code(struct sysvm_vm *vm, struct sysvm_program *program)
{
	struct user_engine *user = &vm->user;
	uint32_t len = vm->page->code_len, error_at = 0;

	if (len > SYSVM_PAGE_CODE_MAX)
		len = 0; /* refused below: no code */
	raw_copy(user->code, vm->page->code, len);
	*program = (struct sysvm_program){user->code, user->starts, len, vm->page->data_base};
	if (!sysvm_verify(user->code, len, user->starts, &error_at, NULL, 0))
		return 0;
	sysvm_set_stopped(vm->page, SYSVM_PROC_PAGE, vm->seq, SYSVM_INVALID, error_at, EINVAL);
	return -EINVAL;
}

int user_run(struct sysvm_vm *vm)
{
	struct user_engine *user = &vm->user;
	struct sysvm_program program;
	long restart;

	if (vm->proc == SYSVM_PROC_PAGE) {
		if (take_page_code(vm, &program))
			return 0;
	} else {
		const struct user_proc *p;

		if (vm->proc >= SYSVM_MAX_PROCS || !user->procs[vm->proc].memory)
			return -ENOENT;
		p = &user->procs[vm->proc];
		program =
			(struct sysvm_program){p->memory, p->memory + p->code_len, p->code_len, p->data_base};
	}
	if (user->signals)
		user->signals_seen = counted(user);
	sysvm_execute(vm->page, &program, vm->proc, vm->seq, &user->env, &restart);
	return 0;
}
