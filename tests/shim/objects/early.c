// SPDX-License-Identifier: MIT
/* Does one thing before any constructor has run, in the resolver of a function. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static inline __attribute__((always_inline, unused)) long raw(long nr, const void *a, const void *b, long c,
							      long d, const void *e, long f)
{
	register long r10 __asm__("r10") = d;
	register const void *r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static int five(void)
{
	return 5;
}

__attribute__((used, optimize("no-stack-protector"))) static int (*resolve(void))(void)
{
#ifdef EARLY_MOUNT
	raw(SYS_mount, "other/libnumber.so", "there/libnumber.so", 0, MS_BIND, 0, 0);
#endif
#ifdef EARLY_NAMED
	long map = raw(SYS_mmap, 0, (void *)4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, (void *)-1, 0);

	raw(SYS_prctl, (void *)PR_SET_VMA, (void *)PR_SET_VMA_ANON_NAME, map, 4096, "vdso", 0);
#endif
#ifdef EARLY_RIGHTS
	raw(SYS_mprotect, (void *)((unsigned long)five & ~4095ul), (void *)4096,
	    PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0, 0);
#endif
	return five;
}
int early(void) __attribute__((ifunc("resolve")));
