// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The interpreter. It runs a verified private copy of the code; the page holds everything else, and other
 * threads may write to the page at any time. So:
 *
 *   - pc, fuel and counters are locals and go to the page at a stop; they are never read back during the run;
 *   - registers are read and written with one volatile access each, and are only ever data: no check depends
 * on reading a register twice;
 *   - a pc to resume at must be a byte where an instruction starts.
 *
 * What an instruction costs: 1 fuel, prefix included. An instruction at which the program stops before it had
 * an effect (fuel, fault, arith, a call that was not made or that is to be restarted) is not counted, and pc
 * names it; resuming runs it again. A call that failed is counted, and its result is in its destination. A
 * taken backward jump is counted, then env->poll is asked: pc of that stop is the target, so a resumed
 * program always gets on.
 *
 * Tested by tests/cases/ on every engine, and by tests/vm/ with random code and pages.
 */
#include <linux/errno.h>

#include "vm.h"

struct machine {
	volatile __u64 *reg;
	const __u8 *code;
	struct sysvm_env *env;
	__u64 data_base;
	__u32 pc;
	__u32 status;
	__s32 error;
	__u32 poll; /* a backward jump was taken */
	__u64 fuel;
	__u64 insns;
	__u64 calls;
	long restart;
};

static inline __s16 fetch16(const __u8 *p)
{
	return (__s16)(p[0] | p[1] << 8);
}

static inline __s32 fetch32(const __u8 *p)
{
	return (__s32)(p[0] | p[1] << 8 | p[2] << 16 | (__u32)p[3] << 24);
}

static inline __u64 fetch64(const __u8 *p)
{
	return (__u32)fetch32(p) | (__u64)(__u32)fetch32(p + 4) << 32;
}

static inline __s64 shift_right_signed(__s64 value, unsigned int by)
{
	return value >> by;
}

static void stop(struct machine *m, __u32 status, __s32 error)
{
	m->status = status;
	m->error = error;
}

/* Make the call at *at (behind its prefix, if it has one). Returns false if the program stops at it,
 * uncounted. */
static bool make_call(struct machine *m, const __u8 *at, bool go_on)
{
	__u64 args[6] = {0};
	__u32 why = 0;
	unsigned int index, i, nargs;
	__u8 to = 0;
	long result;

	if (at[0] < SYSVM_OP_CALL_SHORT) {
		index = SYSVM_NOSPEC(at[0] - SYSVM_OP_CALL_FULL, SYSVM_CALL_MAX);
		nargs = sysvm_insn_size(at[0]) - 2;
		to = at[1];
		for (i = 0; i < nargs; i++)
			args[i] = m->reg[at[2 + i]];
	} else {
		index = SYSVM_NOSPEC(at[0] - SYSVM_OP_CALL_SHORT, SYSVM_CALL_MAX);
		nargs = sysvm_insn_size(SYSVM_OP_CALL_FULL + index) - 2;
		for (i = 0; i < nargs; i++)
			args[i] = m->reg[i];
	}
	result = m->env->call(m->env, index, args, &why);
	if (why) {
		stop(m, why, why == SYSVM_RESTART ? EINTR : 0);
		m->restart = result;
		return false;
	}
	m->calls++;
	m->reg[to] = (__u64)result;
	if ((unsigned long)result >= (unsigned long)-4095L && !go_on)
		stop(m, SYSVM_ERROR, (__s32)-result);
	return true;
}

static bool load(struct machine *m, const __u8 *at, unsigned int n, bool sign)
{
	__u8 bytes[8] = {0};
	__u64 value;

	if (m->env->load(m->env, m->reg[at[2]] + fetch16(at + 3), bytes, n)) {
		stop(m, SYSVM_FAULT, EFAULT);
		return false;
	}
	value = fetch64(bytes);
	if (sign)
		value = shift_right_signed((__s64)(value << (64 - 8 * n)), 64 - 8 * n);
	m->reg[at[1]] = value;
	return true;
}

