// SPDX-License-Identifier: MIT
/* Sets a breakpoint on getppid before the shim starts: libraries that a program needs are initialised first. */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void set(void)
{
	unsigned char *code = (unsigned char *)(uintptr_t)getppid;

	mprotect((void *)((uintptr_t)code & ~4095ul), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	*code = 0xcc;
	mprotect((void *)((uintptr_t)code & ~4095ul), 4096, PROT_READ | PROT_EXEC);
}

void library_is_needed(void) {}
