// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The opcode table and the decoder. Opcode numbers are dense, so a row is one load; a call's row is put
 * together from the system call table, so that a call needs no row of its own here.
 *
 * Tested by tests/vm/.
 */
#include "opcodes.h"
#include "../uapi/syscalls.h"

static const __u8 regs_of_form[SYSVM_FORM_COUNT] = {
#define X(name, regs, imm) [SYSVM_FORM_##name] = SYSVM_REGS_##name,
	SYSVM_FORMS(X)
#undef X
};

static const struct {
	const char *mnemonic;
	__u8 form;
} rows[SYSVM_OP_CALL_FULL] = {
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) [number] = {#mnemonic, SYSVM_FORM_##operands},
#include "../uapi/opcodes.inc"
};

/*
 * Calls without an index all land in element 0xff, which is no opcode and set to 0 last: hence the pragma.
 */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const __u8 sysvm_insn_sizes[256] = {
#define SYSVM_SYSCALL(nr, name, index, nargs, ...)                                                           \
	[(index) < 0 ? 0xff : SYSVM_OP_CALL_FULL + (index)] = 2 + (nargs),                                   \
						   [(index) < 0 ? 0xff : SYSVM_OP_CALL_SHORT + (index)] = 1,
#include "../uapi/syscalls.inc"
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) [number] = SYSVM_SIZE_##NAME,
#include "../uapi/opcodes.inc"
	[0xff] = 0,
};
#pragma GCC diagnostic pop

struct sysvm_opcode_info sysvm_opcode_lookup(unsigned int op)
{
	struct sysvm_opcode_info info = {NULL, SYSVM_FORM_BAD, 0, 0};

	if (op > 0xff || !sysvm_insn_sizes[op])
		return info;
	info.size = sysvm_insn_sizes[op];
	if (op < SYSVM_OP_CALL_FULL) {
		info.mnemonic = rows[op].mnemonic;
		info.form = rows[op].form;
		return info;
	}
	if (op < SYSVM_OP_CALL_SHORT) {
		info.form = SYSVM_FORM_CALL;
		info.call = op - SYSVM_OP_CALL_FULL;
	} else {
		info.form = SYSVM_FORM_CALL_SHORT;
		info.call = op - SYSVM_OP_CALL_SHORT;
	}
	info.mnemonic = sysvm_syscall_by_index(info.call)->name;
	return info;
}

unsigned int sysvm_insn_regs(const struct sysvm_opcode_info *info)
{
	return info->form == SYSVM_FORM_CALL ? info->size - 1 : regs_of_form[info->form];
}

int sysvm_decode(const __u8 *code, __u32 len, __u32 at, struct sysvm_insn *insn)
{
	struct sysvm_opcode_info info;
	unsigned int i, bytes;
	__u64 imm = 0;

	if (at >= len)
		return -1;
	info = sysvm_opcode_lookup(code[at]);
	if (info.form == SYSVM_FORM_BAD)
		return 0;
	if (info.size > len - at)
		return -1;

	insn->op = code[at];
	insn->form = info.form;
	insn->size = info.size;
	insn->call = info.call;
	insn->nregs = sysvm_insn_regs(&info);
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
