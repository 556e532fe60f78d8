// SPDX-License-Identifier: MIT
/*
 * The machine once more, written from the words of opcodes.inc and sysvm.h and sharing nothing with
 * kmod/vm/interp.c but the decoder: what both engines do wrong alike shows here. One instruction after the
 * other, every call a plain one.
 *
 * It also makes the one call at which the kernel engine stops with FALLBACK, as user space is asked to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

/* The address is on the local side, where memory is accessed as by the processor. */
static bool copy(long nr, uint64_t address, void *bytes, size_t n)
{
	struct iovec here = {(void *)address, n}, there = {bytes, n};

	return syscall(nr, getpid(), &here, 1, &there, 1, 0) == (long)n;
}

static bool load(uint64_t address, void *to, size_t n)
{
	return copy(SYS_process_vm_writev, address, to, n);
}

static bool store(uint64_t address, uint64_t value, size_t n)
{
	return copy(SYS_process_vm_readv, address, &value, n);
}

static void stop(struct sysvm_page *page, uint32_t status, int error)
{
	page->status = status;
	page->error = error;
}

/* Returns false if the program stops at the call. */
static bool make_call(const struct model *m, struct sysvm_page *page, const struct sysvm_insn *insn,
		      bool go_on)
{
	const struct sysvm_syscall_info *row = sysvm_syscall_by_index(insn->call);
	bool is_short = insn->form == SYSVM_FORM_CALL_SHORT;
	uint64_t a[6] = {0};
	unsigned int i;
	long result;

	for (i = 0; i < row->nargs; i++)
		a[i] = page->reg[is_short ? i : insn->reg[1 + i]];
	result = syscall(row->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result == -1)
		result = -errno;
	page->reg[is_short ? 0 : insn->reg[0]] = result;
	page->calls++;
	if (result < 0 && result >= -4095) {
		if (!go_on) {
			stop(page, SYSVM_ERROR, -result);
			return false;
		}
	} else if (m->succeeded) {
		m->succeeded[insn->call]++;
	}
	return true;
}

static bool is_taken(uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case SYSVM_OP_JMP:
		return true;
	case SYSVM_OP_JZ:
		return a == 0;
	case SYSVM_OP_JNZ:
		return a != 0;
	case SYSVM_OP_JNEG:
		return a >> 63;
	case SYSVM_OP_JPOS:
		return !(a >> 63);
	case SYSVM_OP_JEQ:
		return a == b;
	case SYSVM_OP_JNE:
		return a != b;
	case SYSVM_OP_JLT:
		return (int64_t)a < (int64_t)b;
	case SYSVM_OP_JLE:
		return (int64_t)a <= (int64_t)b;
	case SYSVM_OP_JB:
		return a < b;
	default:
		return a <= b;
	}
}

static uint64_t compute(uint8_t op, uint64_t a, uint64_t b)
{
	switch (op) {
	case SYSVM_OP_ADD:
		return a + b;
	case SYSVM_OP_SUB:
		return a - b;
	case SYSVM_OP_MUL:
		return a * b;
	case SYSVM_OP_DIV:
		return a / b;
	case SYSVM_OP_MOD:
		return a % b;
	case SYSVM_OP_AND:
		return a & b;
	case SYSVM_OP_OR:
		return a | b;
	case SYSVM_OP_XOR:
		return a ^ b;
	case SYSVM_OP_SHL:
		return a << b % 64;
	case SYSVM_OP_SHR:
		return a >> b % 64;
	default: /* SAR */
		return a >> 63 ? ~(~a >> b % 64) : a >> b % 64;
	}
}

/* Bytes that a load or store moves; a signed load is negative. */
static int width(uint8_t op)
{
	switch (op) {
	case SYSVM_OP_LD8:
	case SYSVM_OP_ST8:
		return 1;
	case SYSVM_OP_LD16:
	case SYSVM_OP_ST16:
		return 2;
	case SYSVM_OP_LD32:
	case SYSVM_OP_ST32:
		return 4;
	case SYSVM_OP_LD64:
	case SYSVM_OP_ST64:
		return 8;
	case SYSVM_OP_LDS8:
		return -1;
	case SYSVM_OP_LDS16:
		return -2;
	default: /* LDS32 */
		return -4;
	}
}

