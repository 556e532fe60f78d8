// SPDX-License-Identifier: MIT
/*
 * Random programs that the verifier accepts. Most values are small and most addresses good, or nothing would
 * happen; some are not, or nothing would fail.
 */
#include <string.h>

#include "fuzz.h"
#include "vm/vm.h"

static uint8_t real(const struct program *p, unsigned int reg)
{
	return p->map[reg];
}

void put(struct statement *s, uint64_t value, unsigned int bytes)
{
	for (; bytes; bytes--, value >>= 8)
		s->bytes[s->len++] = value;
}

void put_insn(struct program *p, struct statement *s, uint8_t op, unsigned int a, unsigned int b,
	      unsigned int c)
{
	struct sysvm_opcode_info info = sysvm_opcode_lookup(op);
	unsigned int regs[3] = {a, b, c}, i;

	put(s, op, 1);
	for (i = 0; i < sysvm_insn_regs(&info) && i < 3; i++)
		put(s, real(p, regs[i]), 1);
}

void put_memory(struct program *p, struct statement *s, uint8_t op, unsigned int a, unsigned int b,
		int offset)
{
	put_insn(p, s, op, a, b, 0);
	put(s, offset, 2);
}

/* By the shortest way that holds it, or a longer one. */
void put_value(struct program *p, struct statement *s, unsigned int reg, uint64_t value, uint64_t *random)
{
	int64_t v = value;
	unsigned int least = v == (int8_t)v ? 0 : v == (int16_t)v ? 1 : v == (int32_t)v ? 2 : 3;
	unsigned int form = next(random) % 4 ? least : least + next(random) % (4 - least);

	put_insn(p, s, SYSVM_OP_MOVI8 + form, reg, 0, 0);
	put(s, value, 1u << form);
}

void put_constant(struct program *p, struct statement *s, unsigned int reg, unsigned int offset)
{
	put_insn(p, s, SYSVM_OP_DATA, reg, 0, 0);
	put(s, offset, 2);
}

static unsigned int any_value(uint64_t *random)
{
	return R_VALUE + next(random) % R_VALUES;
}

/* Source of an instruction: mostly values, now and then a descriptor, an address, a counter. */
static unsigned int any_source(uint64_t *random)
{
	return next(random) % 8 ? any_value(random) : next(random) % (R_COUNTER + R_COUNTERS);
}

/* Any plain instruction but jumps. */
static void generate_plain(struct program *p, struct statement *s, uint64_t *random)
{
	uint8_t op = SYSVM_OP_MOV + next(random) % (SYSVM_OP_JMP - SYSVM_OP_MOV);
	struct sysvm_opcode_info info = sysvm_opcode_lookup(op);
	unsigned int base = next(random) % 12 ? R_ADDRESS + next(random) % R_ADDRESSES : any_value(random);
	unsigned int to = any_value(random);
	int offset = (int)(next(random) % 2048) - (next(random) % 8 ? 0 : 4096);

	switch (info.form) {
	case SYSVM_FORM_LOAD:
		put_memory(p, s, op, to, base, offset);
		return;
	case SYSVM_FORM_STORE:
		put_memory(p, s, op, base, any_source(random), offset);
		return;
	case SYSVM_FORM_RI8:
	case SYSVM_FORM_RI16:
	case SYSVM_FORM_RI32:
	case SYSVM_FORM_RI64:
		put_value(p, s, to, next(random) >> next(random) % 64, random);
		return;
	case SYSVM_FORM_RD:
		put_insn(p, s, op, to, 0, 0);
		put(s, next(random) % CONSTANTS_SIZE, 2);
		return;
	case SYSVM_FORM_RRI32:
		put_insn(p, s, op, to, any_source(random), 0);
		put(s, next(random) % 4 ? next(random) % 512 - 256 : next(random), 4);
		return;
	}
	put_insn(p, s, op, to, any_source(random), any_source(random));
}

static void generate_jump(struct program *p, struct statement *s, uint64_t *random, unsigned int at)
{
	uint8_t op = SYSVM_OP_JMP + next(random) % (SYSVM_OP_JBE + 1 - SYSVM_OP_JMP);

	put_insn(p, s, op, any_source(random), any_source(random), 0);
	put(s, 0, 2);
	/* Backward now and then: fuel ends what does not end by itself. */
	s->target = next(random) % 6 ? at + next(random) % (p->n + 1 - at) : next(random) % (at + 1);
}

