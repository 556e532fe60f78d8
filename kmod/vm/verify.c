// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The verifier. Code that it accepts
 *
 *   - is 1 to SYSVM_PROC_CODE_MAX bytes long and consists of known instructions, none cut off by the end,
 * reachable or not (all 256 registers exist, so every register operand is in range; calls have a row in the
 * system call table);
 *   - jumps only to bytes where an instruction starts, a prefix counting as part of its instruction;
 *   - has GOON only directly before a call;
 *   - has records of a wide instruction that do not overlap: room for 1 to 8 results and the structure;
 *   - cannot run past its end: the last instruction is END or JMP.
 *
 * It does not prove termination (fuel ends every run), nor that addresses, descriptors or DATA offsets are
 * good: memory is checked at each access, calls check their arguments as always. It helps people, and the
 * interpreter relies on it: that runs only a private copy of what was verified here.
 *
 * Two passes in code order, no recursion, no allocation; the only memory is the caller's bitmap. The first
 * byte that is wrong is named, with its disassembly. Tested by tests/vm/ and tests/cases/.
 */
#include <linux/errno.h>

#include "text.h"
#include "vm.h"

struct verifier {
	const __u8 *code;
	__u32 len;
	__u8 *starts;
	__u32 *error_at;
	struct sysvm_text message;
};

static struct sysvm_text *refuse(struct verifier *v, __u32 at)
{
	*v->error_at = at;
	sysvm_text_str(&v->message, "byte ");
	sysvm_text_uint(&v->message, at);
	sysvm_text_str(&v->message, ": ");
	return &v->message;
}

static int quote(struct verifier *v, __u32 at)
{
	char text[64];

	if (sysvm_disasm(v->code, v->len, at, SYSVM_DISASM_RELATIVE, text, sizeof(text)) > 0) {
		sysvm_text_str(&v->message, " (");
		sysvm_text_str(&v->message, text);
		sysvm_text_str(&v->message, ")");
	}
	return -EINVAL;
}

/* The opcode at byte at is none (size 0), or its instruction is cut off. */
static int refuse_undecodable(struct verifier *v, __u32 at, unsigned int op)
{
	struct sysvm_opcode_info info = sysvm_opcode_lookup(op);
	struct sysvm_text *m = refuse(v, at);

	if (op == SYSVM_OPS) {
		sysvm_text_str(m, "an opcode of 2 bytes, the code ends after 1");
	} else if (!info.size) {
		sysvm_text_str(m, "unknown opcode ");
		sysvm_text_hex8(m, v->code[at]);
		if (op >= 0x100) {
			sysvm_text_char(m, ' ');
			sysvm_text_hex8(m, v->code[at + 1]);
		}
	} else {
		sysvm_text_str(m, info.mnemonic);
		sysvm_text_str(m, " takes ");
		sysvm_text_uint(m, info.size);
		sysvm_text_str(m, " bytes, the code ends after ");
		sysvm_text_uint(m, v->len - at);
	}
	return -EINVAL;
}

/* Opcode and size of the instruction at byte at; false, with the message, if it is unknown or cut off. */
static inline bool is_whole(struct verifier *v, __u32 at, unsigned int *op, unsigned int *size)
{
	*op = sysvm_op_at(v->code, v->len, at);
	*size = sysvm_insn_size(*op);
	if (*size && *size <= v->len - at)
		return true;
	refuse_undecodable(v, at, *op);
	return false;
}

/* The immediates of a wide instruction: useless values are refused. */
static int check_entries(struct verifier *v, __u32 at)
{
	struct sysvm_entries_imm entries;
	struct sysvm_insn insn;
	unsigned int least;
	struct sysvm_text *m;

	sysvm_decode(v->code, v->len, at, &insn);
	entries = sysvm_entries_imm(insn.imm);
	if (!entries.followers || entries.followers > SYSVM_ENTRIES_FOLLOWERS) {
		m = refuse(v, at);
		sysvm_text_uint(m, entries.followers);
		sysvm_text_str(m, " followers, expected 1 to 8");
		return -EINVAL;
	}
	least = 8 + 8 * entries.followers + (insn.form == SYSVM_FORM_ENTRIES ? 144 : 256);
	if (entries.stride < least || entries.stride % 8) {
		m = refuse(v, at);
		sysvm_text_str(m, "records of ");
		sysvm_text_uint(m, entries.stride);
		sysvm_text_str(m, " bytes, expected a multiple of 8, at least ");
		sysvm_text_uint(m, least);
		return -EINVAL;
	}
	if (entries.skip > SYSVM_ENTRIES_SKIP || entries.kinds & 1) {
		sysvm_text_str(refuse(v, at), entries.kinds & 1 ? "kind 0, expected kinds 1 to 15"
								: "names to skip, expected 0, 1 or 2");
		return -EINVAL;
	}
	return 0;
}

