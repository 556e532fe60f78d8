// SPDX-License-Identifier: GPL-2.0
/*
 * A 32-bit program, without a C library: it may not open the device. Exit status: the errno of its open of
 * argv[1], or 0 if that succeeded.
 */
static int call3(int nr, int a, int b, int c)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

__attribute__((used)) void start_in_c(char **argv)
{
	int fd = call3(5 /* open */, (int)argv[1], 2 /* O_RDWR */, 0);

	call3(1 /* exit */, fd < 0 ? -fd : 0, 0, 0);
}

/* argc, then argv. */
__asm__(".globl _start\n_start: lea 4(%esp), %eax\n push %eax\n call start_in_c\n hlt");
