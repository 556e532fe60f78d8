// SPDX-License-Identifier: MIT
/*
 * engine_fuzz A B COUNT [SEED]: COUNT random programs on engines A and B (user, trusted, kernel, model), each
 * run in a process and a scratch tree of its own. Compared are status, pc, error, instructions and calls
 * counted, registers, memory, mappings, descriptors, limits, and the tree.
 *
 * A difference is tried again (does it repeat?), the program is made as small as it can be, and printed
 * as text that the assembler reads, with its seed: `engine_fuzz A B 1 SEED` repeats it. Exit status 0: no
 * difference; 1: a difference, or too little was compared; 2: it could not be tried; 77: not on this
 * machine.
 *
 *   generate.c, calls.c,
 *   arguments.c, entries.c  random programs      model.c   an independent machine
 *   constants.c             what they refer to   run.c     one run
 *   world.c                 the scratch tree
 *
 * With the model as one engine it says which instructions and calls were never executed with success; with
 * --all it fails then.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

static const char *names[2];
static struct outcome *outcomes; /* two, shared with the children */

static bool same(const struct outcome *a, const struct outcome *b)
{
	return a->finished && b->finished && !a->trouble[0] && !b->trouble[0] && a->status == b->status &&
	       a->pc == b->pc && a->error == b->error && a->insns == b->insns && a->calls == b->calls &&
	       !memcmp(a->reg, b->reg, sizeof(a->reg)) && !memcmp(a->memory, b->memory, ARENA_SIZE) &&
	       !memcmp(a->window, b->window, sizeof(a->window)) && !strcmp(a->task, b->task) &&
	       !strcmp(a->tree, b->tree);
}

static bool differs(const struct program *p, uint64_t slices)
{
	int i;

	for (i = 0; i < 2; i++)
		run_program(names[i], p, slices + i, &outcomes[i]);
	return !same(&outcomes[0], &outcomes[1]);
}

/* Leave out what the difference does not need: halves first, then smaller parts, then single statements. */
static void minimise(struct program *p, uint64_t slices)
{
	static struct program smaller;
	unsigned int size, at, i;

	for (size = (p->n + 1) / 2; size; size /= 2) {
		for (at = 0; at + size <= p->n;) {
			smaller = *p;
			memmove(smaller.statements + at, smaller.statements + at + size,
				(p->n - at - size) * sizeof(smaller.statements[0]));
			smaller.n -= size;
			for (i = 0; i < smaller.n; i++) {
				int16_t *target = &smaller.statements[i].target;

				if (*target > (int)at)
					*target = *target >= (int)(at + size) ? *target - size : at;
			}
			emit(&smaller);
			if (differs(&smaller, slices))
				*p = smaller;
			else
				at += size;
		}
	}
	differs(p, slices);
}

static void print_registers(const struct program *p)
{
	unsigned int i;

	printf("; registers at the start (r%u: getpid, r%u: getppid):\n", p->map[R_PID], p->map[R_PPID]);
	for (i = 0; i < R_COUNT; i++)
		if (start_value(p, i))
			printf(";   r%u = %#" PRIx64 "\n", p->map[i], start_value(p, i));
}

static void print_program(const struct program *p)
{
	uint8_t targets[SYSVM_PROC_CODE_MAX] = {0};
	struct sysvm_insn insn;
	uint32_t at, size;
	char text[128];

	for (at = 0; at < p->len; at += size) {
		size = sysvm_decode(p->code, p->len, at, &insn);
		if (sysvm_is_jump(insn.form))
			targets[sysvm_jump_target(at, &insn)] = 1;
	}
	for (at = 0; at < p->len; at += size) {
		if (targets[at])
			printf("L%u:\n", at);
		sysvm_decode(p->code, p->len, at, &insn);
		size = sysvm_disasm(p->code, p->len, at, SYSVM_DISASM_LABELS, text, sizeof(text));
		printf("\t%s", text);
		if (insn.op == SYSVM_OP_DATA) {
			describe_constant(insn.imm, text, sizeof(text));
			printf("\t; %s", text);
		}
		printf("\n");
	}
}

/* The lines of a that are not in b. */
static void print_lines_missing(const char *a, const char *b, const char *engine)
{
	while (*a) {
		size_t n = strcspn(a, "\n");
		char line[512];

		snprintf(line, sizeof(line), "%.*s\n", (int)(n < 500 ? n : 500), a);
		if (!strstr(b, line))
			printf("%s only: %s", engine, line);
		a += n + (a[n] == '\n');
	}
}

static void print_outcome(const char *name, const struct outcome *o)
{
	if (!o->finished)
		printf("%s: %s %d\n", name, WIFSIGNALED(o->wait_status) ? "killed by signal" : "exit status",
		       WIFSIGNALED(o->wait_status) ? WTERMSIG(o->wait_status) : WEXITSTATUS(o->wait_status));
	if (o->trouble[0])
		printf("%s: %s\n", name, o->trouble);
	printf("%s: %s pc %u error %d, %" PRIu64 " instructions, %" PRIu64 " calls\n", name,
	       sysvm_status_name(o->status), o->pc, o->error, o->insns, o->calls);
}