/* First pass: every byte belongs to a known instruction. Leaves the last one's opcode and where it starts. */
static int check_instructions(struct verifier *v, unsigned int *last_op, __u32 *last_at)
{
	__u32 at = 0;

	while (at < v->len) {
		unsigned int op, size;

		if (!is_whole(v, at, &op, &size))
			return -EINVAL;
		v->starts[at / 8] |= 1u << (at % 8);
		*last_at = at;
		if (op == SYSVM_OP_GOON) {
			if (at + 1 == v->len) {
				sysvm_text_str(refuse(v, at), "goon at the end, expected a call after it");
				return -EINVAL;
			}
			at++;
			if (!is_whole(v, at, &op, &size))
				return -EINVAL;
			if (op < SYSVM_OP_CALL_FULL || sysvm_is_wide(op)) {
				sysvm_text_str(refuse(v, at), "goon stands before it, expected a call");
				return quote(v, at);
			}
		}
		if (sysvm_is_wide(op) && check_entries(v, at))
			return -EINVAL;
		*last_op = op;
		at += size;
	}
	return 0;
}

static int check_jump(struct verifier *v, __u32 at, const struct sysvm_insn *insn)
{
	__s64 target = sysvm_jump_target(at, insn);
	struct sysvm_text *m;

	if (target >= 0 && sysvm_is_start(v->starts, v->len, target))
		return 0;
	m = refuse(v, at);
	sysvm_text_str(m, "jump target ");
	sysvm_text_int(m, target);
	if (target < 0) {
		sysvm_text_str(m, " before the start");
	} else if (target >= v->len) {
		sysvm_text_str(m, " past end ");
		sysvm_text_uint(m, v->len);
	} else {
		while (!sysvm_is_start(v->starts, v->len, target))
			target--;
		sysvm_text_str(m, " inside the instruction at byte ");
		sysvm_text_uint(m, target);
	}
	return quote(v, at);
}

/* Second pass: all boundaries are known now. */
static int check_jumps(struct verifier *v)
{
	__u32 at = 0;

	while (at < v->len) {
		unsigned int op = sysvm_op_at(v->code, v->len, at);

		if (op >= SYSVM_OP_JMP && op <= SYSVM_OP_JBE) {
			struct sysvm_insn insn;
			int err;

			sysvm_decode(v->code, v->len, at, &insn);
			err = check_jump(v, at, &insn);
			if (err)
				return err;
		}
		at += sysvm_insn_size(op);
	}
	return 0;
}

int sysvm_verify(const __u8 *code, __u32 len, __u8 *starts, __u32 *error_at, char *message,
		 size_t message_size)
{
	struct verifier v = {code, len, starts, error_at, sysvm_text_start(message, message_size)};
	unsigned int last_op = 0;
	__u32 last_at = 0, at;
	int err;

	*error_at = 0;
	if (len == 0 || len > SYSVM_PROC_CODE_MAX) {
		sysvm_text_uint(&v.message, len);
		sysvm_text_str(&v.message, " bytes of code, expected 1 to ");
		sysvm_text_uint(&v.message, SYSVM_PROC_CODE_MAX);
		return -EINVAL;
	}
	for (at = 0; at < SYSVM_STARTS_SIZE(len); at++)
		starts[at] = 0;
	err = check_instructions(&v, &last_op, &last_at);
	if (err)
		return err;
	err = check_jumps(&v);
	if (err)
		return err;
	if (last_op != SYSVM_OP_END && last_op != SYSVM_OP_JMP) {
		sysvm_text_str(refuse(&v, last_at),
			       "the program runs past its end, expected end or jmp last");
		return quote(&v, last_at);
	}
	return 0;
}
