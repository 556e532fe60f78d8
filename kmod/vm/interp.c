// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The interpreter. It runs a verified private copy of the code; the page holds everything else, and other
 * threads may write to the page at any time. So:
 *
 *   - place, fuel and counters are ours and go to the page at a stop; they are not read back during the run;
 *   - registers are read and written with one volatile access each, and are only ever data: no check depends
 *     on reading a register twice;
 *   - a pc to resume at must be a byte where an instruction starts.
 *
 * What an instruction costs: 1 fuel, prefix included. An instruction at which the program stops before it had
 * an effect (fuel, fault, arith, a call that was not made or that is to be restarted) is not counted, and pc
 * names it; resuming runs it again. A call that failed is counted, and its result is in its destination. A
 * taken backward jump is counted, then env->poll is asked: pc of that stop is the target, so a resumed
 * program always makes progress. Wide instructions: entries.c.
 *
 * Tested by tests/cases/ on every engine, and by tests/vm/ with random code and pages.
 */
#include <linux/errno.h>

#include "entries.h"
#include "vm.h"

#define FETCH(field) (*(const volatile __typeof__(field) *)&(field))
#define PUT(field, value) (*(volatile __typeof__(field) *)&(field) = (value))

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

/* The rarer instructions: at is theirs; false if it cannot be done. */

static bool load(struct sysvm_env *env, volatile __u64 *r, const __u8 *at, unsigned int n, bool sign)
{
	__u8 bytes[8] = {0};
	__u64 value;

	if (sysvm_env_load(env, r[at[2]] + fetch16(at + 3), bytes, n))
		return false;
	value = fetch64(bytes);
	if (sign)
		value = shift_right_signed((__s64)(value << (64 - 8 * n)), 64 - 8 * n);
	r[at[1]] = value;
	return true;
}

static bool store(struct sysvm_env *env, volatile __u64 *r, const __u8 *at, unsigned int n)
{
	__u64 value = r[at[2]]; /* little-endian, as the machine is */

	return !sysvm_env_store(env, r[at[1]] + fetch16(at + 3), &value, n);
}

static bool divide(volatile __u64 *r, const __u8 *at, bool remainder)
{
	__u64 a = r[at[2]], b = r[at[3]];

	if (!b)
		return false;
	r[at[1]] = remainder ? a % b : a / b;
	return true;
}

static const __u8 first_registers[6] = {0, 1, 2, 3, 4, 5}; /* of the short form */

/* One read. For the kernel by hand: what is volatile the compiler reads with one instruction more. */
static inline __u64 fetch_reg(const volatile __u64 *r)
{
#ifdef SYSVM_FIXED_ENV
	__u64 value;

	__asm__ volatile("movq %1, %0" : "=r"(value) : "m"(*(const __u64 *)r));
	return value;
#else
	return *r;
#endif
}

static inline void put_args(SYSVM_ARGS *args, volatile __u64 *r, const __u8 *from, unsigned int nargs)
{
#define PUT_ARG(i)                                                                                           \
	if (nargs == (i))                                                                                    \
		return;                                                                                      \
	sysvm_put_arg(args, i, fetch_reg(&r[from[i]]))
	PUT_ARG(0);
	PUT_ARG(1);
	PUT_ARG(2);
	PUT_ARG(3);
	PUT_ARG(4);
	PUT_ARG(5);
#undef PUT_ARG
}

/* Where to begin: where the same run stopped, if the page says so, else at the start. false: nowhere. */
static inline bool find_start(struct sysvm_page *page, const struct sysvm_program *program, __u32 proc,
			      __u64 seq, __u32 *pc)
{
	*pc = 0;
	if (FETCH(page->run_seq) != seq ||
	    FETCH(page->proc) != proc || !sysvm_is_resumable(FETCH(page->status)))
		return true;
	*pc = FETCH(page->pc);
	if (!sysvm_is_start(program->starts, program->len, *pc))
		return false;
	*pc = SYSVM_INDEX(*pc, program->len);
	return true;
}

void sysvm_set_stopped(struct sysvm_page *page, __u32 proc, __u64 seq, __u32 status, __u32 pc, __s32 error)
{
	PUT(page->pc, pc);
	PUT(page->error, error);
	PUT(page->proc, proc);
	PUT(page->run_seq, seq);
	page->runs++; /* Counters are for observers: nothing depends on them. */
	if (status == SYSVM_FALLBACK)
		page->fallbacks++;
	PUT(page->status, status);
}

/*
 * How the next instruction is found. In user space each instruction ends with an indirect jump of its own,
 * which a processor predicts by what usually follows that instruction. In the kernel there is no indirect
 * jump that a program could steer: all go back to one switch, which the compiler turns into compares there.
 */
