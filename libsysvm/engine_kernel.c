// SPDX-License-Identifier: MIT
/*
 * The kernel engine: the machine in the module, by way of the ioctls of uapi/sysvm.h. What is here is only
 * the client: it opens the device, maps this thread's page and asks.
 *
 * The descriptor stays below 256 (a high one makes the kernel grow the table of every fork) but as high as
 * that allows, so that the application sees the numbers that it would see without us.
 *
 * Tested by tests/libsysvm/ (what it says without a module) and by tests/cases/ in the guest.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>

#include "internal.h"
#include "raw.h"

#ifndef SYSVM_DEVICE_PATH
#define SYSVM_DEVICE_PATH "/dev/sysvm"
#endif

static long ask(const struct sysvm_vm *vm, unsigned long request, void *argument)
{
	return raw_call3(__NR_ioctl, vm->fd, request, (uintptr_t)argument);
}

static void close_device(struct sysvm_vm *vm)
{
	raw_call3(__NR_close, vm->fd, 0, 0);
	vm->fd = -1;
}

/* Move the descriptor up; where the limit of descriptors is lower than that, less far. */
static void move_up(struct sysvm_vm *vm)
{
	int lowest;

	for (lowest = 200; lowest > vm->fd; lowest /= 2) {
		long fd = raw_call3(__NR_fcntl, vm->fd, F_DUPFD_CLOEXEC, lowest);

		if (raw_failed(fd))
			continue;
		raw_call3(__NR_close, vm->fd, 0, 0);
		vm->fd = fd;
		return;
	}
}

static int check_module(struct sysvm_vm *vm)
{
	struct sysvm_query query;
	long err;

	raw_zero(&query, sizeof(query));
	err = ask(vm, SYSVM_IOC_QUERY, &query);
	if (raw_failed(err) || query.abi != SYSVM_ABI_VERSION ||
	    query.device_abi != SYSVM_DEVICE_ABI_VERSION || query.page_size != SYSVM_PAGE_SIZE)
		return -EPROTO;
	vm->features = query.features;
	raw_copy(vm->supported, query.supported, sizeof(vm->supported));
	return 0;
}

int kernel_init(struct sysvm_vm *vm)
{
	static const char path[] = SYSVM_DEVICE_PATH;
	long result = raw_call3(__NR_open, (uintptr_t)path, O_RDWR | O_CLOEXEC, 0);
	int err;

	if (raw_failed(result))
		return result;
	vm->fd = result;
	move_up(vm);
	err = check_module(vm);
	if (!err) {
		result = raw_call6(__NR_mmap, 0, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vm->fd,
				   0);
		err = raw_failed(result) ? result : 0;
	}
	if (err) {
		close_device(vm);
		return err;
	}
	vm->page = (struct sysvm_page *)result;
	vm->engine = SYSVM_ENGINE_KERNEL;
	return 0;
}

void kernel_exit(struct sysvm_vm *vm)
{
	raw_call3(__NR_munmap, (uintptr_t)vm->page, SYSVM_PAGE_SIZE, 0);
	close_device(vm);
}

int kernel_define(struct sysvm_vm *vm, const void *code, size_t code_len, uint64_t data_base, uint32_t *proc,
		  char *message, size_t message_size)
{
	struct sysvm_define define;
	int err;

	raw_zero(&define, sizeof(define));
	define.code = (uintptr_t)code;
	define.code_len = code_len;
	define.data_base = data_base;
	define.message = (uintptr_t)message;
	define.message_len = message_size > 4096 ? 4096 : message_size;
	err = ask(vm, SYSVM_IOC_DEFINE, &define);
	if (!err)
		*proc = define.proc;
	return err;
}

int kernel_undefine(struct sysvm_vm *vm, uint32_t proc)
{
	return ask(vm, SYSVM_IOC_UNDEFINE, &proc);
}

int kernel_set_ahead(struct sysvm_vm *vm)
{
	struct sysvm_context_settings settings;

	raw_zero(&settings, sizeof(settings));
	settings.flags = SYSVM_CONTEXT_AHEAD;
	return ask(vm, SYSVM_IOC_CONTEXT, &settings);
}

int kernel_run(struct sysvm_vm *vm)
{
	struct sysvm_run run;

	if (vm->features & SYSVM_FEATURE_FADVISE)
		return raw_call6(__NR_fadvise64, vm->fd, vm->seq, vm->proc, SYSVM_ADVICE_RUN, 0, 0);
	raw_zero(&run, sizeof(run));
	run.proc = vm->proc;
	run.seq = vm->seq;
	return ask(vm, SYSVM_IOC_RUN, &run);
}
