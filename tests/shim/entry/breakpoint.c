// SPDX-License-Identifier: MIT
/*
 * Breakpoints and probes. getppid's site had one before the shim came: it must still be there; and getpgrp
 * makes another call than the one that was analysed, which it must still make. getuid's gets a breakpoint
 * now, over whatever stands there: executing the original instruction out of line and going on at the next
 * one, as a uprobe does, must make the call.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

void library_is_needed(void);
static volatile int hits;

/* mov $nr,%eax is 5 bytes: b8 nr. Its effect, and on to the next. */
static void trap(int s, siginfo_t *i, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t at = (uint64_t)r[REG_RIP] - 1;

	(void)s;
	(void)i;
	hits++;
	r[REG_RAX] = at == (uint64_t)(uintptr_t)getppid ? 110 : 102;
	r[REG_RIP] = (greg_t)(at + 5);
}

int main(void)
{
	struct sigaction a = { .sa_sigaction = trap, .sa_flags = SA_SIGINFO };
	unsigned char *code = (unsigned char *)(uintptr_t)getuid;
	int shown = 0;

	library_is_needed();
	sigaction(SIGTRAP, &a, NULL);
	shown = getppid() > 0;
	printf("getppid %d, breakpoint hit %d\n", shown, hits);
	printf("getpgrp is getppid %d\n", (long)getpgrp() == syscall(SYS_getppid));
	uid_t before = getuid();
	mprotect((void *)((uintptr_t)code & ~4095ul), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	*code = 0xcc;
	uid_t after = getuid();
	printf("getuid %d, breakpoint hit %d\n", before == after, hits);
	return 0;
}
