/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The machine: verifier, interpreter, disassembler. The top of each file says what it promises.
 *
 * Tested by tests/vm/ and, on every engine, by tests/cases/.
 */
#ifndef SYSVM_VM_VM_H
#define SYSVM_VM_VM_H

#include "env.h"
#include "opcodes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the bitmap of instruction boundaries for code of this many bytes. */
#define SYSVM_STARTS_SIZE(code_len) (((code_len) + 7) / 8)

/* Code that was verified. The memory is the engine's own: nobody else can write to it. */
struct sysvm_program {
	const __u8 *code;
	const __u8 *starts; /* bit n: an instruction starts at byte n (a prefix belongs to its instruction) */
	__u32 len;
	__u64 data_base;
};

/*
 * Check code; fill starts (SYSVM_STARTS_SIZE(len) bytes). Returns 0, or -EINVAL with *error_at and message
 * (cut to message_size, always terminated; may be NULL with size 0).
 */
int sysvm_verify(const __u8 *code, __u32 len, __u8 *starts, __u32 *error_at, char *message,
		 size_t message_size);

/*
 * Run program on page, from the start or - if the page's state is a resumable one of the same seq and proc -
 * from where it stopped. Fuel is in the page. Returns the status, which the page holds too (but a shared page
 * cannot be trusted). If it is SYSVM_RESTART, *restart is what the call returned.
 */
__u32 sysvm_execute(struct sysvm_page *page, const struct sysvm_program *program, __u32 proc, __u64 seq,
		    struct sysvm_env *env, long *restart);

/* Leave the state of a run that did not begin: status with pc and error, nothing executed. */
void sysvm_set_stopped(struct sysvm_page *page, __u32 proc, __u64 seq, __u32 status, __u32 pc, __s32 error);

/* Write the instruction at code[at] (prefix included) as text. Returns its size, or as sysvm_decode. */
enum sysvm_disasm_style {
	SYSVM_DISASM_LABELS = 0,   /* jeq r1, r2, L92: what the assembler reads */
	SYSVM_DISASM_RELATIVE = 1, /* jeq r1, r2, +73: for messages */
};
int sysvm_disasm(const __u8 *code, __u32 len, __u32 at, enum sysvm_disasm_style style, char *text,
		 size_t size);

/* Byte that the jump at code[at] goes to; may be outside of the code. */
static inline __s64 sysvm_jump_target(__u32 at, const struct sysvm_insn *insn)
{
	return (__s64)at + insn->size + insn->imm;
}

static inline bool sysvm_is_start(const __u8 *starts, __u32 len, __u64 at)
{
	if (at >= len)
		return false;
	at = SYSVM_INDEX(at, (__u64)len);
	return starts[at / 8] >> (at % 8) & 1;
}

static inline bool sysvm_is_resumable(__u32 status)
{
	return (status >= SYSVM_FUEL && status <= SYSVM_FALLBACK) || status == SYSVM_RESTART ||
	       status == SYSVM_YIELD;
}

/* "DONE", "ERROR" and so on; "?" if unknown. */
const char *sysvm_status_name(__u32 status);

#ifdef __cplusplus
}
#endif
#endif