static void print_difference(void)
{
	const struct outcome *a = &outcomes[0], *b = &outcomes[1];
	unsigned int i, shown = 0;

	print_outcome(names[0], a);
	print_outcome(names[1], b);
	for (i = 0; i < SYSVM_NREGS; i++)
		if (a->reg[i] != b->reg[i])
			printf("r%u: %#" PRIx64 " and %#" PRIx64 "\n", i, a->reg[i], b->reg[i]);
	for (i = 0; i < ARENA_SIZE && shown < 32; i++)
		if (a->memory[i] != b->memory[i] && shown++ < 32)
			printf("memory %#llx: %#x and %#x\n", ARENA + i, a->memory[i], b->memory[i]);
	for (i = 0; i < WINDOW_PAGES; i++)
		if (a->window[i] != b->window[i])
			printf("mapping %#llx: %#x and %#x\n", WINDOW + 4096 * i, a->window[i], b->window[i]);
	print_lines_missing(a->task, b->task, names[0]);
	print_lines_missing(b->task, a->task, names[1]);
	print_lines_missing(a->tree, b->tree, names[0]);
	print_lines_missing(b->tree, a->tree, names[1]);
}

static void report(struct program *p, long number, uint64_t slices)
{
	int again = 0, i;

	printf("program %ld, seed %#" PRIx64 ": %s and %s differ\n", number, p->seed, names[0], names[1]);
	print_difference();
	for (i = 0; i < 5; i++)
		again += differs(p, slices);
	printf("differs in %d of 5 more runs\n", again);
	if (again == 5) {
		minimise(p, slices);
		printf("made smaller:\n");
	}
	print_registers(p);
	print_program(p);
	if (again == 5)
		print_difference();
	printf("again: engine_fuzz %s %s 1 %#" PRIx64 "\n", names[0], names[1], p->seed);
}

/* What the model executed. False if an instruction never was, or a call never succeeded. */
static bool print_coverage(const struct outcome *model)
{
	unsigned int op, index, missing = 0;
	uint64_t calls = 0;

	for (op = 1; op < SYSVM_OP_CALL_FULL; op++)
		if (sysvm_opcode_lookup(op).form != SYSVM_FORM_BAD && op != SYSVM_OP_GOON &&
		    !model->opcodes[op] && ++missing)
			printf("never executed: %s\n", sysvm_opcode_lookup(op).mnemonic);
	for (op = SYSVM_OP_EXT(SYSVM_WIDE_FIRST); op < SYSVM_OPS; op++)
		if (sysvm_opcode_lookup(op).form != SYSVM_FORM_BAD && !model->opcodes[op] && ++missing)
			printf("never executed: %s\n", sysvm_opcode_lookup(op).mnemonic);
	for (index = 0; index < SYSVM_CALL_EXTENDED; index++) {
		const struct sysvm_syscall_info *row = sysvm_syscall_by_index(index);

		calls += model->succeeded[index];
		if (row && row->index == (int)index && !model->succeeded[index] && ++missing)
			printf("never succeeded: %s\n", row->name);
	}
	printf("%" PRIu64 " calls succeeded; %u instructions and calls never executed with success\n", calls,
	       missing);
	return !missing;
}

static int usage(void)
{
	fprintf(stderr, "usage: engine_fuzz [--all] user|trusted|kernel|model user|trusted|kernel|model "
			"COUNT [SEED]\n");
	return 2;
}

static int prepare(void)
{
	const char *scratch = getenv("SYSVM_SCRATCH");
	int i, err;

	for (i = 0; i < 2; i++) {
		const char *why = engine_missing(names[i]);

		if (why) {
			printf("engine_fuzz: engine %s: %s\n", names[i], why);
			return 77;
		}
	}
	/* Memory, if it can be had: the entries of a directory have the same order there each time. */
	if (!scratch)
		scratch = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	err = world_prepare(scratch);
	if (err) {
		printf("engine_fuzz: cannot change the root directory to one below %s (%s): programs would "
		       "reach the machine's "
		       "files\n",
		       scratch, strerror(-err));
		return 77;
	}
	make_constants();
	outcomes =
		mmap(NULL, 2 * sizeof(*outcomes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return outcomes == MAP_FAILED ? 2 : 0;
}

int main(int argc, char **argv)
{
	uint64_t ends[SYSVM_YIELD + 1] = {0}, insns = 0, calls = 0, seed, first;
	bool all = argc > 1 && !strcmp(argv[1], "--all"), covered = true;
	static struct program p;
	long count, i;
	int result;

	argc -= all;
	argv += all;
	if (argc < 4 || argc > 5 || !engine_known(argv[1]) || !engine_known(argv[2]))
		return usage();
	names[0] = argv[1];
	names[1] = argv[2];
	count = strtol(argv[3], NULL, 10);
	if (count < 1)
		return usage();
	result = prepare();
	if (result)
		return result;
	seed = first = argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)time(NULL) << 20 ^ getpid();
	printf("seed %#" PRIx64 "\n", first);
	for (i = 0; i < count; i++) {
		uint64_t slices = ~seed;

		fflush(stdout);
		generate(&p, seed);
		if (differs(&p, slices)) {
			report(&p, i, slices);
			return 1;
		}
		insns += outcomes[0].insns;
		calls += outcomes[0].calls;
		ends[outcomes[0].status]++;
		seed = next(&seed);
	}
	printf("%ld programs the same on %s and %s: %" PRIu64 " instructions, %" PRIu64 " calls, ended",
	       count, names[0], names[1], insns, calls);
	for (i = 0; i <= SYSVM_YIELD; i++)
		if (ends[i])
			printf(" %s %" PRIu64, sysvm_status_name(i), ends[i]);
	printf("; entries %" PRIu64 " and %" PRIu64 ", calls left to user space %" PRIu64 " and %" PRIu64
	       "\n",
	       outcomes[0].entries, outcomes[1].entries, outcomes[0].fallbacks, outcomes[1].fallbacks);
	for (i = 0; i < 2; i++)
		if (!strcmp(names[i], "model"))
			covered = print_coverage(&outcomes[i]);
	/* A test that compared nothing did not pass. */
	if (count >= 100 && (!ends[SYSVM_DONE] || !ends[SYSVM_ERROR] || !calls))
		return 1;
	return all && !covered;
}
