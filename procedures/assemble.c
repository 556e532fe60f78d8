// SPDX-License-Identifier: MIT
/*
 * Two passes over the text with the same parser: the first one finds where labels are, the second one knows
 * them all. What an instruction looks like comes from the opcode table (sysvm_opcode_info): there is no case
 * for any instruction here, only one for each form of operands.
 *
 * Tested by tests/vm/ (round trip of every opcode, and every message).
 */
#include "procedures/assemble.h"

#include "procedures/assemble_words.h"
#include "vm/opcodes.h"

static struct label *find_label(struct assembler *a, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < a->nlabels; i++)
		if (a->labels[i].len == len && !memcmp(a->labels[i].name, name, len))
			return &a->labels[i];
	return NULL;
}

static int define_label(struct assembler *a, const char *name, size_t len)
{
	struct label *old = find_label(a, name, len);

	if (a->pass == 2)
		return 0;
	if (old) {
		fail(a, "label ");
		put_quoted(a, name, len);
		sysvm_text_str(&a->message, " is on line ");
		sysvm_text_uint(&a->message, old->line);
		sysvm_text_str(&a->message, " already");
		return -EINVAL;
	}
	if (a->nlabels == SYSVM_ASM_LABELS)
		return fail(a, "too many labels");
	a->labels[a->nlabels++] = (struct label){name, len, a->line, a->at};
	return 0;
}

/* A label or a signed distance; end is where the instruction ends. */
static int parse_target(struct assembler *a, size_t end, uint64_t *distance)
{
	struct label *label;
	int64_t d;
	size_t n;

	skip_space(a);
	if (*a->p == '+' || *a->p == '-')
		return parse_number(a, 16, 1, 0, distance);
	n = word_length(a->p);
	if (!n || is_digit(*a->p))
		return fail_expected(a, "a label or a signed distance");
	*distance = 0;
	if (a->pass == 2) {
		label = find_label(a, a->p, n);
		if (!label) {
			fail(a, "unknown label ");
			put_quoted(a, a->p, n);
			return -EINVAL;
		}
		d = (int64_t)label->at - (int64_t)end;
		if (d < INT16_MIN || d > INT16_MAX) {
			fail(a, "label ");
			put_quoted(a, a->p, n);
			sysvm_text_str(&a->message, " is too far away for a jump");
			return -EINVAL;
		}
		*distance = d;
	}
	a->p += n;
	return 0;
}

/* "[r2+16]" */
static int parse_memory(struct assembler *a, uint8_t *reg, uint64_t *offset)
{
	int err = expect(a, '[');

	*offset = 0;
	err = err ? err : parse_reg(a, reg);
	if (err)
		return err;
	skip_space(a);
	if (*a->p == '+' || *a->p == '-')
		err = parse_number(a, 16, 1, 0, offset);
	return err ? err : expect(a, ']');
}

/* "stride, followers, skip, kinds": struct sysvm_entries_imm */
static int parse_entries(struct assembler *a)
{
	static const unsigned char bytes[] = {2, 1, 1, 2};
	uint64_t value;
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < sizeof(bytes); i++) {
		err = i ? expect(a, ',') : 0;
		err = err ? err : parse_number(a, 8 * bytes[i], 0, 1, &value);
		err = err ? err : emit(a, value, bytes[i]);
	}
	return err;
}

/* Registers, then what bytes are left as an immediate. The opcode is emitted already. */
static int parse_plain(struct assembler *a, const struct sysvm_opcode_info *info)
{
	unsigned int i, nregs = sysvm_insn_regs(info), bytes = info->size - info->head - nregs;
	size_t end = a->at - 1 + info->size;
	uint64_t imm = 0;
	int err = 0;

	for (i = 0; i < nregs; i++) {
		uint8_t reg = 0;

		err = i ? expect(a, ',') : 0;
		err = err ? err : parse_reg(a, &reg);
		err = err ? err : emit(a, reg, 1);
		if (err)
			return err;
	}
	if (!bytes)
		return 0;
	err = nregs ? expect(a, ',') : 0;
	if (err)
		return err;
	if (sysvm_is_entries(info->form))
		return parse_entries(a);
	if (sysvm_is_jump(info->form))
		err = parse_target(a, end, &imm);
	else if (info->form == SYSVM_FORM_RD)
		err = parse_number(a, 16, 0, 1, &imm);
	else
		err = parse_number(a, 8 * bytes, 1, bytes == 8, &imm);
	return err ? err : emit(a, imm, bytes);
}

