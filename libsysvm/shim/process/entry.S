/* SPDX-License-Identifier: MIT */
/*
 * The way from a patched site to the shim and back.
 *
 * site:   jmp slot                 (was: an instruction before the syscall)
 * slot:   copies of the instructions up to the syscall
 *         skip the red zone; call shim_entry
 *         answered: jmp to after the syscall      forwarded: jmp to the original syscall
 *
 * A forwarded call is made by the original instruction with every register, the flags and the stack as the
 * application had them, so backtraces, unwinding and uprobes see the C library's own address. Only rcx and
 * r11 are changed, which the kernel changes too. Vector registers are never touched by the C files (built
 * with -mgeneral-regs-only); what is served here borrows xmm0 and puts it back. Stack: 128 bytes of red zone,
 * 96 here, the rest of 512 is the C functions'.
 *
 * Unwinding works at every instruction: a slot looks like a frame that was called from the instruction after
 * the syscall, whose address it holds in its first 8 bytes; shim_entry looks like a function called by the
 * slot. So pthread_cancel in the middle runs destructors, and gdb shows the application's frames
 * (docs/semantics.md, 9).
 *
 * Tested by tests/shim/entry (registers, unwinding, red zone, cancellation).
 */
#include <asm/unistd_64.h>

#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/bundle/plain_lines.h"
#include "libsysvm/shim/process/slots.h"

#define SYS_RT_SIGPROCMASK __NR_rt_sigprocmask
#define SIG_SETMASK 2

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
	.byte 0xe9, 0, 0, 0, 0 /* to after the syscall; patch.c fills it in */
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

.macro same_arg register, i
	mov \register, %rcx
	xor STAGED_ARG + 8 * \i(%r11), %rcx
	test %rcx, FOLLOWER_EXACT + 8 * \i(%rax)
	jne .Lgive_up
.endm

.macro restore_args
	mov 8(%rsp), %rdi
	mov 16(%rsp), %rsi
	mov 24(%rsp), %rdx
	mov 32(%rsp), %r10
	mov 40(%rsp), %r8
	mov 48(%rsp), %r9
.endm

	/*
	 * The next outstanding answer, if it is a plain one and this call's: served here, without saving and
	 * asking. The rules are those of log_serve() in answers/log.c; anything less simple takes the slow
	 * path and is decided there. rcx, r11 and, since it is known, rax are free; flags are saved, xmm0 is
	 * put back.
	 */
	.type shim_entry, @function
	.p2align 6
shim_entry:
	.cfi_startproc
	mov quick+QUICK_NEXT(%rip), %r11
	mov STAGED_MINUS_NR(%r11), %rcx
	lea (%rcx, %rax), %rcx
	jrcxz 1f
	jmp .Lslow
1:	lea -FRAME(%rsp), %rsp
	.cfi_remember_state
	.cfi_adjust_cfa_offset FRAME
	lahf
	seto %al
	mov %ax, FLAGS(%rsp)
	lea APP_SP(%rsp), %rax
	cmpq $0, quick+QUICK_BUSY_SP(%rip)
	jne .Lnot_quick
	mov %rax, quick+QUICK_BUSY_SP(%rip)
	mov shim_signals(%rip), %rcx
	cmp quick+QUICK_LOG_SIGNALS(%rip), %rcx
	jne .Lgive_up
	mov STAGED_RULE(%r11), %rax
	same_arg %rdi, 0
	same_arg %rsi, 1
	same_arg %rdx, 2
	same_arg %r10, 3
	same_arg %r8, 4
	same_arg %r9, 5
	mov %rdi, 8(%rsp)
	mov %rsi, 16(%rsp)
	mov %rdx, 24(%rsp)
	mov %r8, 40(%rsp)

	/* Fresh? */
	mov quick+QUICK_CLOCK(%rip), %rcx
	mov CLOCK_SECONDS(%rcx), %rax
	mov CLOCK_NANOSECONDS(%rcx), %rcx
	cmp quick+QUICK_LOG_CLOCK+CLOCK_SECONDS(%rip), %rax
	jne .Lgive_up
	sub quick+QUICK_LOG_CLOCK+CLOCK_NANOSECONDS(%rip), %rcx
	cmp quick+QUICK_AGE_NS(%rip), %rcx
	ja .Lgive_up

	/* rcx: the buffer, rax: its end. In the range that was asked for last, or on the main stack. */
	mov STAGED_OUT(%r11), %rcx
	mov 8(%rsp, %rcx, 8), %rcx
	cmp STAGED_TO_MAX(%r11), %rcx
	ja .Lgive_up
	mov STAGED_LENGTH(%r11), %rax
	test %rax, %rax
	jz 2f
	add %rcx, %rax
	cmp quick+QUICK_WRITE_HIGH(%rip), %rax
	ja 1f
	cmp quick+QUICK_WRITE_LOW(%rip), %rcx
	jae 2f