static bool store(struct machine *m, const __u8 *at, unsigned int n)
{
	__u64 value = m->reg[at[2]]; /* little-endian, as the machine is */

	if (m->env->store(m->env, m->reg[at[1]] + fetch16(at + 3), &value, n)) {
		stop(m, SYSVM_FAULT, EFAULT);
		return false;
	}
	return true;
}

static bool divide(struct machine *m, const __u8 *at, bool remainder)
{
	__u64 a = m->reg[at[2]], b = m->reg[at[3]];

	if (!b) {
		stop(m, SYSVM_ARITH, 0);
		return false;
	}
	m->reg[at[1]] = remainder ? a % b : a / b;
	return true;
}

/* The jump distance, or 0 if it is not taken, added to the pc of the next instruction. */
static inline void jump(struct machine *m, bool taken, const __u8 *distance)
{
	if (!taken)
		return;
	m->pc += fetch16(distance);
	m->poll = fetch16(distance) < 0;
}

/*
 * One instruction. m->pc is already that of the next one, so a jump just adds to it. Returns false if the
 * program stops at this instruction without having counted it. Operands: a, b, c are the bytes behind the
 * opcode.
 */
static bool step(struct machine *m, const __u8 *at)
{
	volatile __u64 *r = m->reg;

#define A r[at[1]]
#define B r[at[2]]
#define C r[at[3]]
	switch (at[0]) {
	case SYSVM_OP_END:
		stop(m, SYSVM_DONE, 0);
		return true;
	case SYSVM_OP_GOON:
		return make_call(m, at + 1, true);
	case SYSVM_OP_MOV:
		A = B;
		return true;
	case SYSVM_OP_MOVI8:
		A = (__u64)(__s8)at[2];
		return true;
	case SYSVM_OP_MOVI16:
		A = (__u64)fetch16(at + 2);
		return true;
	case SYSVM_OP_MOVI32:
		A = (__u64)fetch32(at + 2);
		return true;
	case SYSVM_OP_MOVI64:
		A = fetch64(at + 2);
		return true;
	case SYSVM_OP_DATA:
		A = m->data_base + (__u16)fetch16(at + 2);
		return true;

	case SYSVM_OP_ADD:
		A = B + C;
		return true;
	case SYSVM_OP_SUB:
		A = B - C;
		return true;
	case SYSVM_OP_MUL:
		A = B * C;
		return true;
	case SYSVM_OP_DIV:
		return divide(m, at, false);
	case SYSVM_OP_MOD:
		return divide(m, at, true);
	case SYSVM_OP_AND:
		A = B & C;
		return true;
	case SYSVM_OP_OR:
		A = B | C;
		return true;
	case SYSVM_OP_XOR:
		A = B ^ C;
		return true;
	case SYSVM_OP_SHL:
		A = B << (C & 63);
		return true;
	case SYSVM_OP_SHR:
		A = B >> (C & 63);
		return true;
	case SYSVM_OP_SAR:
		A = shift_right_signed(B, C & 63);
		return true;
	case SYSVM_OP_ADDI:
		A = B + (__u64)fetch32(at + 3);
		return true;
	case SYSVM_OP_ANDI:
		A = B & (__u64)fetch32(at + 3);
		return true;

	case SYSVM_OP_LD8:
		return load(m, at, 1, false);
	case SYSVM_OP_LD16:
		return load(m, at, 2, false);
	case SYSVM_OP_LD32:
		return load(m, at, 4, false);
	case SYSVM_OP_LD64:
		return load(m, at, 8, false);
	case SYSVM_OP_LDS8:
		return load(m, at, 1, true);
	case SYSVM_OP_LDS16:
		return load(m, at, 2, true);
	case SYSVM_OP_LDS32:
		return load(m, at, 4, true);
	case SYSVM_OP_ST8:
		return store(m, at, 1);
	case SYSVM_OP_ST16:
		return store(m, at, 2);
	case SYSVM_OP_ST32:
		return store(m, at, 4);
	case SYSVM_OP_ST64:
		return store(m, at, 8);

	case SYSVM_OP_JMP:
		jump(m, true, at + 1);
		return true;
	case SYSVM_OP_JZ:
		jump(m, A == 0, at + 2);
		return true;
	case SYSVM_OP_JNZ:
		jump(m, A != 0, at + 2);
		return true;
	case SYSVM_OP_JNEG:
		jump(m, (__s64)A < 0, at + 2);
		return true;
	case SYSVM_OP_JPOS:
		jump(m, (__s64)A >= 0, at + 2);
		return true;
	case SYSVM_OP_JEQ:
		jump(m, A == B, at + 3);
		return true;
	case SYSVM_OP_JNE:
		jump(m, A != B, at + 3);
		return true;
	case SYSVM_OP_JLT:
		jump(m, (__s64)A < (__s64)B, at + 3);
		return true;
	case SYSVM_OP_JLE:
		jump(m, (__s64)A <= (__s64)B, at + 3);
		return true;
	case SYSVM_OP_JB:
		jump(m, A < B, at + 3);
		return true;
	case SYSVM_OP_JBE:
		jump(m, A <= B, at + 3);
		return true;
	default:
		/* Verified code: what is left are the calls. */
		return make_call(m, at, false);
	}
#undef A
#undef B
#undef C
}

