// SPDX-License-Identifier: MIT
/*
 * The scripted engine: the machine of kmod/vm/ in a world that is written down in the case. Calls must come
 * in the order and with the arguments that the case says; memory is the case's areas and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "runner.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

struct script script;

static struct sysvm_page page;
static uint8_t code[SYSVM_PROC_CODE_MAX], starts[SYSVM_STARTS_SIZE(SYSVM_PROC_CODE_MAX)];
static struct sysvm_program program;
static uint64_t seq;
static uint32_t latest;

struct area *script_area(const char *name)
{
	size_t i;

	for (i = 0; i < script.nareas; i++)
		if (!strcmp(script.areas[i].name, name))
			return &script.areas[i];
	return NULL;
}

bool script_value(const struct value *v, uint64_t *to)
{
	struct area *area = v->area[0] ? script_area(v->area) : NULL;

	if (v->area[0] && !area)
		return false;
	*to = v->number + (area ? (uintptr_t)area->at : 0);
	return true;
}

static unsigned char *memory_at(uint64_t address, unsigned int n)
{
	size_t i;

	for (i = 0; i < script.nareas; i++) {
		uint64_t offset = address - (uintptr_t)script.areas[i].at;

		if (offset <= script.areas[i].size && script.areas[i].size - offset >= n)
			return script.areas[i].at + offset;
	}
	return NULL;
}

static int load(struct sysvm_env *env, __u64 address, void *to, unsigned int n)
{
	unsigned char *at = memory_at(address, n);

	(void)env;
	if (!at)
		return -EFAULT;
	memcpy(to, at, n);
	return 0;
}

static int store(struct sysvm_env *env, __u64 address, const void *from, unsigned int n)
{
	unsigned char *at = memory_at(address, n);

	(void)env;
	if (!at)
		return -EFAULT;
	memcpy(at, from, n);
	return 0;
}

static void check_arguments(const struct step *s, const __u64 args[6])
{
	unsigned int i;

	for (i = 0; i < s->nargs; i++) {
		uint64_t expected = 0;

		if (s->args[i].any)
			continue;
		script_value(&s->args[i], &expected);
		if (args[i] != expected)
			snprintf(script.wrong, sizeof(script.wrong),
				 "%s: argument %u is %#llx, expected %#llx", s->name, i,
				 (unsigned long long)args[i], (unsigned long long)expected);
	}
}

static long call(struct sysvm_env *env, unsigned int index, const __u64 args[6], __u32 *stop)
{
	const char *name = sysvm_syscall_by_index(index)->name;
	const struct step *s;
	uint64_t result = 0;
	struct area *area;

	(void)env;
	if (script.made == script.ncalls || strcmp(script.calls[script.made]->name, name)) {
		snprintf(script.wrong, sizeof(script.wrong), "call %zu is %s, expected %s", script.made, name,
			 script.made == script.ncalls ? "none" : script.calls[script.made]->name);
		return -ENOSYS;
	}
	s = script.calls[script.made++];
	check_arguments(s, args);
	script_value(&s->value, &result);
	*stop = s->status;
	area = s->area[0] ? script_area(s->area) : NULL;
	if (area && s->size <= area->size)
		memcpy(area->at, s->bytes, s->size);
	return result;
}

static __u32 poll(struct sysvm_env *env)
{
	(void)env;
	return script.poll && ++script.polls == script.poll->number ? script.poll->status : 0;
}

static struct sysvm_env world = {.call = call, .load = load, .store = store, .poll = poll};

static int define(const void *from, size_t len, uint64_t data, uint32_t *proc, char *message, size_t size)
{
	uint32_t at;

	if (len > sizeof(code))
		return -E2BIG;
	memcpy(code, from, len);
	program = (struct sysvm_program){code, starts, len, data};
	*proc = 0;
	return sysvm_verify(code, len, starts, &at, message, size);
}

static void undefine(uint32_t proc)
{
	(void)proc;
}

static int execute(uint64_t fuel)
{
	long restart = 0;
	uint32_t at, status;

	if (latest == SYSVM_PROC_PAGE) {
		uint32_t len = page.code_len <= SYSVM_PAGE_CODE_MAX ? page.code_len : 0;

		memcpy(code, page.code, len);
		program = (struct sysvm_program){code, starts, len, page.data_base};
		if (sysvm_verify(code, len, starts, &at, NULL, 0)) {
			sysvm_set_stopped(&page, latest, seq, SYSVM_INVALID, at, EINVAL);
			return 0;
		}
	}
	page.fuel = fuel;
	status = sysvm_execute(&page, &program, latest, seq, &world, &restart);
	if (status != page.status)
		snprintf(script.wrong, sizeof(script.wrong), "status returned is %s, in the page %s",
			 sysvm_status_name(status), sysvm_status_name(page.status));
	return 0;
}

static int run(uint32_t proc, uint64_t fuel)
{
	latest = proc;
	seq++;
	return execute(fuel);
}

static int resume(uint64_t fuel)
{
	return execute(fuel);
}

static struct sysvm_page *get_page(void)
{
	return &page;
}

const struct engine scripted_engine = {"scripted", true, define, undefine, run, resume, get_page};
