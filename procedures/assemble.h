/* SPDX-License-Identifier: MIT */
/*
 * The assembler: the text that the disassembler prints, to the same bytes. Plain C, so that the static case
 * runner in the guest reads the same case files as everyone else; procedures/assembler.h is its C++ face.
 *
 *   open:   openat r6, r0, r1, r2, r3   ; a label, an instruction, a comment
 *           goon fstat r7, r6, r8       ; a prefix
 *           close.s                     ; short form: arguments in r0..., result in r0
 *           jneg r7, open
 *           .byte 0x2c, 1               ; bytes as they are, for tests of bad code
 *
 * Numbers are decimal or 0x..., jumps take a label or a signed distance from the next instruction (+5). It
 * does not verify what it assembles. Tested by tests/vm/.
 */
#ifndef SYSVM_ASSEMBLE_H
#define SYSVM_ASSEMBLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYSVM_ASM_LABELS 1024 /* labels of one program */

/*
 * Assemble text (terminated) to at most capacity bytes at code. Returns 0 and *len, or -EINVAL and a message
 * with the line: "line 3: expected a register (r0 to r255), found 'x7'".
 */
int sysvm_assemble(const char *text, uint8_t *code, size_t capacity, size_t *len, char *message,
		   size_t message_size);

/*
 * Write the instruction at code[at] (its prefix included) as the assembler reads it, jumps as signed
 * distances. Returns its size in bytes, 0 if there is no such instruction, -1 if it is cut off by the end of
 * the code. text is always terminated; 64 bytes are enough.
 */
int sysvm_disassemble(const void *code, size_t code_len, size_t at, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
