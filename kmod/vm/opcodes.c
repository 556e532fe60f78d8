// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The opcode table and the decoder. Opcode numbers are dense, so a row is one load; a call's row is put
 * together from the system call table, so that a call needs no row of its own here.
 *
 * Tested by tests/vm/.
 */
#include "opcodes.h"
#include "../uapi/syscalls.h"

/* Registers and bytes of immediate for each form; a call's depend on its number of arguments. */
static const struct {
	__u8 regs;
	__u8 imm;
} forms[SYSVM_FORM_COUNT] = {
	[SYSVM_FORM_NONE] = {0, 0}, [SYSVM_FORM_R] = {1, 0},	 [SYSVM_FORM_RR] = {2, 0},
	[SYSVM_FORM_RRR] = {3, 0},  [SYSVM_FORM_RI8] = {1, 1},	 [SYSVM_FORM_RI16] = {1, 2},
	[SYSVM_FORM_RI32] = {1, 4}, [SYSVM_FORM_RI64] = {1, 8},	 [SYSVM_FORM_RRI32] = {2, 4},
	[SYSVM_FORM_LOAD] = {2, 2}, [SYSVM_FORM_STORE] = {2, 2}, [SYSVM_FORM_J] = {0, 2},
	[SYSVM_FORM_RJ] = {1, 2},   [SYSVM_FORM_RRJ] = {2, 2},	 [SYSVM_FORM_RD] = {1, 2},
};

static const struct {
	const char *mnemonic;
	__u8 form;
} rows[SYSVM_OP_CALL_FULL] = {
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) [number] = {#mnemonic, SYSVM_FORM_##operands},
#include "../uapi/opcodes.inc"
};

struct sysvm_opcode_info sysvm_opcode_info(unsigned int op)
{
	struct sysvm_opcode_info info = {NULL, SYSVM_FORM_BAD, 0, 0};
	const struct sysvm_syscall_info *call;

	if (op < SYSVM_OP_CALL_FULL) {
		if (!rows[op].mnemonic)
			return info;
		info.mnemonic = rows[op].mnemonic;
		info.form = rows[op].form;
		info.size = 1 + forms[info.form].regs + forms[info.form].imm;
		return info;
	}
	if (op < SYSVM_OP_CALL_FULL + SYSVM_CALL_MAX) {
		info.call = op - SYSVM_OP_CALL_FULL;
		call = sysvm_syscall_by_index(info.call);
		info.form = SYSVM_FORM_CALL;
		info.size = 2 + call->nargs;
		info.mnemonic = call->name;
		return info;
	}
	if (op >= SYSVM_OP_CALL_SHORT && op < SYSVM_OP_CALL_SHORT + SYSVM_CALL_MAX) {
		info.call = op - SYSVM_OP_CALL_SHORT;
		call = sysvm_syscall_by_index(info.call);
		info.form = SYSVM_FORM_CALL_SHORT;
		info.size = 1;
		info.mnemonic = call->name;
	}
	return info;
}

int sysvm_decode(const __u8 *code, __u32 len, __u32 at, struct sysvm_insn *insn)
{
	struct sysvm_opcode_info info;
	unsigned int i, bytes;
	__u64 imm = 0;

	if (at >= len)
		return -1;
	info = sysvm_opcode_info(code[at]);
	if (info.form == SYSVM_FORM_BAD)
		return 0;
	if (info.size > len - at)
		return -1;

	insn->op = code[at];
	insn->form = info.form;
	insn->size = info.size;
	insn->call = info.call;
	if (info.form == SYSVM_FORM_CALL)
		insn->nregs = info.size - 1;
	else
		insn->nregs = forms[info.form].regs;
	at++;
	for (i = 0; i < insn->nregs; i++)
		insn->reg[i] = code[at++];

	bytes = info.size - 1 - insn->nregs;
	for (i = 0; i < bytes; i++)
		imm |= (__u64)code[at + i] << (8 * i);
	/* RD is unsigned, all other immediates are sign-extended. */
	if (bytes && bytes < 8 && info.form != SYSVM_FORM_RD && (imm >> (8 * bytes - 1)))
		imm |= ~0ull << (8 * bytes);
	insn->imm = (__s64)imm;
	return info.size;
}
