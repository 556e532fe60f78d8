// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The verifier. Code that it accepts
 *
 *   - is 1 to SYSVM_PROC_CODE_MAX bytes long and consists of known instructions, none cut off by the end,
 * reachable or not (all 256 registers exist, so every register operand is in range; calls have a row in the
 * system call table);
 *   - jumps only to bytes where an instruction starts, a prefix counting as part of its instruction;
 *   - has GOON only directly before a call;
 *   - cannot run past its end: the last instruction is END or JMP.
 *
 * It does not prove termination (fuel ends every run), nor that addresses, descriptors or DATA offsets are
 * good: memory is checked at each access, calls check their arguments as always. It is a help for people and
 * a base for the interpreter, which runs only a private copy of what was verified here.
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

static int refuse_undecodable(struct verifier *v, __u32 at, int why)
{
	struct sysvm_opcode_info info = sysvm_opcode_lookup(v->code[at]);
	struct sysvm_text *m = refuse(v, at);

	if (why == 0) {
		sysvm_text_str(m, "unknown opcode ");
		sysvm_text_hex8(m, v->code[at]);
	} else {
		sysvm_text_str(m, info.mnemonic);
		sysvm_text_str(m, " takes ");
		sysvm_text_uint(m, info.size);
		sysvm_text_str(m, " bytes, the code ends after ");
		sysvm_text_uint(m, v->len - at);
	}
	return -EINVAL;
}

/* First pass: every byte belongs to a known instruction. Leaves the last one in *last and where it starts. */
static int check_instructions(struct verifier *v, struct sysvm_insn *last, __u32 *last_at)
{
	__u32 at = 0;

	while (at < v->len) {
		struct sysvm_insn insn;
		int size = sysvm_decode(v->code, v->len, at, &insn);

		if (size <= 0)
			return refuse_undecodable(v, at, size);
		v->starts[at / 8] |= 1u << (at % 8);
		*last_at = at;
		if (insn.op == SYSVM_OP_GOON) {
			if (at + 1 == v->len) {
				sysvm_text_str(refuse(v, at), "goon at the end, expected a call behind it");
				return -EINVAL;
			}
			at++;
			size = sysvm_decode(v->code, v->len, at, &insn);
			if (size <= 0)
				return refuse_undecodable(v, at, size);
			if (!sysvm_is_call(insn.form)) {
				sysvm_text_str(refuse(v, at), "goon stands before it, expected a call");
				return quote(v, at);
			}
		}
		*last = insn;
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
		struct sysvm_insn insn;
		int size = sysvm_decode(v->code, v->len, at, &insn);
		int err;

		if (sysvm_is_jump(insn.form)) {
			err = check_jump(v, at, &insn);
			if (err)
				return err;
		}
		at += size;
	}
	return 0;
}

int sysvm_verify(const __u8 *code, __u32 len, __u8 *starts, __u32 *error_at, char *message,
		 size_t message_size)
{
	struct verifier v = {code, len, starts, error_at, sysvm_text_start(message, message_size)};
	struct sysvm_insn last = {0};
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
	err = check_instructions(&v, &last, &last_at);
	if (err)
		return err;
	err = check_jumps(&v);
	if (err)
		return err;
	if (last.op != SYSVM_OP_END && last.op != SYSVM_OP_JMP) {
		sysvm_text_str(refuse(&v, last_at),
			       "the program runs past its end, expected end or jmp last");
		return quote(&v, last_at);
	}
	return 0;
}
