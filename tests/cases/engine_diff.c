// SPDX-License-Identifier: MIT
/*
 * engine_diff A B COUNT [SEED]: run COUNT random programs on two engines and compare everything that comes of
 * them.
 *
 * Engines: user, trusted (user, with the programs' memory trusted), kernel. The programs are valid, take
 * their instructions from the whole table, and make calls whose answers do not depend on when they are made.
 * Each engine stops them at other places (fuel in random slices, the kernel's own stops): that must not show
 * either. Prints the first program that differs as text that can become a case. Static and position
 * independent: random addresses then meet nothing by accident.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sysvm.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

#define MEMORY_SIZE 4096
#define FUEL 2000
#define REGISTERS 12 /* few, so that they meet; the last three hold addresses and are not written */
#define ADDRESSES 3

/* What one run left behind. */
struct outcome {
	uint32_t status, pc;
	int32_t error;
	uint64_t insns, calls;
	uint64_t reg[SYSVM_NREGS];
	unsigned char memory[MEMORY_SIZE];
};

struct program {
	uint8_t code[1024];
	uint32_t len;
	uint64_t seed; /* of its registers and memory */
};

static unsigned char *memory; /* far from everything else: +-2 GiB around it is nothing */

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 16 ^ *state << 31;
}

static bool is_steady(const char *call)
{
	static const char *const steady[] = {"getpid", "getppid", "gettid", "getuid",	"geteuid",
					     "getcwd", "uname",	  "access", "readlink", "getxattr"};
	size_t i;

	for (i = 0; i < sizeof(steady) / sizeof(steady[0]); i++)
		if (!strcmp(steady[i], call))
			return true;
	return false;
}

/* One instruction at p; its size, or 0 if the opcode drawn is not for us. */
static unsigned int random_insn(uint64_t *random, uint8_t *p)
{
	struct sysvm_opcode_info info;
	uint8_t op = next(random), sign = next(random) % 2 ? 0xff : 0;
	unsigned int i, size = 0, nregs;

	/* Calls have most of the opcodes; draw them less often. */
	if (op >= SYSVM_OP_CALL_FULL && next(random) % 2)
		op = next(random) % SYSVM_OP_CALL_FULL;
	info = sysvm_opcode_lookup(op);
	if (info.form == SYSVM_FORM_BAD || op == SYSVM_OP_GOON || op == SYSVM_OP_END)
		return 0;
	if (sysvm_is_call(info.form)) {
		if (!is_steady(info.mnemonic))
			return 0;
		if (next(random) % 4)
			p[size++] = SYSVM_OP_GOON;
	}
	p[size++] = op;
	nregs = sysvm_insn_regs(&info);
	for (i = 0; i < nregs; i++) {
		bool is_base = info.form == (i ? SYSVM_FORM_LOAD : SYSVM_FORM_STORE);

		p[size++] = is_base && next(random) % 16 ? REGISTERS - 1 - next(random) % ADDRESSES
			    : i				 ? next(random) % REGISTERS
							 : next(random) % (REGISTERS - ADDRESSES);
	}
	for (i = nregs + 1; i < info.size; i++) /* immediates: small, of either sign */
		p[size++] = i == nregs + 1 ? next(random) % 128 + (sign & 128) : sign;
	if (op == SYSVM_OP_MOVI64)
		for (i = 2; i < 10; i++)
			p[i] = next(random);
	return size;
}

static void random_program(uint64_t *random, struct program *program)
{
	uint32_t starts[64], n = 4 + next(random) % 50, i = 0, at = 0;
	struct sysvm_insn insn;

	while (i < n) {
		unsigned int size = random_insn(random, program->code + at);

		if (size)
			starts[i++] = at;
		at += size;
	}
	starts[n] = at;
	program->code[at++] = SYSVM_OP_END;
	program->len = at;
	for (i = 0; i < n; i++) {
		int distance;

		if (sysvm_decode(program->code, at, starts[i], &insn) <= 0 || !sysvm_is_jump(insn.form))
			continue;
		distance = (int)starts[next(random) % (n + 1)] - (int)(starts[i] + insn.size);
		program->code[starts[i] + insn.size - 2] = distance & 0xff;
		program->code[starts[i] + insn.size - 1] = distance >> 8 & 0xff;
	}
	program->seed = next(random);
}

static void start_state(const struct program *program, struct sysvm_page *page)
{
	uint64_t random = program->seed;
	int i;

	memset(page->reg, 0, sizeof(page->reg));
	for (i = 0; i < REGISTERS; i++) {
		uint64_t r = next(&random);

		page->reg[i] = i < REGISTERS - ADDRESSES ? (r % 2 ? r : r % 64)
							 : (uintptr_t)memory + r % (MEMORY_SIZE - 512);
	}
	for (i = 0; i < MEMORY_SIZE; i++)
		memory[i] = next(&random) % 4 ? 0 : next(&random);
}

