// SPDX-License-Identifier: MIT
/*
 * engine_hostile user|kernel|best COUNT [SEED]: COUNT random programs, each as a procedure and as code in the
 * page, while another thread rewrites the page (header, registers, code) as fast as it can. What the programs
 * do then is anybody's guess, so it is not compared; but the process lives, every entry comes back with an
 * error that sysvm.h names, and afterwards the machine does what it is asked. In the guest the kernel's
 * console is checked besides (run.py).
 *
 * Calls that could take away the ground under the test (mappings, limits) are left out of procedures; code in
 * the page can become any code, so there only the kernel's health counts. What blocks is woken by a timer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

#define ENTRIES 40

static struct sysvm_page *page;
static uint64_t writes;
static int over;

static void *rewrite(void *seed)
{
	uint64_t random = (uintptr_t)seed;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		uint64_t r = next(&random);
		/* The header is small, and most of what is decided is decided by it. */
		size_t at = r % 2 ? r / 2 % SYSVM_HEADER_SIZE : r / 2 % SYSVM_PAGE_SIZE;

		((volatile uint8_t *)page)[at] = r >> 32;
		__atomic_fetch_add(&writes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void woken(int signal)
{
	(void)signal;
}

static void make_memory(void)
{
	if (mmap((void *)ARENA, ARENA_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)ARENA)
		_exit(2);
}

static bool is_named(int err)
{
	return !err || err == -EINVAL || err == -EINTR || err == -EBUSY || err == -ENOENT;
}

/* A machine that has lived through it adds up as ever. */
static bool is_well(struct sysvm_vm *vm, uint32_t proc)
{
	page->reg[1] = 40;
	page->reg[2] = 2;
	return !sysvm_run_through(vm, proc, 10) && page->status == SYSVM_DONE && page->reg[0] == 42;
}

static void child(enum sysvm_engine engine, const struct program *p, bool in_page)
{
	static const uint8_t sum[] = {SYSVM_OP_ADD, 0, 1, 2, SYSVM_OP_END};
	struct itimerval timer = {{0, 5000}, {0, 5000}};
	struct sigaction action = {.sa_handler = woken};
	struct sysvm_vm *vm = aligned_alloc(64, sysvm_size());
	uint32_t proc = SYSVM_PROC_PAGE, sum_proc;
	uint64_t random = p->seed;
	pthread_t writer;
	unsigned int i;

	sigaction(SIGALRM, &action, NULL);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	signal(SIGURG, SIG_IGN);
	make_memory();
	if (sysvm_init(vm, engine) || sysvm_define(vm, sum, sizeof(sum), 0, &sum_proc, NULL, 0) ||
	    (!in_page && sysvm_define(vm, p->code, p->len, CONSTANTS, &proc, NULL, 0)))
		_exit(3);
	page = sysvm_page(vm);
	world_enter();
	if (pthread_create(&writer, NULL, rewrite, (void *)(uintptr_t)next(&random)))
		_exit(4);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (i = 0; i < ENTRIES; i++) {
		unsigned int reg;
		int err;

		for (reg = 0; reg < R_COUNT; reg++)
			page->reg[p->map[reg]] = start_value(p, reg);
		if (in_page) {
			memcpy(page->code, p->code, p->len);
			page->code_len = p->len;
			page->data_base = CONSTANTS;
		}
		err = next(&random) % 4 ? sysvm_run(vm, proc, 300) : sysvm_resume(vm, 300);
		if (!is_named(err))
			_exit(5);
	}
	/* It was alive while we ran, or it was no test. */
	while (!__atomic_load_n(&writes, __ATOMIC_RELAXED))
		sched_yield();
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	timer = (struct itimerval){{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &timer, NULL);
	_exit(is_well(vm, sum_proc) ? 0 : 6);
}

static bool pulls_the_ground_away(const struct program *p)
{
	struct sysvm_insn insn;
	uint32_t at;

	for (at = 0; at < p->len; at += insn.size) {
		if (sysvm_decode(p->code, p->len, at, &insn) <= 0)
			return true;
		if (sysvm_is_call(insn.form) &&
		    (insn.call == SYSVM_CALL_mmap || insn.call == SYSVM_CALL_munmap ||
		     insn.call == SYSVM_CALL_madvise || insn.call == SYSVM_CALL_prlimit64))
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	enum sysvm_engine engine;
	static struct program p;
	long count, i, lived = 0;
	uint64_t seed;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: engine_hostile user|kernel|best COUNT [SEED]\n");
		return 2;
	}
	engine = !strcmp(argv[1], "kernel") ? SYSVM_ENGINE_KERNEL
		 : !strcmp(argv[1], "best") ? SYSVM_ENGINE_BEST
					    : SYSVM_ENGINE_USER;
	count = strtol(argv[2], NULL, 10);
	seed = argc > 3 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL) << 20 ^ getpid();
	if (world_prepare(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp")) {
		printf("engine_hostile: cannot change the root directory here\n");
		return 77;
	}
	make_constants();
	printf("seed %#llx\n", (unsigned long long)seed);
	for (i = 0; i < count; i++) {
		bool in_page = i % 2;
		int status;
		pid_t pid;

		do {
			generate(&p, seed = next(&seed));
		} while (pulls_the_ground_away(&p) || (in_page && p.len > SYSVM_PAGE_CODE_MAX));
		fflush(stdout);
		world_make();
		pid = fork();
		if (!pid)
			child(engine, &p, in_page);
		waitpid(pid, &status, 0);
		world_remove();
		lived += status == 0;
		if (status && !in_page) {
			printf("program %ld, seed %#llx: %s %d\n", i, (unsigned long long)p.seed,
			       WIFSIGNALED(status) ? "killed by signal" : "exit status",
			       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
			return 1;
		}
	}
	printf("%ld programs with a page that was rewritten, %ld machines well after them\n", count, lived);
	return lived < count / 2;
}