#ifdef SYSVM_FIXED_ENV
#define LABEL(NAME) case SYSVM_OP_##NAME
#define NEXT goto next
#else
#define LABEL(NAME) NAME
#define NEXT                                                                                                 \
	do {                                                                                                 \
		if (SYSVM_UNLIKELY(!fuel--))                                                                 \
			goto spent;                                                                          \
		goto *labels[*at];                                                                           \
	} while (0)
#endif

/* In the kernel it is part of the one function that an entry runs through: a call is 25 instructions. */
#ifdef SYSVM_FIXED_ENV
#define INTERPRET static __always_inline __u32 sysvm_interpret
#else
#define INTERPRET __u32 sysvm_execute
#endif

/*
 * Fuel is taken before an instruction is executed: what leaves by "not_made" had no effect, and gets it back.
 * at is the instruction's first byte until it is done.
 */
INTERPRET(struct sysvm_page *page, const struct sysvm_program *program, __u32 proc, __u64 seq,
	  struct sysvm_env *env, long *restart)
{
	volatile __u64 *r = page->reg, *to;
	__u64 fuel = FETCH(page->fuel), given, left;
	__u32 status, pc;
	__s32 error = 0;
	const __u8 *at, *operands, *from;
	const struct sysvm_call_op *call;
	SYSVM_ARGS *args = sysvm_env_args(env);
	int distance;
	long result;
#ifndef SYSVM_FIXED_ENV
	static const void *const labels[256] = {
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) [number] = &&NAME,
#include "../uapi/opcodes.inc"
		[SYSVM_OP_CALL_FULL... SYSVM_OP_CALL_SHORT - 1] = &&call_full,
		[SYSVM_OP_CALL_SHORT... SYSVM_OP_EXTENDED - 1] = &&call_short,
		[SYSVM_OP_EXTENDED] = &&call_extended,
	};
#endif

	if (!find_start(page, program, proc, seq, &pc)) {
		sysvm_set_stopped(page, proc, seq, SYSVM_INVALID, pc, EINVAL);
		return SYSVM_INVALID;
	}
	at = program->code + pc;
	if (fuel > sysvm_env_max_fuel())
		fuel = sysvm_env_max_fuel();
	given = fuel;
	env->stop = 0;
	env->calls = 0;

#define A r[at[1]]
#define B fetch_reg(&r[at[2]])
#define C fetch_reg(&r[at[3]])
#define SIMPLE(NAME, effect)                                                                                 \
	LABEL(NAME) : effect;                                                                                \
	at += SYSVM_SIZE_##NAME;                                                                             \
	NEXT
#define CAN_STOP(NAME, how, effect)                                                                          \
	LABEL(NAME) : if (SYSVM_UNLIKELY(!(effect))) goto how;                                               \
	at += SYSVM_SIZE_##NAME;                                                                             \
	NEXT
#define JUMP(NAME, taken, where)                                                                             \
	LABEL(NAME) : if (taken)                                                                             \
	{                                                                                                    \
		distance = fetch16(at + (where));                                                            \
		at += SYSVM_SIZE_##NAME + distance;                                                          \
		if (distance < 0)                                                                            \
			goto backward;                                                                       \
		NEXT;                                                                                        \
	}                                                                                                    \
	at += SYSVM_SIZE_##NAME;                                                                             \
	NEXT

