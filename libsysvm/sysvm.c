// SPDX-License-Identifier: MIT
/*
 * The public calls: what both engines have in common. A run gets a new sequence number here, a resume keeps
 * it; that is all that tells the machine to start over or to go on.
 *
 * Tested by tests/libsysvm/ and, for what programs do, by tests/cases/.
 */
#include <linux/errno.h>

#include "internal.h"
#include "raw.h"
#include "uapi/syscalls.h"

size_t sysvm_size(void)
{
	return (sizeof(struct sysvm_vm) + 63) / 64 * 64;
}

int sysvm_init(struct sysvm_vm *vm, enum sysvm_engine engine)
{
	int err = 0;

	raw_zero(vm, sizeof(*vm));
	vm->fd = -1;
	if (engine == SYSVM_ENGINE_KERNEL || engine == SYSVM_ENGINE_AUTO)
		err = kernel_init(vm);
	if (engine == SYSVM_ENGINE_USER || (engine == SYSVM_ENGINE_AUTO && err))
		err = user_init(vm);
	if (engine > SYSVM_ENGINE_KERNEL)
		err = -EINVAL;
	return err;
}

void sysvm_exit(struct sysvm_vm *vm)
{
	if (vm->engine == SYSVM_ENGINE_KERNEL)
		kernel_exit(vm);
	else if (vm->engine == SYSVM_ENGINE_USER)
		user_exit(vm);
	vm->engine = SYSVM_ENGINE_AUTO;
	vm->page = NULL;
	vm->fd = -1;
}

enum sysvm_engine sysvm_engine(const struct sysvm_vm *vm)
{
	return vm->engine;
}

int sysvm_device_fd(const struct sysvm_vm *vm)
{
	return vm->fd;
}

struct sysvm_page *sysvm_page(struct sysvm_vm *vm)
{
	return vm->page;
}

int sysvm_supports(const struct sysvm_vm *vm, unsigned int nr)
{
	const struct sysvm_syscall_info *row = sysvm_syscall_by_nr(nr);

	return row && row->index >= 0 && (vm->supported[row->index / 64] >> (row->index % 64) & 1);
}

int sysvm_define(struct sysvm_vm *vm, const void *code, size_t code_len, uint64_t data_base, uint32_t *proc,
		 char *message, size_t message_size)
{
	if (message_size)
		message[0] = 0;
	if (code_len > SYSVM_PROC_CODE_MAX)
		return -E2BIG;
	if (vm->engine == SYSVM_ENGINE_KERNEL)
		return kernel_define(vm, code, code_len, data_base, proc, message, message_size);
	return user_define(vm, code, code_len, data_base, proc, message, message_size);
}

int sysvm_undefine(struct sysvm_vm *vm, uint32_t proc)
{
	return vm->engine == SYSVM_ENGINE_KERNEL ? kernel_undefine(vm, proc) : user_undefine(vm, proc);
}

static int run(struct sysvm_vm *vm, uint64_t fuel)
{
	vm->page->fuel = fuel;
	return vm->engine == SYSVM_ENGINE_KERNEL ? kernel_run(vm) : user_run(vm);
}

int sysvm_run(struct sysvm_vm *vm, uint32_t proc, uint64_t fuel)
{
	vm->proc = proc;
	vm->seq++;
	return run(vm, fuel);
}

int sysvm_resume(struct sysvm_vm *vm, uint64_t fuel)
{
	if (!vm->seq || vm->page->run_seq != vm->seq || !sysvm_is_resumable(vm->page->status))
		return -EINVAL;
	return run(vm, fuel);
}

int sysvm_trust(struct sysvm_vm *vm, const void *start, size_t len, int writable)
{
	struct user_engine *user = &vm->user;

	if (user->ntrusted == SYSVM_MAX_TRUSTED)
		return -ENOSPC;
	user->trusted[user->ntrusted++] = (struct trusted){(uintptr_t)start, len, writable};
	return 0;
}

void sysvm_watch_signals(struct sysvm_vm *vm, const volatile uint64_t *counter)
{
	vm->user.signals = counter;
}
