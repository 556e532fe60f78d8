/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The opcode table (uapi/opcodes.inc) as enums and rows, and the decoder that verifier, interpreter,
 * disassembler and assembler share.
 *
 * Tested by tests/vm/.
 */
#ifndef SYSVM_VM_OPCODES_H
#define SYSVM_VM_OPCODES_H

#include "env.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An opcode of two bytes as one number; numbers of all opcodes are below SYSVM_OPS. */
#define SYSVM_OP_EXT(second) (0x100 + (second))
#define SYSVM_OPS 0x200

enum sysvm_opcode {
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) SYSVM_OP_##NAME = number,
#define SYSVM_WIDE(second, NAME, mnemonic, operands, effect) SYSVM_OP_##NAME = SYSVM_OP_EXT(second),
#include "../uapi/opcodes.inc"
};

enum sysvm_operands {
	SYSVM_FORM_BAD = 0, /* no instruction */
	SYSVM_FORM_NONE,
	SYSVM_FORM_R,
	SYSVM_FORM_RR,
	SYSVM_FORM_RRR,
	SYSVM_FORM_RI8,
	SYSVM_FORM_RI16,
	SYSVM_FORM_RI32,
	SYSVM_FORM_RI64,
	SYSVM_FORM_RRI32,
	SYSVM_FORM_LOAD,
	SYSVM_FORM_STORE,
	SYSVM_FORM_J,
	SYSVM_FORM_RJ,
	SYSVM_FORM_RRJ,
	SYSVM_FORM_RD,
	SYSVM_FORM_ENTRIES, /* registers, then struct sysvm_entries_imm */
	SYSVM_FORM_ENTRIES_X,
	SYSVM_FORM_CALL,       /* destination, then one register for each argument */
	SYSVM_FORM_CALL_SHORT, /* nothing follows */
	SYSVM_FORM_COUNT,
};

/* Registers and bytes of immediate of each form; a call's registers depend on its number of arguments. */
/* clang-format off */
#define SYSVM_FORMS(X) \
	X(NONE, 0, 0) X(R, 1, 0) X(RR, 2, 0) X(RRR, 3, 0) X(RI8, 1, 1) X(RI16, 1, 2) X(RI32, 1, 4) \
	X(RI64, 1, 8) X(RRI32, 2, 4) X(LOAD, 2, 2) X(STORE, 2, 2) X(J, 0, 2) X(RJ, 1, 2) X(RRJ, 2, 2) \
	X(RD, 1, 2) \
	X(ENTRIES, 10, 6) X(ENTRIES_X, 11, 6)
/* clang-format on */

enum sysvm_form_sizes {
#define X(name, regs, imm) SYSVM_REGS_##name = regs, SYSVM_BYTES_##name = 1 + regs + imm,
	SYSVM_FORMS(X)
#undef X
};

/* SYSVM_SIZE_ADD and so on: bytes of each instruction, opcode included. */
enum sysvm_sizes {
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) SYSVM_SIZE_##NAME = SYSVM_BYTES_##operands,
#define SYSVM_WIDE(second, NAME, mnemonic, operands, effect) SYSVM_SIZE_##NAME = 1 + SYSVM_BYTES_##operands,
#include "../uapi/opcodes.inc"
};

struct sysvm_opcode_info {
	const char *mnemonic; /* NULL: no instruction; calls: name of the system call */
	__u8 form;	      /* enum sysvm_operands */
	__u8 size;	      /* bytes, opcode included */
	__u8 head;	      /* bytes of the opcode: 1, extended 2 */
	__u16 call;	      /* call index if form is CALL or CALL_SHORT */
};

/* One instruction, taken apart. Only what its form has is set. */
struct sysvm_insn {
	__u16 op; /* extended: SYSVM_OP_EXT(second byte) */
	__u8 form;
	__u8 size;
	__u8 head;   /* bytes of the opcode */
	__u8 nregs;  /* registers in reg[] */
	__u8 reg[11]; /* in the order of the encoding */
	__u16 call;
	/* immediate, offset of a load or store, jump distance, data offset; of ENTRIES: all six bytes */
	__s64 imm;
};

/* The immediates of a wide instruction over dirents (opcodes.inc). */
struct sysvm_entries_imm {
	__u16 stride;
	__u8 followers;
	__u8 skip;
	__u16 kinds;
};

static inline struct sysvm_entries_imm sysvm_entries_imm(__u64 imm)
{
	struct sysvm_entries_imm entries = {(__u16)imm, (__u8)(imm >> 16), (__u8)(imm >> 24),
					    (__u16)(imm >> 32)};

	return entries;
}

#define SYSVM_ENTRIES_FOLLOWERS 8 /* at most */
#define SYSVM_ENTRIES_SKIP 2	  /* at most */

/* What opcode op is; form SYSVM_FORM_BAD if it is none. */
struct sysvm_opcode_info sysvm_opcode_lookup(unsigned int op);
unsigned int sysvm_insn_regs(const struct sysvm_opcode_info *info); /* register operands */

extern const __u8 sysvm_insn_sizes[SYSVM_OPS];
static inline unsigned int sysvm_insn_size(unsigned int op) /* bytes, opcode included; 0 if it is none */
{
	return op < SYSVM_OPS ? sysvm_insn_sizes[op] : 0;
}

/* The opcode at code[at], of one byte or two; SYSVM_OPS if it is cut off by the end of the code. */
static inline unsigned int sysvm_op_at(const __u8 *code, __u32 len, __u32 at)
{
	if (at >= len || (code[at] == SYSVM_OP_EXTENDED && len - at < 2))
		return SYSVM_OPS;
	return code[at] == SYSVM_OP_EXTENDED ? SYSVM_OP_EXT(code[at + 1]) : code[at];
}

/* The opcode bytes of the call with this index in its full form. Returns how many: 1 or 2. */
static inline unsigned int sysvm_put_call_op(__u8 *code, unsigned int index)
{
	if (index < SYSVM_CALL_EXTENDED) {
		code[0] = (__u8)(SYSVM_OP_CALL_FULL + index);
		return 1;
	}
	code[0] = SYSVM_OP_EXTENDED;
	code[1] = (__u8)index;
	return 2;
}

extern const struct sysvm_call_op sysvm_call_ops[SYSVM_OPS]; /* by opcode */

/*
 * Take the instruction at code[at] apart. Returns its size, 0 if the opcode is unknown, -1 if it is cut off
 * by the end of the code.
 */
int sysvm_decode(const __u8 *code, __u32 len, __u32 at, struct sysvm_insn *insn);

static inline bool sysvm_is_call(unsigned int form)
{
	return form == SYSVM_FORM_CALL || form == SYSVM_FORM_CALL_SHORT;
}

static inline bool sysvm_is_wide(unsigned int op)
{
	return op >= SYSVM_OP_EXT(SYSVM_WIDE_FIRST) && op < SYSVM_OPS;
}

static inline bool sysvm_is_entries(unsigned int form)
{
	return form == SYSVM_FORM_ENTRIES || form == SYSVM_FORM_ENTRIES_X;
}

static inline bool sysvm_is_jump(unsigned int form)
{
	return form == SYSVM_FORM_J || form == SYSVM_FORM_RJ || form == SYSVM_FORM_RRJ;
}

#ifdef __cplusplus
}
#endif
#endif
