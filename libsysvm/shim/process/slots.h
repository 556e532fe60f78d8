/* SPDX-License-Identifier: MIT */
/*
 * Numbers that the assembler files and the C files share. A slot is a trampoline: 8 bytes with the address
 * after the syscall, room for copied instructions, and a tail of 22 bytes, which entry.S has.
 */
#ifndef SYSVM_SHIM_SLOTS_H
#define SYSVM_SHIM_SLOTS_H

#define SLOTS 768
#define SLOT_SIZE 64
#define SLOT_TAIL 42	  /* offset of the tail: copied instructions end here */
#define SLOT_SKIP 55	  /* offset of the rel32 of the jump to after the syscall */
#define SLOT_FORWARD 60	  /* ... to the syscall */

#define SIGNALS 64
#define STUBS (2 * SIGNALS)
#define STUB_SIZE 16

#define PLAIN_CALLS 512 /* numbers below this can come to shim_dispatch while plain */

/* What shim_dispatch returns; the first three are enum shim_verdict. */
#define VERDICT_FORWARD 0
#define VERDICT_ANSWERED 1
#define VERDICT_WATCH 2
#define VERDICT_FORK 3	/* made here; the child comes back through shim_after too */
#define VERDICT_VFORK 4 /* made without a stack; nobody comes back */

#endif
