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
#include "vm/text.h"
#include "uapi/syscalls.h"

size_t sysvm_size(void)
{
	return (sizeof(struct sysvm_vm) + 63) / 64 * 64;
}

int sysvm_init(struct sysvm_vm *vm, enum sysvm_engine engine)
{
	if (!vm || (uintptr_t)vm % 64)
		return -EINVAL;
	raw_zero(vm, sizeof(*vm));
	vm->fd = -1;
	switch (engine) {
	case SYSVM_ENGINE_USER:
		return user_init(vm);
	case SYSVM_ENGINE_KERNEL:
		return kernel_init(vm);
	case SYSVM_ENGINE_AUTO:
		return kernel_init(vm) ? user_init(vm) : 0;
	case SYSVM_ENGINE_BEST:
		if (kernel_init(vm))
			return user_init(vm);
		vm->best = 1;
		user_prepare(vm);
		return 0;
	}
	return -EINVAL;
}

void sysvm_exit(struct sysvm_vm *vm)
{
	if (vm->engine == SYSVM_ENGINE_KERNEL)
		kernel_exit(vm);
	if (vm->engine == SYSVM_ENGINE_USER || vm->best)
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
	int err;

	if (message_size)
		message[0] = 0;
	if (code_len > SYSVM_PROC_CODE_MAX)
		return -E2BIG;
	if (vm->engine == SYSVM_ENGINE_USER)
		return user_define(vm, code, code_len, data_base, proc, message, message_size);
	err = kernel_define(vm, code, code_len, data_base, proc, message, message_size);
	if (err || !vm->best)
		return err;
	err = user_define_as(vm, *proc, code, code_len, data_base, message, message_size);
	if (err)
		kernel_undefine(vm, *proc);
	return err;
}

int sysvm_set_ahead(struct sysvm_vm *vm)
{
	return vm->engine == SYSVM_ENGINE_KERNEL ? kernel_set_ahead(vm) : 0;
}

int sysvm_undefine(struct sysvm_vm *vm, uint32_t proc)
{
	if (vm->engine == SYSVM_ENGINE_USER)
		return user_undefine(vm, proc);
	if (vm->best)
		user_undefine(vm, proc);
	return kernel_undefine(vm, proc);
}

/* Once the module has refused to make any call so many times one after the other, ask it only now and then.
   */
#define REFUSED_ENOUGH 16
#define ASK_AGAIN 64

static int run(struct sysvm_vm *vm, uint64_t fuel)
{
	uint64_t calls = vm->page->calls;
	int err;

	vm->page->fuel = fuel;
	if (vm->engine == SYSVM_ENGINE_USER || vm->plainly)
		return user_run(vm);
	err = kernel_run(vm);
	if (!vm->best || err || vm->page->status != SYSVM_FALLBACK) {
		vm->refused = 0;
		return err;
	}
	/* The page says where, and the sequence number is the same: the user engine goes on there. */
	vm->refused = calls == vm->page->calls ? vm->refused + 1 : 0;
	vm->plainly = 1;
	return user_run(vm);
}

int sysvm_run(struct sysvm_vm *vm, uint32_t proc, uint64_t fuel)
{
	vm->proc = proc;
	vm->seq++;
	vm->plainly = vm->refused >= REFUSED_ENOUGH && ++vm->refused % ASK_AGAIN;
	return run(vm, fuel);
}

int sysvm_resume(struct sysvm_vm *vm, uint64_t fuel)
{
	if (!vm->seq || vm->page->run_seq != vm->seq || !sysvm_is_resumable(vm->page->status))
		return -EINVAL;
	return run(vm, fuel);
}

int sysvm_run_through(struct sysvm_vm *vm, uint32_t proc, uint64_t fuel)
{
	uint64_t slice = fuel < SYSVM_FUEL_MAX ? fuel : SYSVM_FUEL_MAX;
	int err = sysvm_run(vm, proc, slice);

	while (!err) {
		uint32_t status = vm->page->status;

		fuel -= slice - vm->page->fuel;
		if ((status != SYSVM_FUEL && status != SYSVM_YIELD && status != SYSVM_SIGNAL) ||
		    (status == SYSVM_FUEL && !fuel))
			break;
		slice = fuel < SYSVM_FUEL_MAX ? fuel : SYSVM_FUEL_MAX;
		err = sysvm_resume(vm, slice);
	}
	return err;
}

const char *sysvm_status_text(const struct sysvm_page *page, char *text, size_t size)
{
	struct sysvm_text t = sysvm_text_start(text, size);

	sysvm_text_str(&t, sysvm_status_name(page->status));
	if (page->status != SYSVM_IDLE) {
		sysvm_text_str(&t, " at byte ");
		sysvm_text_uint(&t, page->pc);
		if (page->error) {
			sysvm_text_str(&t, ", errno ");
			sysvm_text_int(&t, page->error);
		}
		sysvm_text_str(&t, ", ");
		sysvm_text_uint(&t, page->fuel);
		sysvm_text_str(&t, " fuel left");
	}
	return text;
}

int sysvm_trust(struct sysvm_vm *vm, const void *start, size_t len, int writable)
{
	struct user_engine *user = &vm->user;

	if ((uintptr_t)start + len < len)
		return -EINVAL;
	if (user->ntrusted == SYSVM_MAX_TRUSTED)
		return -ENOSPC;
	user->trusted[user->ntrusted++] = (struct trusted){(uintptr_t)start, len, writable};
	return 0;
}

void sysvm_watch_signals(struct sysvm_vm *vm, const volatile uint64_t *counter)
{
	vm->user.signals = counter;
}