1:	cmp quick+QUICK_STACK_HIGH(%rip), %rax
	ja .Lgive_up
	lea APP_SP(%rsp), %rax
	cmp %rax, %rcx
	jb .Lgive_up
	cmp quick+QUICK_STACK_LOW(%rip), %rax
	jb .Lgive_up
2:
	/* Claim it: a handler that comes now cannot, and one that came before has withdrawn it. */
	mov %r11, %rax
	add $STAGED_SIZE, %r11
	cmpxchg %r11, quick+QUICK_NEXT(%rip)
	lea -STAGED_SIZE(%r11), %r11
	jne .Lgive_up

	mov STAGED_LENGTH(%r11), %rax
	cmp $256, %rax
	ja .Llong
	cmp $16, %rax
	jb .Lshort
	movups %xmm0, 48(%rsp)
	mov STAGED_FROM(%r11), %rsi
	movups -16(%rsi, %rax), %xmm0
	movups %xmm0, -16(%rcx, %rax)
	sub $16, %rax
	jbe 2f
1:	movups (%rsi), %xmm0
	movups %xmm0, (%rcx)
	add $16, %rsi
	add $16, %rcx
	sub $16, %rax
	ja 1b
2:	movups 48(%rsp), %xmm0
	mov 16(%rsp), %rsi
.Lserved:
	mov STAGED_RESULT(%r11), %rax
	mov STAGED_POSITION(%r11), %rcx
	add %rax, (%rcx)
	movq $0, quick+QUICK_BUSY_SP(%rip)
	restore_flags
	mov STAGED_RESULT(%r11), %rax
	mov $1, %ecx
	.cfi_remember_state
	lea FRAME(%rsp), %rsp
	.cfi_adjust_cfa_offset -FRAME
	ret $128
	.cfi_restore_state

.Lshort:
	test %rax, %rax
	jz .Lserved
.Llong: mov %rcx, %rdi
	mov %rax, %rcx
	mov STAGED_FROM(%r11), %rsi
	rep movsb
	mov 8(%rsp), %rdi
	mov 16(%rsp), %rsi
	jmp .Lserved

.Lgive_up:
	movq $0, quick+QUICK_BUSY_SP(%rip)
.Lnot_quick:
	xor %eax, %eax
	sub STAGED_MINUS_NR(%r11), %rax
	mov %rax, (%rsp)
	jmp .Lsaved
	.cfi_restore_state

.Lslow:	lea -FRAME(%rsp), %rsp
	.cfi_adjust_cfa_offset FRAME
	mov %rax, (%rsp)
	lahf
	seto %al
	mov %ax, FLAGS(%rsp)
.Lsaved:
	cmpb $0, shim_mode(%rip)
	je .Lplain
.Ldispatch:
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

	/* Off, or the child of a vfork: only what keeps the environment and signal handlers right goes to C.
	   */
.Lplain:
	mov (%rsp), %rax
	cmp $PLAIN_CALLS, %rax
	jae 1f
	lea shim_plain_looks(%rip), %rcx
	cmpb $0, (%rcx, %rax)
	jne .Ldispatch
1:	mov %rsp, %rcx
	shr $16, %rcx /* another one for each thread, most likely: Fibonacci hashing */
	imul $0x9e3779b1, %ecx, %ecx
	shr $(32 - PLAIN_LINES_BITS), %ecx
	shl $PLAIN_LINE_SHIFT, %ecx
	add shim_plain_counter(%rip), %rcx
	lock incq (%rcx)
	jmp .Lforward

.Lother:
	cmp $VERDICT_VFORK, %eax
	je .Lvfork
	/* Made here, because something is done with its result. */
	mov %eax, VERDICT(%rsp)
	restore_args
	mov (%rsp), %rax
	syscall
	mov %rax, 72(%rsp)
	mov %rsp, %rdi
	mov VERDICT(%rsp), %esi
	call shim_after
	jmp .Lanswered

	/* The child runs on this stack before the parent does (or on one of its own): nothing may lie on it
	   across the call, and only rax says which of the two returned. One thread, and the parent sleeps:
	   globals will do, until signals are let in again (tasks.c holds them), since a handler may call
	   vfork itself. */
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
	mov shim_vfork_mode(%rip), %cl
	mov %cl, shim_mode(%rip)
1:	lea -128(%rsp), %rsp
	push %rax
	push %rdi
	push %rsi
	push %rdx
	push %r10
	push shim_vfork_return(%rip)
	mov $SYS_RT_SIGPROCMASK, %eax
	mov $SIG_SETMASK, %edi
	lea shim_vfork_mask(%rip), %rsi
	mov $0, %edx
	mov $8, %r10d
	syscall
	pop %rcx
	pop %r10
	pop %rdx
	pop %rsi
	pop %rdi
	pop %rax
	lea 128(%rsp), %rsp
	jmp *%rcx
	.cfi_endproc
	.size shim_entry, . - shim_entry

	.section .note.GNU-stack, "", @progbits