static inline __u32 size_at(const __u8 *at)
{
	if (at[0] == SYSVM_OP_GOON)
		return 1 + sysvm_insn_size(at[1]);
	return sysvm_insn_size(at[0]);
}

static void run(struct machine *m)
{
	while (!m->status) {
		__u32 here = m->pc;

		if (!m->fuel) {
			stop(m, SYSVM_FUEL, 0);
			return;
		}
		m->pc += size_at(m->code + here);
		if (!step(m, m->code + here)) {
			m->pc = here;
			return;
		}
		m->fuel--;
		m->insns++;
		if (m->poll) {
			m->poll = 0;
			if (!m->status)
				stop(m, m->env->poll(m->env), 0);
		}
		/* END and a failed call leave pc at themselves. */
		if (m->status == SYSVM_DONE || m->status == SYSVM_ERROR)
			m->pc = here;
	}
}

#define FETCH(field) (*(const volatile __typeof__(field) *)&(field))
#define PUT(field, value) (*(volatile __typeof__(field) *)&(field) = (value))

void sysvm_set_stopped(struct sysvm_page *page, __u32 proc, __u64 seq, __u32 status, __u32 pc, __s32 error)
{
	PUT(page->pc, pc);
	PUT(page->error, error);
	PUT(page->proc, proc);
	PUT(page->run_seq, seq);
	PUT(page->runs, FETCH(page->runs) + 1);
	if (status == SYSVM_FALLBACK)
		PUT(page->fallbacks, FETCH(page->fallbacks) + 1);
	PUT(page->status, status);
}

__u32 sysvm_execute(struct sysvm_page *page, const struct sysvm_program *program, __u32 proc, __u64 seq,
		    struct sysvm_env *env, long *restart)
{
	struct machine m = {
		.reg = page->reg,
		.code = program->code,
		.env = env,
		.data_base = program->data_base,
		.fuel = FETCH(page->fuel),
	};

	if (FETCH(page->run_seq) == seq && FETCH(page->proc) == proc &&
	    sysvm_is_resumable(FETCH(page->status))) {
		m.pc = FETCH(page->pc);
		if (!sysvm_is_start(program->starts, program->len, m.pc)) {
			sysvm_set_stopped(page, proc, seq, SYSVM_INVALID, m.pc, EINVAL);
			return SYSVM_INVALID;
		}
	}
	if (m.fuel > SYSVM_FUEL_MAX)
		m.fuel = SYSVM_FUEL_MAX;
	run(&m);

	PUT(page->fuel, m.fuel);
	PUT(page->insns, FETCH(page->insns) + m.insns);
	PUT(page->calls, FETCH(page->calls) + m.calls);
	sysvm_set_stopped(page, proc, seq, m.status, m.pc, m.error);
	*restart = m.restart;
	return m.status;
}