/* The end of a loop that is run a few times: counts down a register that was given its count at the start. */
static void generate_loop(struct program *p, struct statement *s, uint64_t *random, unsigned int at)
{
	unsigned int counter = R_COUNTER + next(random) % R_COUNTERS;

	put_insn(p, s, SYSVM_OP_ADDI, counter, counter, 0);
	put(s, -1, 4);
	put_insn(p, s, next(random) % 2 ? SYSVM_OP_JNZ : SYSVM_OP_JPOS, counter, 0, 0);
	put(s, 0, 2);
	s->target = at > 8 ? at - 1 - next(random) % 8 : 0;
}

static void generate_statement(struct program *p, unsigned int at, uint64_t *random)
{
	struct statement *s = &p->statements[at];

	for (;;) {
		unsigned int kind = next(random) % 64;

		s->len = 0;
		s->target = -1;
		if (kind < 32) {
			if (generate_call(p, s, random, next(random) % SYSVM_CALL_MAX))
				return;
			continue;
		}
		if (kind == 32)
			generate_entries(p, s, random);
		else if (kind < 54)
			generate_plain(p, s, random);
		else if (kind < 58)
			generate_jump(p, s, random, at);
		else if (kind < 63)
			generate_loop(p, s, random, at);
		else if (next(random) % 8 == 0)
			put(s, SYSVM_OP_END, 1);
		else
			continue;
		return;
	}
}

/* Which of the 256 registers stand for ours: others in each program. */
static void choose_registers(struct program *p, uint64_t *random)
{
	bool taken[SYSVM_NREGS] = {false};
	unsigned int i;

	for (i = 0; i < R_COUNT; i++) {
		uint8_t reg = i < 6 ? i : next(random);

		while (i >= 6 && (reg < 6 || taken[reg]))
			reg = next(random);
		p->map[i] = reg;
		taken[reg] = true;
	}
}

void generate(struct program *p, uint64_t seed)
{
	uint64_t random = seed;
	unsigned int i;

	p->seed = seed;
	choose_registers(p, &random);
	p->n = 1 + next(&random) % MAX_STATEMENTS;
	for (i = 0; i < p->n; i++)
		generate_statement(p, i, &random);
	emit(p);
}

void emit(struct program *p)
{
	uint32_t starts[MAX_STATEMENTS + 1], at = 0;
	unsigned int i;

	memset(p->between, 0, sizeof(p->between));
	for (i = 0; i < p->n; i++) {
		starts[i] = at;
		memcpy(p->code + at, p->statements[i].bytes, p->statements[i].len);
		at += p->statements[i].len;
	}
	starts[p->n] = at;
	p->code[at++] = SYSVM_OP_END;
	p->len = at;
	for (i = 0; i <= p->n; i++)
		p->between[starts[i] / 8] |= 1u << starts[i] % 8;
	for (i = 0; i < p->n; i++) {
		uint32_t end = starts[i] + p->statements[i].len;
		int distance;

		if (p->statements[i].target < 0)
			continue;
		distance = (int)starts[p->statements[i].target] - (int)end;
		p->code[end - 2] = distance & 0xff;
		p->code[end - 1] = distance >> 8 & 0xff;
	}
}

uint64_t start_value(const struct program *p, unsigned int reg)
{
	uint64_t random = p->seed + reg * 0x9e3779b97f4a7c15u;
	uint64_t r = next(&random);

	if (reg >= R_ADDRESS && reg < R_ADDRESS + R_ADDRESSES)
		return ARENA + r % (ARENA_SIZE - 4096);
	if (reg >= R_FD && reg < R_FD + R_FDS)
		return r % 9;
	if (reg >= R_COUNTER && reg < R_COUNTER + R_COUNTERS)
		return 1 + r % 5;
	if (reg >= R_ARGUMENT)
		return 0;
	return r % 4 == 0 ? next(&random) : r % 4 == 1 ? ARENA + r % ARENA_SIZE : r % 64;
}