/* One byte, or two: SYSVM_OP_EXT. */
static int emit_opcode(struct assembler *a, unsigned int op)
{
	if (op < 0x100)
		return emit(a, op, 1);
	return emit(a, SYSVM_OP_EXTENDED | (op & 0xff) << 8, 2);
}

static int parse_operands(struct assembler *a, unsigned int op, const struct sysvm_opcode_info *info)
{
	int is_load = info->form == SYSVM_FORM_LOAD;
	uint8_t reg = 0, base = 0;
	uint64_t offset = 0;
	int err = emit_opcode(a, op);

	if (err)
		return err;
	if (!is_load && info->form != SYSVM_FORM_STORE)
		return parse_plain(a, info);
	if (is_load) {
		err = parse_reg(a, &reg);
		err = err ? err : expect(a, ',');
		err = err ? err : parse_memory(a, &base, &offset);
	} else {
		err = parse_memory(a, &base, &offset);
		err = err ? err : expect(a, ',');
		err = err ? err : parse_reg(a, &reg);
	}
	err = err ? err : emit(a, is_load ? reg : base, 1);
	err = err ? err : emit(a, is_load ? base : reg, 1);
	return err ? err : emit(a, offset, 2);
}

/* The opcode of a mnemonic ("add", "openat", "openat.s"), or -1. */
static int find_opcode(const char *name, size_t len)
{
	int is_short = len > 2 && name[len - 2] == '.' && name[len - 1] == 's';
	unsigned int op;

	if (is_short)
		len -= 2;
	for (op = 0; op < SYSVM_OPS; op++) {
		struct sysvm_opcode_info info = sysvm_opcode_lookup(op);

		if (info.mnemonic && (info.form == SYSVM_FORM_CALL_SHORT) == is_short &&
		    strlen(info.mnemonic) == len && !memcmp(info.mnemonic, name, len))
			return op;
	}
	return -1;
}

static int parse_bytes(struct assembler *a)
{
	uint64_t value;
	int err;

	do {
		err = parse_number(a, 8, 1, 1, &value);
		err = err ? err : emit(a, value, 1);
		skip_space(a);
	} while (!err && *a->p == ',' && a->p++);
	return err;
}

static int parse_instruction(struct assembler *a)
{
	struct sysvm_opcode_info info;
	size_t n = word_length(a->p);
	int op, err;

	if (n == 5 && !memcmp(a->p, ".byte", 5)) {
		a->p += n;
		return parse_bytes(a);
	}
	op = n ? find_opcode(a->p, n) : -1;
	if (op < 0)
		return fail_expected(a, "an instruction");
	a->p += n;
	info = sysvm_opcode_lookup(op);
	err = parse_operands(a, (unsigned int)op, &info);
	/* A prefix may share the line with its call. */
	if (!err && op == SYSVM_OP_GOON && !at_line_end(a))
		return parse_instruction(a);
	return err;
}

static int parse_line(struct assembler *a)
{
	int err = 0;

	while (!at_line_end(a)) {
		size_t n = word_length(a->p);

		if (!n || a->p[n] != ':') {
			err = parse_instruction(a);
			break;
		}
		err = define_label(a, a->p, n);
		if (err)
			break;
		a->p += n + 1;
	}
	if (!err && !at_line_end(a))
		err = fail_expected(a, "the end of the line");
	return err;
}

static int parse_text(struct assembler *a, const char *text, int pass)
{
	a->p = text;
	a->line = 1;
	a->pass = pass;
	a->at = 0;
	for (;;) {
		int err = parse_line(a);

		if (err)
			return err;
		if (!*a->p)
			return 0;
		a->p++; /* the newline */
		a->line++;
	}
}

int sysvm_assemble(const char *text, uint8_t *code, size_t capacity, size_t *len, char *message,
		   size_t message_size)
{
	struct assembler a;
	int err;

	a.code = code;
	a.capacity = capacity;
	a.nlabels = 0;
	a.message = sysvm_text_start(message, message_size);
	err = parse_text(&a, text, 1);
	err = err ? err : parse_text(&a, text, 2);
	*len = err ? 0 : a.at;
	return err;
}

int sysvm_disassemble(const void *code, size_t code_len, size_t at, char *text, size_t size)
{
	if (size)
		text[0] = 0;
	if (at >= code_len || code_len > UINT32_MAX)
		return -1;
	return sysvm_disasm(code, code_len, at, SYSVM_DISASM_RELATIVE, text, size);
}
