/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers are entered here: two stubs for each signal, used in turns (signals.c). A stub counts and
 * jumps on.
 * Tested by tests/shim/entry (handlers).
 */
#include "libsysvm/shim/process/slots.h"

	.text
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

	.hidden shim_handlers
	.globl shim_handlers
	.type shim_handlers, @object
	.bss
	.balign 8
shim_handlers:
	.zero 8 * STUBS
	.size shim_handlers, . - shim_handlers

	.section .note.GNU-stack, "", @progbits
