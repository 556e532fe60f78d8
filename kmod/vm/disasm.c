// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Instructions as text, from the tables alone: the text that the assembler (procedures/assemble.c) reads back
 * to the same bytes.
 *
 * Tested by tests/vm/ (round trip of every opcode).
 */
#include "text.h"
#include "vm.h"

static void put_reg(struct sysvm_text *t, __u8 reg)
{
	sysvm_text_char(t, 'r');
	sysvm_text_uint(t, reg);
}

static void put_signed(struct sysvm_text *t, __s64 value)
{
	if (value >= 0)
		sysvm_text_char(t, '+');
	sysvm_text_int(t, value);
}

static void put_memory(struct sysvm_text *t, __u8 reg, __s64 offset)
{
	sysvm_text_char(t, '[');
	put_reg(t, reg);
	if (offset)
		put_signed(t, offset);
	sysvm_text_char(t, ']');
}

static void put_target(struct sysvm_text *t, __u32 at, const struct sysvm_insn *insn,
		       enum sysvm_disasm_style style)
{
	__s64 target = sysvm_jump_target(at, insn);

	if (style == SYSVM_DISASM_RELATIVE || target < 0) {
		put_signed(t, insn->imm);
	} else {
		sysvm_text_char(t, 'L');
		sysvm_text_uint(t, target);
	}
}

static void put_entries(struct sysvm_text *t, struct sysvm_entries_imm entries)
{
	const __u16 values[] = {entries.stride, entries.followers, entries.skip, entries.kinds};
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (i)
			sysvm_text_str(t, ", ");
		sysvm_text_uint(t, values[i]);
	}
}

static void put_operands(struct sysvm_text *t, __u32 at, const struct sysvm_insn *insn,
			 enum sysvm_disasm_style style)
{
	unsigned int i;

	if (insn->form == SYSVM_FORM_LOAD) {
		put_reg(t, insn->reg[0]);
		sysvm_text_str(t, ", ");
		put_memory(t, insn->reg[1], insn->imm);
		return;
	}
	if (insn->form == SYSVM_FORM_STORE) {
		put_memory(t, insn->reg[0], insn->imm);
		sysvm_text_str(t, ", ");
		put_reg(t, insn->reg[1]);
		return;
	}
	for (i = 0; i < insn->nregs; i++) {
		if (i)
			sysvm_text_str(t, ", ");
		put_reg(t, insn->reg[i]);
	}
	if (insn->size == insn->head + insn->nregs)
		return;
	if (insn->nregs)
		sysvm_text_str(t, ", ");
	if (sysvm_is_entries(insn->form))
		put_entries(t, sysvm_entries_imm(insn->imm));
	else if (sysvm_is_jump(insn->form))
		put_target(t, at, insn, style);
	else
		sysvm_text_int(t, insn->imm);
}

int sysvm_disasm(const __u8 *code, __u32 len, __u32 at, enum sysvm_disasm_style style, char *text,
		 size_t size)
{
	struct sysvm_text t = sysvm_text_start(text, size);
	struct sysvm_insn insn;
	int prefix = 0;
	int bytes = sysvm_decode(code, len, at, &insn);

	if (bytes > 0 && insn.op == SYSVM_OP_GOON) {
		struct sysvm_insn call;
		int more = sysvm_decode(code, len, at + 1, &call);

		if (more > 0 && sysvm_is_call(call.form)) {
			sysvm_text_str(&t, "goon ");
			insn = call;
			bytes = more;
			prefix = 1;
		}
	}
	if (bytes <= 0)
		return bytes;
	sysvm_text_str(&t, sysvm_opcode_lookup(insn.op).mnemonic);
	if (insn.form == SYSVM_FORM_CALL_SHORT)
		sysvm_text_str(&t, ".s");
	if (insn.size > insn.head) {
		sysvm_text_char(&t, ' ');
		put_operands(&t, at, &insn, style);
	}
	return prefix + bytes;
}

const char *sysvm_status_name(__u32 status)
{
	static const char *const names[] = {"IDLE",	"DONE",	   "ERROR", "FAULT",   "FUEL", "SIGNAL",
					    "FALLBACK", "INVALID", "ARITH", "RESTART", "YIELD"};

	return status < sizeof(names) / sizeof(names[0]) ? names[status] : "?";
}
