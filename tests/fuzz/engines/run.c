// SPDX-License-Identifier: MIT
/*
 * One program on one engine, in a process of its own: what a program does to descriptors, limits, mappings
 * and to itself (a crash, a hang) ends with that process. What comes of it is left in shared memory.
 *
 * Engines: user, trusted (user, with the arena trusted), kernel, model (model.c). Each run is stopped at
 * other places, by fuel in slices of random size: that must not show either.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "vm/vm.h"

#define SECONDS 60 /* a run takes milliseconds */

static bool is(const char *a, const char *b)
{
	return !strcmp(a, b);
}

bool engine_known(const char *name)
{
	return is(name, "user") || is(name, "trusted") || is(name, "kernel") || is(name, "model");
}

const char *engine_missing(const char *name)
{
	struct sysvm_vm *vm = aligned_alloc(64, sysvm_size());
	int err = is(name, "kernel") ? sysvm_init(vm, SYSVM_ENGINE_KERNEL) : 0;

	if (is(name, "kernel") && !err)
		sysvm_exit(vm);
	free(vm);
	return err ? strerror(-err) : NULL;
}

static void map_memory(const struct program *p)
{
	uint64_t random = p->seed;
	unsigned int i;

	if (mmap((void *)ARENA, ARENA_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)ARENA)
		_exit(2);
	if (mmap((void *)WINDOW, 2 * 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)WINDOW)
		_exit(2);
	for (i = 0; i < ARENA_SIZE / 8; i += 3)
		((uint64_t *)ARENA)[i] = next(&random);
}

static uint32_t window_page(unsigned int i)
{
	static unsigned char bytes[4096];
	struct iovec here = {bytes, 4096}, there = {(char *)WINDOW + 4096 * i, 4096};
	uint32_t sum = 1;
	unsigned int j;

	if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) != 4096)
		return 0;
	for (j = 0; j < 4096; j++)
		sum = (sum ^ bytes[j]) * 16777619u;
	return sum | 1;
}

static void set_registers(const struct program *p, struct sysvm_page *page)
{
	unsigned int i;

	memset(page->reg, 0, sizeof(page->reg));
	for (i = 0; i < R_COUNT; i++)
		page->reg[p->map[i]] = start_value(p, i);
	page->reg[p->map[R_PID]] = getpid();
	page->reg[p->map[R_PPID]] = getppid();
}

struct runner {
	struct sysvm_vm *vm; /* NULL: the model */
	struct sysvm_page *page;
	struct model model;
	uint32_t proc;
	bool begun;
};

static int open_runner(struct runner *r, const char *engine, const struct program *p, struct outcome *out)
{
	static struct sysvm_page model_page;
	int err;

	r->model = (struct model){p->code, p->len, CONSTANTS, NULL, NULL};
	r->page = &model_page;
	if (is(engine, "model")) {
		r->model.opcodes = out->opcodes;
		r->model.succeeded = out->succeeded;
		return 0;
	}
	r->vm = aligned_alloc(64, sysvm_size());
	err = sysvm_init(r->vm, is(engine, "kernel") ? SYSVM_ENGINE_KERNEL : SYSVM_ENGINE_USER);
	if (!err && is(engine, "trusted"))
		err = sysvm_trust(r->vm, (void *)ARENA, ARENA_SIZE, 1);
	if (!err)
		err = sysvm_define(r->vm, p->code, p->len, CONSTANTS, &r->proc, out->trouble,
				   sizeof(out->trouble));
	if (!err)
		r->page = sysvm_page(r->vm);
	else
		snprintf(out->trouble + strlen(out->trouble), 64, " (%s)", strerror(-err));
	return err;
}

/* Up to the next stop. */
static int enter(struct runner *r, uint64_t fuel, struct outcome *out)
{
	uint64_t before = r->page->insns;
	int err = 0;

	out->entries++;
	if (!r->vm) {
		model_run(&r->model, r->page, fuel);
		return 0;
	}
	err = r->begun ? sysvm_resume(r->vm, fuel) : sysvm_run(r->vm, r->proc, fuel);
	r->begun = true;
	if (!err && r->page->insns - before != fuel - r->page->fuel)
		snprintf(out->trouble, sizeof(out->trouble), "%llu instructions, but %llu fuel used",
			 (unsigned long long)(r->page->insns - before),
			 (unsigned long long)(fuel - r->page->fuel));
	/* User space is to make this call itself, and may then go on. */
	if (!err && r->page->status == SYSVM_FALLBACK) {
		out->fallbacks++;
		model_run(&r->model, r->page, 1);
	}
	return err;
}

/* To the program's end, or until its fuel is spent and nothing is left between two statements that must go.
 */
static int run_to_end(struct runner *r, const struct program *p, uint64_t slices, struct outcome *out)
{
	uint64_t start = r->page->insns;

	for (;;) {
		uint64_t used = r->page->insns - start,
			 slice = 1 + next(&slices) % (next(&slices) % 4 ? 400 : 8);
		int err;

		if (used >= FUEL)
			slice = 1;
		else if (slice > FUEL - used)
			slice = FUEL - used;
		err = enter(r, slice, out);
		if (err || out->trouble[0])
			return err;
		if (!sysvm_is_resumable(r->page->status))
			return 0;
		if (r->page->insns - start >= FUEL && is_between(p, r->page->pc))
			return 0;
	}
}

static void child(const char *engine, const struct program *p, uint64_t slices, struct outcome *out)
{
	struct runner r = {0};
	uint64_t insns, calls;
	unsigned int i;
	int err;

	alarm(SECONDS);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	map_memory(p);
	if (open_runner(&r, engine, p, out))
		_exit(3);
	world_enter();
	set_registers(p, r.page);
	insns = r.page->insns;
	calls = r.page->calls;
	err = run_to_end(&r, p, slices, out);
	if (err)
		snprintf(out->trouble, sizeof(out->trouble), "run: %s", strerror(-err));
	r.page->reg[p->map[R_PID]] = 0;
	r.page->reg[p->map[R_PPID]] = 0;
	out->status = r.page->status;
	out->pc = r.page->pc;
	out->error = r.page->error;
	out->insns = r.page->insns - insns;
	out->calls = r.page->calls - calls;
	/* Several stops look alike to a program that has no fuel left. */
	if (sysvm_is_resumable(out->status)) {
		out->status = SYSVM_FUEL;
		out->error = 0;
	}
	memcpy(out->reg, r.page->reg, sizeof(out->reg));
	memcpy(out->memory, (void *)ARENA, ARENA_SIZE);
	for (i = 0; i < WINDOW_PAGES; i++)
		out->window[i] = window_page(i);
	world_describe_task(out->task, sizeof(out->task));
	out->finished = 1;
	_exit(0);
}

void run_program(const char *engine, const struct program *p, uint64_t slices, struct outcome *out)
{
	pid_t pid;

	memset(out, 0, offsetof(struct outcome, fallbacks));
	out->task[0] = 0;
	world_make();
	pid = fork();
	if (pid < 0) {
		perror("engine_fuzz: fork");
		exit(2);
	}
	if (!pid)
		child(engine, p, slices, out);
	waitpid(pid, &out->wait_status, 0);
	world_describe_tree(out->tree, sizeof(out->tree));
	world_remove();
}
