/* SPDX-License-Identifier: MIT */
/*
 * The way from a patched site to the shim and back.
 *
 * site:   jmp slot                 (was: an instruction before the syscall)
 * slot:   copies of the instructions up to the syscall
 *         skip the red zone; call shim_entry
 *         answered: jmp behind the syscall        forwarded: jmp to the original syscall
 *
 * A forwarded call is made by the original instruction with every register, the flags and the stack as the
 * application had them, so backtraces, unwinding and uprobes see the C library's own address. Only rcx and r11 are
 * changed, which the kernel changes too. Vector registers are never touched (the C files are built with
 * -mgeneral-regs-only). Stack: 128 bytes of red zone, 96 here, the rest of 512 is the C functions'.
 *
 * Unwinding works at every instruction: a slot looks like a frame that was called from the instruction behind the
 * syscall, whose address it holds in its first 8 bytes; shim_entry looks like a function called by the slot.
 * So pthread_cancel in the middle runs destructors, and gdb shows the application's frames (contract, rule 9).
 *
 * Tested by tests/shim/entry (registers, unwinding, red zone, cancellation).
 */
#include "libsysvm/shim/slots.h"

	.section .sysvm.slots, "ax", @progbits
	.balign 4096
	.hidden shim_slots
	.globl shim_slots
	.type shim_slots, @function
shim_slots:
	.cfi_startproc
	.cfi_def_cfa rsp, 0
	/* return address = *(pc & -64): DW_CFA_val_expression r16: breg16 0; const1s -64; and; deref */
	.cfi_escape 0x16, 0x10, 0x06, 0x80, 0x00, 0x09, 0xc0, 0x1a, 0x06
	.rept SLOTS
	.fill SLOT_TAIL, 1, 0xcc
	lea -128(%rsp), %rsp
	.cfi_def_cfa_offset 128
	call shim_entry
	.cfi_def_cfa_offset 0
	jrcxz 1f
	.byte 0xe9, 0, 0, 0, 0 /* to behind the syscall; patch.c fills it in */
1:	.byte 0xe9, 0, 0, 0, 0 /* to the syscall */
	.endr
	.cfi_endproc
	.size shim_slots, . - shim_slots
	.balign 4096, 0xcc

	.text

/* struct shim_call at rsp, then flags and verdict, then the return address into the slot */
#define FLAGS 80
#define VERDICT 84
#define FRAME 88
#define APP_SP (FRAME + 8 + 128)

.macro restore_flags
	movzwl FLAGS(%rsp), %eax
	add $0x7f, %al
	sahf
.endm

.macro restore_args
	mov 8(%rsp), %rdi
	mov 16(%rsp), %rsi
	mov 24(%rsp), %rdx
	mov 32(%rsp), %r10
	mov 40(%rsp), %r8
	mov 48(%rsp), %r9
.endm

	.type shim_entry, @function
	.p2align 6
shim_entry:
	.cfi_startproc
	lea -FRAME(%rsp), %rsp
	.cfi_adjust_cfa_offset FRAME
	mov %rax, (%rsp)
	lahf
	seto %al
	mov %ax, FLAGS(%rsp)
	cmpb $0, shim_mode(%rip)
	je .Lplain
.Llook:
	mov FRAME(%rsp), %rcx
	mov %rdi, 8(%rsp)
	mov %rsi, 16(%rsp)
	mov %rdx, 24(%rsp)
	mov %r10, 32(%rsp)
	mov %r8, 40(%rsp)
	mov %r9, 48(%rsp)
	and $-SLOT_SIZE, %rcx
	mov (%rcx), %rcx
	sub $2, %rcx
	mov %rcx, 56(%rsp)
	lea APP_SP(%rsp), %rcx
	mov %rcx, 64(%rsp)
	mov %rsp, %rdi
	call shim_dispatch
	cmp $VERDICT_ANSWERED, %eax
	je .Lanswered
	ja .Lother
	restore_args
.Lforward:
	restore_flags
	mov (%rsp), %rax
	mov $0, %ecx
	.cfi_remember_state
	lea FRAME(%rsp), %rsp
	.cfi_adjust_cfa_offset -FRAME
	ret $128
	.cfi_restore_state
.Lanswered:
	restore_args
	restore_flags
	mov 72(%rsp), %rax
	mov $1, %ecx
	.cfi_remember_state
	lea FRAME(%rsp), %rsp
	.cfi_adjust_cfa_offset -FRAME
	ret $128
	.cfi_restore_state

	/* Off, or the child of a vfork: only what keeps the environment and signal handlers right is looked at. */
.Lplain:
	mov (%rsp), %rax
	cmp $PLAIN_CALLS, %rax
	jae 1f
	lea shim_plain_looks(%rip), %rcx
	cmpb $0, (%rcx, %rax)
	jne .Llook
1:	mov shim_plain_counter(%rip), %rcx
	lock incq (%rcx)
	jmp .Lforward

.Lother:
	cmp $VERDICT_VFORK, %eax
	je .Lvfork
	/* Made here, because something is to be done with its result. */
	mov %eax, VERDICT(%rsp)
	restore_args
	mov (%rsp), %rax
	syscall
	mov %rax, 72(%rsp)
	mov %rsp, %rdi
	mov VERDICT(%rsp), %esi
	call shim_after
	jmp .Lanswered

	/* The child runs on this stack before the parent does (or on one of its own): nothing may lie on it, and
	   which of the two returned is told by rax alone. One thread, and the parent sleeps: globals will do. */
.Lvfork:
	restore_args
	restore_flags
	mov (%rsp), %rax
	lea APP_SP(%rsp), %rsp
	.cfi_def_cfa_offset 0
	.cfi_undefined rip
	syscall
	mov %rax, %rcx
	jrcxz 1f
	movb $1, shim_mode(%rip)
1:	jmp *shim_vfork_return(%rip)
	.cfi_endproc
	.size shim_entry, . - shim_entry

/* Signal handlers are entered here: two stubs for each signal, used in turns (signals.c). */
	.hidden shim_stubs
	.globl shim_stubs
	.type shim_stubs, @function
	.balign STUB_SIZE
shim_stubs:
	.cfi_startproc
	.set index, 0
	.rept STUBS
	.balign STUB_SIZE, 0xcc
	incq shim_signals(%rip)
	jmp *shim_handlers + 8 * index(%rip)
	.set index, index + 1
	.endr
	.cfi_endproc
	.size shim_stubs, . - shim_stubs

	.section .note.GNU-stack, "", @progbits
