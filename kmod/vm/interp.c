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
	__u64 fuel;
	__u64 calls;
	long restart;
	__u32 why; /* the status to stop with, when a call was not made */
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

/* The error of a call: the program stops at it, or goes on, or the call was not made. Returns false if it stops. */
static bool after_error(struct machine *m, const struct sysvm_call_op *call, const __u8 *at, long result, bool go_on,
			__u64 *fuel)
{
	__u32 why = m->why;

	if (why) {
		stop(m, why, why == SYSVM_RESTART ? EINTR : 0);
		m->restart = result;
		return false; /* uncounted */
	}
	if ((unsigned long)result < (unsigned long)-4095L)
		return true;
	if (go_on)
		return true;
	m->reg[call->size == 1 ? 0 : at[1]] = (__u64)result;
	m->calls++;
	(*fuel)--;
	stop(m, SYSVM_ERROR, (__s32)-result);
	return false;
}

static bool load(struct machine *m, const __u8 *at, unsigned int n, bool sign)
{
	__u8 bytes[8] = {0};
	__u64 value;

	if (sysvm_env_load(m->env, m->reg[at[2]] + fetch16(at + 3), bytes, n)) {
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

	if (sysvm_env_store(m->env, m->reg[at[1]] + fetch16(at + 3), &value, n)) {
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

static const __u8 first_registers[6] = {0, 1, 2, 3, 4, 5}; /* of the short form */

static inline void put_args(SYSVM_ARGS *args, volatile __u64 *r, const __u8 *from, unsigned int nargs)
{
#define PUT(i)                                                                                               \
	if (nargs == (i))                                                                                    \
		return;                                                                                      \
	sysvm_put_arg(args, i, r[from[i]])
	PUT(0);
	PUT(1);
	PUT(2);
	PUT(3);
	PUT(4);
	PUT(5);
#undef PUT
}

/*
 * The loop. pc and fuel are locals, and each case adds its own size from the table, so that the next
 * instruction can be fetched before this one is done. "goto stopped" leaves pc at this instruction,
 * uncounted.
 */
static void run(struct machine *m)
{
	volatile __u64 *r = m->reg;
	bool backward = false;
	__u64 fuel = m->fuel;
	__u32 pc = m->pc;
	const __u8 *code = m->code, *at, *from;
	const struct sysvm_call_op *call;
	struct sysvm_env *env = m->env;
	SYSVM_ARGS *args = sysvm_env_args(env);
	unsigned int op, goon;
	long result;

#define A r[at[1]]
#define B r[at[2]]
#define C r[at[3]]
#define SIMPLE(NAME, effect)                                                                                 \
	case SYSVM_OP_##NAME:                                                                                \
		effect;                                                                                      \
		pc += SYSVM_SIZE_##NAME;                                                                     \
		break
#define CAN_STOP(NAME, effect)                                                                               \
	case SYSVM_OP_##NAME:                                                                                \
		if (!(effect))                                                                               \
			goto stopped;                                                                        \
		pc += SYSVM_SIZE_##NAME;                                                                     \
		break
#define JUMP(NAME, taken, distance)                                                                          \
	case SYSVM_OP_##NAME:                                                                                \
		if (taken) {                                                                                 \
			pc += fetch16(at + (distance));                                                      \
			backward = fetch16(at + (distance)) < 0;                                             \
		}                                                                                            \
		pc += SYSVM_SIZE_##NAME;                                                                     \
		break
	for (;;) {
		if (SYSVM_UNLIKELY(!fuel)) {
			stop(m, SYSVM_FUEL, 0);
			goto stopped;
		}
		at = code + pc;
		op = at[0];
		if (op >= SYSVM_OP_CALL_FULL) {
			goon = 0;
call:
			/*
			 * An opcode is one byte, or 0x100 and one: it cannot lead out of the table, under
			 * misprediction neither.
			 */
			if (op == SYSVM_OP_EXTENDED)
				op = SYSVM_OP_EXT(*++at);
			call = &sysvm_call_ops[op];
			from = call->size == 1 ? first_registers : at + 2;
			put_args(args, r, from, call->nargs);
			result = sysvm_env_call(env, args, call, &m->why);
			if (SYSVM_UNLIKELY(SYSVM_MAY_HAVE_STOPPED(result)) &&
			    !after_error(m, call, at, result, goon, &fuel))
				goto stopped;
			m->calls++;
			r[call->size == 1 ? 0 : at[1]] = (__u64)result;
			pc += goon + call->size;
			fuel--;
			continue;
		}
		switch (op) {
		case SYSVM_OP_END:
			fuel--;
			stop(m, SYSVM_DONE, 0);
			goto stopped;

			SIMPLE(MOV, A = B);
			SIMPLE(MOVI8, A = (__u64)(__s8)at[2]);
			SIMPLE(MOVI16, A = (__u64)fetch16(at + 2));
			SIMPLE(MOVI32, A = (__u64)fetch32(at + 2));
			SIMPLE(MOVI64, A = fetch64(at + 2));
			SIMPLE(DATA, A = m->data_base + (__u16)fetch16(at + 2));

			SIMPLE(ADD, A = B + C);
			SIMPLE(SUB, A = B - C);
			SIMPLE(MUL, A = B * C);
			CAN_STOP(DIV, divide(m, at, false));
			CAN_STOP(MOD, divide(m, at, true));
			SIMPLE(AND, A = B & C);
			SIMPLE(OR, A = B | C);
			SIMPLE(XOR, A = B ^ C);
			SIMPLE(SHL, A = B << (C & 63));
			SIMPLE(SHR, A = B >> (C & 63));
			SIMPLE(SAR, A = shift_right_signed(B, C & 63));
			SIMPLE(ADDI, A = B + (__u64)fetch32(at + 3));
			SIMPLE(ANDI, A = B & (__u64)fetch32(at + 3));

			CAN_STOP(LD8, load(m, at, 1, false));
			CAN_STOP(LD16, load(m, at, 2, false));
			CAN_STOP(LD32, load(m, at, 4, false));
			CAN_STOP(LD64, load(m, at, 8, false));
			CAN_STOP(LDS8, load(m, at, 1, true));
			CAN_STOP(LDS16, load(m, at, 2, true));
			CAN_STOP(LDS32, load(m, at, 4, true));
			CAN_STOP(ST8, store(m, at, 1));
			CAN_STOP(ST16, store(m, at, 2));
			CAN_STOP(ST32, store(m, at, 4));
			CAN_STOP(ST64, store(m, at, 8));

			JUMP(JMP, true, 1);
			JUMP(JZ, A == 0, 2);
			JUMP(JNZ, A != 0, 2);
			JUMP(JNEG, (__s64)A < 0, 2);
			JUMP(JPOS, (__s64)A >= 0, 2);
			JUMP(JEQ, A == B, 3);
			JUMP(JNE, A != B, 3);
			JUMP(JLT, (__s64)A < (__s64)B, 3);
			JUMP(JLE, (__s64)A <= (__s64)B, 3);
			JUMP(JB, A < B, 3);
			JUMP(JBE, A <= B, 3);

		default: /* verified code: what is left is GOON, with a call behind it */
			goon = 1;
			op = *++at;
			goto call;
		}
		fuel--;
		if (backward) {
			backward = false;
			m->status = sysvm_env_poll(m->env);
			if (m->status)
				goto stopped;
		}
	}
#undef A
#undef B
#undef C
#undef SIMPLE
#undef CAN_STOP
#undef JUMP
stopped:
	m->fuel = fuel;
	m->pc = pc;
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
	__u64 fuel;

	if (FETCH(page->run_seq) == seq && FETCH(page->proc) == proc &&
	    sysvm_is_resumable(FETCH(page->status))) {
		m.pc = FETCH(page->pc);
		if (!sysvm_is_start(program->starts, program->len, m.pc)) {
			sysvm_set_stopped(page, proc, seq, SYSVM_INVALID, m.pc, EINVAL);
			return SYSVM_INVALID;
		}
	}
	if (m.fuel > sysvm_env_max_fuel())
		m.fuel = sysvm_env_max_fuel();
	fuel = m.fuel;
	run(&m);

	PUT(page->fuel, m.fuel);
	PUT(page->insns, FETCH(page->insns) + fuel - m.fuel);
	PUT(page->calls, FETCH(page->calls) + m.calls);
	sysvm_set_stopped(page, proc, seq, m.status, m.pc, m.error);
	env->calls = m.calls;
	*restart = m.restart;
	return m.status;
}