static bool do_load(struct sysvm_page *page, const struct sysvm_insn *insn)
{
	int n = width(insn->op);
	uint64_t value = 0;

	if (!load(page->reg[insn->reg[1]] + insn->imm, &value, n < 0 ? -n : n))
		return false;
	if (n == -1)
		value = (int8_t)value;
	else if (n == -2)
		value = (int16_t)value;
	else if (n == -4)
		value = (int32_t)value;
	page->reg[insn->reg[0]] = value;
	return true;
}

#define DIRENT_SHORTEST 24

/* Operands of a wide instruction, as opcodes.inc counts them from r1 on. */
#define OPERAND(n) page->reg[insn->reg[(n)-1]]

static bool ends_before_a_name(struct sysvm_page *page, const struct sysvm_insn *insn, uint64_t *why)
{
	if (OPERAND(4) >= OPERAND(5))
		*why = SYSVM_ENTRIES_ALL;
	else if (!OPERAND(6) || OPERAND(7) >= OPERAND(8))
		*why = SYSVM_ENTRIES_FULL;
	else if (OPERAND(5) - OPERAND(4) < DIRENT_SHORTEST)
		*why = SYSVM_ENTRIES_BAD;
	else
		return false;
	return true;
}

static bool is_passed_over(unsigned int skip, const char *name)
{
	return (skip == 1 && (!strcmp(name, ".") || !strncmp(name, "..", 3))) ||
	       (skip == 2 && name[0] == '.');
}

enum name { DONE_WITH, LAST, FAULTS };

/* One dirent, by plain calls. */
static enum name do_name(struct sysvm_page *page, const struct sysvm_insn *insn, uint64_t *why)
{
	const bool x = insn->form == SYSVM_FORM_ENTRIES_X;
	const unsigned int stride = insn->imm & 0xffff, followers = insn->imm >> 16 & 0xff;
	const uint64_t entry = OPERAND(4), record = OPERAND(7), out = record + 8 + 8 * followers;
	uint64_t device = 0;
	uint32_t mode = 0, numbers[2];
	uint16_t length;
	char name[6] = "";
	unsigned int i;
	long result;

	if (!load(entry + 16, &length, 2) || !load(entry + 19, name, 5))
		return FAULTS;
	if (length < DIRENT_SHORTEST || length > OPERAND(5) - entry) {
		*why = SYSVM_ENTRIES_BAD;
		return LAST;
	}
	if (is_passed_over(insn->imm >> 24 & 0xff, name)) {
		OPERAND(4) = entry + length;
		return DONE_WITH;
	}
	if (!store(record, entry, 8))
		return FAULTS;
	for (i = 1; i < followers; i++)
		if (!store(record + 8 + 8 * i, 1ull << 63, 8))
			return FAULTS;
	result = x ? syscall(SYS_statx, OPERAND(2), entry + 19, OPERAND(3), OPERAND(11), out)
		   : syscall(SYS_newfstatat, OPERAND(2), entry + 19, out, OPERAND(3));
	page->calls++;
	if (!store(record + 8, result ? -errno : 0, 8))
		return FAULTS;
	if (!result && x) {
		if (!load(out + 28, &mode, 2) || !load(out + 136, numbers, 8))
			return FAULTS;
		device = makedev(numbers[0], numbers[1]);
	} else if (!result && (!load(out, &device, 8) || !load(out + 24, &mode, 4))) {
		return FAULTS;
	}
	if (!result && device != OPERAND(9) && (S_ISDIR(mode) || device != OPERAND(10))) {
		*why = SYSVM_ENTRIES_ELSEWHERE;
		return LAST;
	}
	OPERAND(4) = entry + length;
	OPERAND(6)--;
	OPERAND(7) = record + stride;
	*why = mode & S_IFMT;
	return mode && insn->imm >> 32 >> (mode >> 12) & 1 ? LAST : DONE_WITH;
}