/* Run to its end; the places where it stops on the way differ from call to call. */
static int run(struct sysvm_vm *vm, const struct program *program, uint64_t *slices, struct outcome *out)
{
	struct sysvm_page *page = sysvm_page(vm);
	uint64_t left = FUEL, slice = next(slices) % 100, insns, calls;
	char message[128];
	uint32_t proc;
	int err = sysvm_define(vm, program->code, program->len, 0, &proc, message, sizeof(message));

	if (err) {
		fprintf(stderr, "engine_diff: define: %s: %s\n", strerror(-err), message);
		return err;
	}
	start_state(program, page);
	insns = page->insns;
	calls = page->calls;
	err = sysvm_run(vm, proc, slice);
	while (!err) {
		left -= slice - page->fuel;
		if (!sysvm_is_resumable(page->status) || (page->status == SYSVM_FUEL && !left))
			break;
		slice = next(slices) % 100;
		slice = slice < left ? slice : left;
		err = sysvm_resume(vm, slice);
	}
	if (err)
		fprintf(stderr, "engine_diff: run: %s\n", strerror(-err));
	*out = (struct outcome){page->status,	     page->pc, page->error, page->insns - insns,
				page->calls - calls, {0},      {0}};
	memcpy(out->reg, page->reg, sizeof(out->reg));
	memcpy(out->memory, memory, MEMORY_SIZE);
	sysvm_undefine(vm, proc);
	return err;
}

static struct sysvm_vm *open_engine(const char *name)
{
	bool kernel = !strcmp(name, "kernel"), trusted = !strcmp(name, "trusted");
	struct sysvm_vm *vm = aligned_alloc(64, sysvm_size());
	int err = -EINVAL;

	if (kernel || trusted || !strcmp(name, "user"))
		err = sysvm_init(vm, kernel ? SYSVM_ENGINE_KERNEL : SYSVM_ENGINE_USER);
	if (!err && trusted)
		err = sysvm_trust(vm, memory, MEMORY_SIZE, 1);
	if (!err)
		return vm;
	fprintf(stderr, "engine_diff: engine '%s': %s\n", name, strerror(-err));
	exit(2);
}

static void print_program(const struct program *program)
{
	uint32_t at = 0;
	char text[128];

	while (at < program->len) {
		int size = sysvm_disasm(program->code, program->len, at, SYSVM_DISASM_RELATIVE, text,
					sizeof(text));

		printf("\t%s\n", text);
		at += size > 0 ? size : 1;
	}
}

static void print_difference(const struct outcome *a, const struct outcome *b, const char *a_name,
			     const char *b_name)
{
	int i;

	printf("%s: %s pc %u error %d, %" PRIu64 " instructions, %" PRIu64 " calls\n", a_name,
	       sysvm_status_name(a->status), a->pc, a->error, a->insns, a->calls);
	printf("%s: %s pc %u error %d, %" PRIu64 " instructions, %" PRIu64 " calls\n", b_name,
	       sysvm_status_name(b->status), b->pc, b->error, b->insns, b->calls);
	for (i = 0; i < SYSVM_NREGS; i++)
		if (a->reg[i] != b->reg[i])
			printf("r%d: %#" PRIx64 " and %#" PRIx64 "\n", i, a->reg[i], b->reg[i]);
	for (i = 0; i < MEMORY_SIZE; i++)
		if (a->memory[i] != b->memory[i])
			printf("memory byte %d: %#x and %#x\n", i, a->memory[i], b->memory[i]);
}

int main(int argc, char **argv)
{
	uint64_t random, slices = 99, calls = 0, ends[SYSVM_YIELD + 1] = {0};
	static struct outcome a, b;
	struct sysvm_vm *first, *second;
	struct program program;
	long count, i;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: engine_diff user|trusted|kernel user|trusted|kernel COUNT [SEED]\n");
		return 2;
	}
	memory = mmap((void *)0x100000000000, MEMORY_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "engine_diff: mmap: %s\n", strerror(errno));
		return 2;
	}
	first = open_engine(argv[1]);
	second = open_engine(argv[2]);
	count = strtol(argv[3], NULL, 10);
	random = argc > 4 ? strtoull(argv[4], NULL, 0) : 1;
	for (i = 0; i < count; i++) {
		random_program(&random, &program);
		if (run(first, &program, &slices, &a) || run(second, &program, &slices, &b))
			return 2;
		if (memcmp(&a, &b, sizeof(a))) {
			printf("program %ld differs:\n", i);
			print_program(&program);
			print_difference(&a, &b, argv[1], argv[2]);
			return 1;
		}
		calls += a.calls;
		ends[a.status]++;
	}
	printf("%ld programs the same on %s and %s: %" PRIu64 " calls, ended", count, argv[1], argv[2],
	       calls);
	for (i = 0; i <= SYSVM_YIELD; i++)
		if (ends[i])
			printf(" %s %" PRIu64, sysvm_status_name(i), ends[i]);
	printf("\n");
	/* A test that looked at nothing did not pass. */
	return count > 100 && (!calls || !ends[SYSVM_DONE] || !ends[SYSVM_FAULT]);
}
