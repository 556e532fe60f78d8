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

struct row {
	const char *mnemonic;
	__u8 form;
};

static const struct row rows[SYSVM_OP_CALL_FULL] = {
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) [number] = {#mnemonic, SYSVM_FORM_##operands},
#include "../uapi/opcodes.inc"
};

static const struct row wide_rows[0x100 - SYSVM_WIDE_FIRST] = {
#define SYSVM_WIDE(second, NAME, mnemonic, operands, effect)                                                 \
	[(second) - SYSVM_WIDE_FIRST] = {#mnemonic, SYSVM_FORM_##operands},
#include "../uapi/opcodes.inc"
};

/*
 * Calls without an index all land in an element that is no opcode and set to 0 last: hence the pragma.
 */
#define FULL_FORM(index)                                                                                     \
	((index) < 0 ? 0xff : \
	 (index) < SYSVM_CALL_EXTENDED ? SYSVM_OP_CALL_FULL + (index) : SYSVM_OP_EXT(index))
#define SHORT_FORM(index) \
	((index) < 0 || (index) >= SYSVM_CALL_EXTENDED ? 0xff : SYSVM_OP_CALL_SHORT + (index))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const __u8 sysvm_insn_sizes[SYSVM_OPS] = {
#define SYSVM_SYSCALL(nr, name, index, nargs, ...)                                                           \
	[FULL_FORM(index)] = 2 + ((index) >= SYSVM_CALL_EXTENDED) + (nargs), [SHORT_FORM(index)] = 1,
#include "../uapi/syscalls.inc"
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) [number] = SYSVM_SIZE_##NAME,
#define SYSVM_WIDE(second, NAME, mnemonic, operands, effect) [SYSVM_OP_EXT(second)] = SYSVM_SIZE_##NAME,
#include "../uapi/opcodes.inc"
	[0xff] = 0,
};

/*
 * Calls that can close a file, or make or end a descriptor of the machine's own device, or whose meaning is
 * in a command.
 */
#define IS_LOOKED_AT(nr)                                                                                     \
	((nr) == SYSVM_NR_close || (nr) == SYSVM_NR_dup || (nr) == SYSVM_NR_dup2 || (nr) == SYSVM_NR_dup3 || \
	 (nr) == SYSVM_NR_mmap || (nr) == SYSVM_NR_fcntl || (nr) == SYSVM_NR_ioctl)

#define CALL_OP(nr, index, nargs, size) {nr, (index) < 0 ? 0xff : (index), nargs, size, IS_LOOKED_AT(nr), {0}}

const struct sysvm_call_op sysvm_call_ops[SYSVM_OPS] = {
#define SYSVM_SYSCALL(nr_, name, index_, nargs_, ...)                                                        \
	[FULL_FORM(index_)] = CALL_OP(nr_, index_, nargs_, \
				      2 + ((index_) >= SYSVM_CALL_EXTENDED) + (nargs_)), \
	[SHORT_FORM(index_)] = CALL_OP(nr_, index_, nargs_, 1),
#include "../uapi/syscalls.inc"
	[0xff] = {0},
};
#pragma GCC diagnostic pop

struct sysvm_opcode_info sysvm_opcode_lookup(unsigned int op)
{
	struct sysvm_opcode_info info = {NULL, SYSVM_FORM_BAD, 0, 0, 0};

	if (!sysvm_insn_size(op))
		return info;
	info.size = sysvm_insn_sizes[op];
	info.head = op < 0x100 ? 1 : 2;
	if (op < SYSVM_OP_CALL_FULL) {
		info.mnemonic = rows[op].mnemonic;
		info.form = rows[op].form;
		return info;
	}
	if (sysvm_is_wide(op)) {
		const struct row *row = &wide_rows[op - SYSVM_OP_EXT(SYSVM_WIDE_FIRST)];

		info.mnemonic = row->mnemonic;
		info.form = row->form;
		return info;
	}
	info.form = info.size == 1 ? SYSVM_FORM_CALL_SHORT : SYSVM_FORM_CALL;
	info.call = sysvm_call_ops[op].index;
	info.mnemonic = sysvm_syscall_by_index(info.call)->name;
	return info;
}

unsigned int sysvm_insn_regs(const struct sysvm_opcode_info *info)
{
	return info->form == SYSVM_FORM_CALL ? info->size - info->head : regs_of_form[info->form];
}

int sysvm_decode(const __u8 *code, __u32 len, __u32 at, struct sysvm_insn *insn)
{
	struct sysvm_opcode_info info;
	unsigned int i, bytes;
	unsigned int op = sysvm_op_at(code, len, at);
	__u64 imm = 0;

	if (op == SYSVM_OPS)
		return -1;
	info = sysvm_opcode_lookup(op);
	if (info.form == SYSVM_FORM_BAD)
		return 0;
	if (info.size > len - at)
		return -1;

	insn->op = op;
	insn->head = info.head;
	insn->form = info.form;
	insn->size = info.size;
	insn->call = info.call;
	insn->nregs = sysvm_insn_regs(&info);
	at += info.head;
	for (i = 0; i < insn->nregs; i++)
		insn->reg[i] = code[at++];

	bytes = info.size - info.head - insn->nregs;
	for (i = 0; i < bytes; i++)
		imm |= (__u64)code[at + i] << (8 * i);
	/* Those of RD and ENTRIES are unsigned, all other immediates are sign-extended. */
	if (bytes && bytes < 8 && info.form != SYSVM_FORM_RD && !sysvm_is_entries(info.form) &&
	    (imm >> (8 * bytes - 1)))
		imm |= ~0ull << (8 * bytes);
	insn->imm = (__s64)imm;
	return info.size;
}
