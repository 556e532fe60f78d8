/* SPDX-License-Identifier: MIT */
/* The shim's own system calls: straight into the kernel, never through a patched site, never touching errno. */
#ifndef SYSVM_SHIM_RAW_H
#define SYSVM_SHIM_RAW_H

#include <stdint.h>
#include <sys/syscall.h>

static inline long raw6(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

#define RAW_U(x) ((uint64_t)(x))
#define raw0(nr) raw6(nr, 0, 0, 0, 0, 0, 0)
#define raw1(nr, a) raw6(nr, RAW_U(a), 0, 0, 0, 0, 0)
#define raw2(nr, a, b) raw6(nr, RAW_U(a), RAW_U(b), 0, 0, 0, 0)
#define raw3(nr, a, b, c) raw6(nr, RAW_U(a), RAW_U(b), RAW_U(c), 0, 0, 0)
#define raw4(nr, a, b, c, d) raw6(nr, RAW_U(a), RAW_U(b), RAW_U(c), RAW_U(d), 0, 0)

#endif