/* A dirent for each step. False: the step is none, it faults. */
static bool do_entries(struct sysvm_page *page, const struct sysvm_insn *insn, bool *ended)
{
	uint64_t why;
	enum name how = DONE_WITH;

	*ended = ends_before_a_name(page, insn, &why);
	if (!*ended) {
		how = do_name(page, insn, &why);
		*ended = how == LAST || (how == DONE_WITH && ends_before_a_name(page, insn, &why));
	}
	if (*ended)
		OPERAND(1) = why;
	return how != FAULTS;
}

/* One instruction. Returns false if the program stops; whether it counts is in *counts. */
static bool step(const struct model *m, struct sysvm_page *page, bool *counts)
{
	bool go_on = m->code[page->pc] == SYSVM_OP_GOON;
	__u64 *r = page->reg;
	uint64_t next_pc;
	bool ended;
	struct sysvm_insn insn;
	int size = sysvm_decode(m->code, m->len, page->pc + go_on, &insn);

	if (m->opcodes)
		m->opcodes[insn.op]++;
	next_pc = page->pc + go_on + size;
	*counts = true;
	switch (insn.form) {
	case SYSVM_FORM_CALL:
	case SYSVM_FORM_CALL_SHORT:
		if (!make_call(m, page, &insn, go_on))
			return false;
		break;
	case SYSVM_FORM_NONE: /* end; pc stays at it */
		stop(page, SYSVM_DONE, 0);
		return false;
	case SYSVM_FORM_RR:
		r[insn.reg[0]] = r[insn.reg[1]];
		break;
	case SYSVM_FORM_RI8:
	case SYSVM_FORM_RI16:
	case SYSVM_FORM_RI32:
	case SYSVM_FORM_RI64:
		r[insn.reg[0]] = insn.imm;
		break;
	case SYSVM_FORM_RD:
		r[insn.reg[0]] = m->data_base + insn.imm;
		break;
	case SYSVM_FORM_RRI32:
		r[insn.reg[0]] =
			insn.op == SYSVM_OP_ADDI ? r[insn.reg[1]] + insn.imm : r[insn.reg[1]] & insn.imm;
		break;
	case SYSVM_FORM_RRR:
		if ((insn.op == SYSVM_OP_DIV || insn.op == SYSVM_OP_MOD) && !r[insn.reg[2]]) {
			stop(page, SYSVM_ARITH, 0);
			*counts = false;
			return false;
		}
		r[insn.reg[0]] = compute(insn.op, r[insn.reg[1]], r[insn.reg[2]]);
		break;
	case SYSVM_FORM_LOAD:
	case SYSVM_FORM_STORE:
		if (insn.form == SYSVM_FORM_LOAD
			    ? !do_load(page, &insn)
			    : !store(r[insn.reg[0]] + insn.imm, r[insn.reg[1]], width(insn.op))) {
			stop(page, SYSVM_FAULT, EFAULT);
			*counts = false;
			return false;
		}
		break;
	case SYSVM_FORM_ENTRIES:
	case SYSVM_FORM_ENTRIES_X:
		if (!do_entries(page, &insn, &ended)) {
			stop(page, SYSVM_FAULT, EFAULT);
			*counts = false;
			return false;
		}
		if (!ended)
			next_pc = page->pc;
		break;
	default: /* jumps */
		if (is_taken(insn.op, r[insn.reg[0]], insn.nregs > 1 ? r[insn.reg[1]] : 0))
			next_pc += insn.imm;
	}
	page->pc = next_pc;
	return true;
}

void model_run(const struct model *m, struct sysvm_page *page, uint64_t fuel)
{
	bool counts;

	stop(page, SYSVM_FUEL, 0);
	for (; fuel; fuel--) {
		bool goes_on = step(m, page, &counts);

		page->insns += counts;
		if (!goes_on) {
			fuel -= counts;
			break;
		}
	}
	page->fuel = fuel;
	page->runs++;
}