#ifdef SYSVM_FIXED_ENV
next:
	if (SYSVM_UNLIKELY(!fuel--))
		goto spent;
	if (*at >= SYSVM_OP_CALL_FULL) {
		if (*at < SYSVM_OP_CALL_SHORT)
			goto call_full;
		if (*at < SYSVM_OP_EXTENDED)
			goto call_short;
		goto call_extended;
	}
	if (*at == SYSVM_OP_END) /* each program has one to come to: it is not to wait for all others */
		goto end;
	switch (*at) {
#else
	NEXT;
#endif

	SIMPLE(MOV, A = B);
	SIMPLE(MOVI8, A = (__u64)(__s8)at[2]);
	SIMPLE(MOVI16, A = (__u64)fetch16(at + 2));
	SIMPLE(MOVI32, A = (__u64)fetch32(at + 2));
	SIMPLE(MOVI64, A = fetch64(at + 2));
	SIMPLE(DATA, A = program->data_base + (__u16)fetch16(at + 2));

	SIMPLE(ADD, A = B + C);
	SIMPLE(SUB, A = B - C);
	SIMPLE(MUL, A = B * C);
	CAN_STOP(DIV, arith, divide(r, at, false));
	CAN_STOP(MOD, arith, divide(r, at, true));
	SIMPLE(AND, A = B & C);
	SIMPLE(OR, A = B | C);
	SIMPLE(XOR, A = B ^ C);
	SIMPLE(SHL, A = B << (C & 63));
	SIMPLE(SHR, A = B >> (C & 63));
	SIMPLE(SAR, A = shift_right_signed(B, C & 63));
	SIMPLE(ADDI, A = B + (__u64)fetch32(at + 3));
	SIMPLE(ANDI, A = B & (__u64)fetch32(at + 3));

	CAN_STOP(LD8, fault, load(env, r, at, 1, false));
	CAN_STOP(LD16, fault, load(env, r, at, 2, false));
	CAN_STOP(LD32, fault, load(env, r, at, 4, false));
	CAN_STOP(LD64, fault, load(env, r, at, 8, false));
	CAN_STOP(LDS8, fault, load(env, r, at, 1, true));
	CAN_STOP(LDS16, fault, load(env, r, at, 2, true));
	CAN_STOP(LDS32, fault, load(env, r, at, 4, true));
	CAN_STOP(ST8, fault, store(env, r, at, 1));
	CAN_STOP(ST16, fault, store(env, r, at, 2));
	CAN_STOP(ST32, fault, store(env, r, at, 4));
	CAN_STOP(ST64, fault, store(env, r, at, 8));

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

#ifdef SYSVM_FIXED_ENV
	default: /* verified code: what is left is GOON */
#else
	GOON:
#endif
		operands = at + 2;
		if (at[1] == SYSVM_OP_EXTENDED) {
			call = &sysvm_call_ops[SYSVM_OP_EXT(*operands++)];
			goto registers;
		}
		call = &sysvm_call_ops[at[1]];
		if (at[1] >= SYSVM_OP_CALL_SHORT)
			goto no_registers;
		goto registers;
#ifdef SYSVM_FIXED_ENV
	}
#endif

	/* An opcode is one byte, or 0x100 and one: mispredicted or not, it does not lead out of the table. */
call_extended:
	if (at[1] >= SYSVM_WIDE_FIRST)
		goto wide;
	call = &sysvm_call_ops[SYSVM_OP_EXT(at[1])];
	operands = at + 2;
	goto registers;
call_short:
	call = &sysvm_call_ops[*at];
	operands = at + 1;
no_registers:
	from = first_registers;
	to = &r[0];
	goto call;
call_full:
	call = &sysvm_call_ops[*at];
	operands = at + 1;
registers:
	from = operands + 1;
	to = &r[*operands];
	operands = from + call->nargs;
call: /* operands: after the opcode */
	put_args(args, r, from, call->nargs);
	result = sysvm_env_call(env, args, call, &env->stop);
	if (SYSVM_UNLIKELY(SYSVM_MAY_HAVE_STOPPED(result, env->stop))) {
		if (env->stop) {
			status = env->stop;
			error = status == SYSVM_RESTART ? EINTR : 0;
			*restart = result;
			goto not_made;
		}
		if ((unsigned long)result >= (unsigned long)-4095L && *at != SYSVM_OP_GOON) {
			env->calls++;
			*to = (__u64)result;
			status = SYSVM_ERROR;
			error = (__s32)-result;
			goto stopped;
		}
	}
	env->calls++;
	*to = (__u64)result;
	at = operands;
	NEXT;

wide:
	left = fuel; /* An address of fuel itself would keep it in memory. */
	result = sysvm_entries(env, args, r, at, &left);
	fuel = left;
	if (SYSVM_UNLIKELY(env->stop)) {
		status = env->stop;
		error = status == SYSVM_RESTART ? EINTR : status == SYSVM_FAULT ? EFAULT : 0;
		*restart = result;
		goto not_made;
	}
	at += sysvm_insn_sizes[SYSVM_OP_EXT(at[1])];
	NEXT;

backward:
	status = sysvm_env_poll(env);
	if (SYSVM_UNLIKELY(status))
		goto stopped;
	NEXT;

#undef A
#undef B
#undef C
#undef SIMPLE
#undef CAN_STOP
#undef JUMP

#ifdef SYSVM_FIXED_ENV
end:
#else
END:
#endif
	status = SYSVM_DONE;
	goto stopped;
spent:
	status = SYSVM_FUEL;
	goto not_made;
fault:
	status = SYSVM_FAULT;
	error = EFAULT;
	goto not_made;
arith:
	status = SYSVM_ARITH;
not_made:
	__asm__("" : "+r"(fuel)); /* Not computed for each instruction just in case. */
	fuel++;
stopped:
	PUT(page->fuel, fuel);
	page->insns += given - fuel;
	page->calls += env->calls;
	sysvm_set_stopped(page, proc, seq, status, at - program->code, error);
	return status;
}

#ifdef SYSVM_FIXED_ENV
__u32 sysvm_execute(struct sysvm_page *page, const struct sysvm_program *program, __u32 proc, __u64 seq,
		    struct sysvm_env *env, long *restart)
{
	return sysvm_interpret(page, program, proc, seq, env, restart);
}
#endif
