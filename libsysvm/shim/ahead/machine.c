// SPDX-License-Identifier: MIT
/*
 * The machine: made at the first run, dropped where its descriptor could be noticed.
 *
 * open() gives the lowest free number, as it does without us. So our descriptor must lie above all those that
 * the application uses. Where the limit does not allow that, or the application's descriptors come near,
 * there is no engine.
 *
 * Tested by tests/shim/hazards (limits, directories).
 */
#include "libsysvm/shim/ahead/machine.h"

#include <errno.h>
#include <sys/syscall.h>

#include "libsysvm/raw.h"
#include "libsysvm/shim/ahead/late.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/descriptors.h"
#include "libsysvm/shim/known/procedures.h"
#include "libsysvm/shim/names/names.h"
#include "uapi/syscalls.h"

#define DEVICE_LOWEST 128
#define DEVICE_ROOM 8

static struct sysvm_vm *vm;
static enum sysvm_engine engine;
static const void *file;
static size_t file_size;
static struct sysvm_page *page; /* null: to be made at the next use */
static int device_fd = -1;
static int error;

void machine_reset(struct sysvm_vm *memory, enum sysvm_engine which, const void *svp_file, size_t size)
{
	vm = memory;
	engine = which;
	file = svp_file;
	file_size = size;
	page = NULL;
	device_fd = -1;
	error = 0;
}

int machine_make(void)
{
	if (page || error)
		return error;
	error = sysvm_init(vm, engine);
	if (!error && sysvm_device_fd(vm) >= 0 && sysvm_device_fd(vm) < DEVICE_LOWEST) {
		sysvm_exit(vm);
		error = -EMFILE;
	}
	if (!error)
		error = sysvm_set_ahead(vm);
	if (error)
		return error;
	sysvm_trust(vm, areas.staging, STAGING_BYTES, 1);
	sysvm_trust(vm, areas.path, PATH_BYTES, 0);
	sysvm_trust(vm, areas.kept, KEPT_BYTES, 0);
	sysvm_trust(vm, file, file_size, 0);
	names_trust(vm);
	sysvm_watch_signals(vm, &shim_signals);
	page = sysvm_page(vm);
	device_fd = sysvm_device_fd(vm);
	for (uint32_t i = 0; i < svp.nprocs; i++)
		procedures[i].defined = 0;
	return 0;
}

int machine_error(void)
{
	return error;
}

void machine_drop(void)
{
	if (page)
		sysvm_exit(vm);
	page = NULL;
	device_fd = -1;
}

struct sysvm_page *machine_page(void)
{
	return page;
}

bool machine_supports(uint64_t nr)
{
	return sysvm_supports(vm, (unsigned int)nr);
}

bool machine_define(uint32_t number)
{
	const struct svp_proc *p = &svp.procs[number];
	struct procedure *state = &procedures[number];

	if (!state->defined && sysvm_define(vm, svp.code + p->code_offset, p->code_size,
					    (uint64_t)(svp.data + p->data_offset), &state->number, NULL, 0))
		state->off = 1;
	state->defined = 1;
	return !state->off;
}

void machine_run(uint32_t proc, uint64_t fuel, uint64_t late)
{
	uint64_t before = page->calls, made;

	counts.runs++;
	(void)sysvm_run(vm, proc, fuel);
	made = page->calls - before;
	counts.inner += made;
	for (; made < late_count(late); made++)
		own_call(SYS_close, late_fd(late, (uint32_t)made), 0, 0, 0);
}

void machine_make_way(const struct shim_call *c)
{
	const struct sysvm_syscall_info *info;
	bool meets;

	if (device_fd < 0)
		return;
	info = sysvm_syscall_by_nr((unsigned int)c->nr);
	meets = c->nr == SYS_close_range ||
		((c->nr == SYS_dup2 || c->nr == SYS_dup3) && (int)c->arg[1] == device_fd);
	for (unsigned int i = 0; info && i < info->nargs; i++)
		meets |= info->arg[i].kind == SYSVM_KIND_FD && (int)c->arg[i] == device_fd;
	if (meets)
		machine_drop(); /* then the kernel itself says EBADF */
}

void machine_plain_call(struct shim_call *c)
{
	counts.forwarded++;
	c->result = raw_call6((long)c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
}

bool machine_retry(struct shim_call *c)
{
	if (c->result != -EMFILE || device_fd < 0)
		return false;
	machine_drop();
	machine_plain_call(c);
	return true;
}

bool machine_too_near(const struct shim_call *c)
{
	const struct sysvm_syscall_info *info;

	if (device_fd < 0 || c->result < device_fd - DEVICE_ROOM || c->result > DESCRIPTORS)
		return false;
	info = sysvm_syscall_by_nr((unsigned int)c->nr);
	return info && (info->result == SYSVM_RESULT_FD || c->nr == SYS_fcntl);
}
