// SPDX-License-Identifier: MIT
/*
 * Changes text before the shim starts (libraries that a program needs are initialised first): a breakpoint on
 * getppid, and in getpgrp the number of getppid. As if the file had been written after it was analysed, and
 * all of its times put back.
 */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static void change(unsigned char *at, unsigned char byte)
{
	mprotect((void *)((uintptr_t)at & ~4095ul), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	*at = byte;
	mprotect((void *)((uintptr_t)at & ~4095ul), 4096, PROT_READ | PROT_EXEC);
}

__attribute__((constructor)) static void set(void)
{
	change((unsigned char *)(uintptr_t)getppid, 0xcc);
	change((unsigned char *)(uintptr_t)getpgrp + 1, 110); /* mov $111,%eax */
}

void library_is_needed(void) {}
