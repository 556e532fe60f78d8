// SPDX-License-Identifier: MIT
/* Text that is writable from the start: it makes a call, changes itself, and makes another one. */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((section(".writable,\"awx\",@progbits#"), noinline, used)) static long call(void)
{
	long result;

	__asm__ volatile(".byte 0xb8, 39, 0, 0, 0; syscall" : "=a"(result) : : "rcx", "r11", "memory");
	return result;
}

int main(void)
{
	unsigned char *p = (unsigned char *)(void *)call;
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");

	printf("getpid %d\n", call() == getpid());
	while (p[0] != 0xb8 || p[1] != SYS_getpid)
		p++;
	p[1] = SYS_getppid;
	printf("getppid %d\n", call() == getppid());
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "/writable"))
			printf("%.4s\n", strchr(line, ' ') + 1);
	return 0;
}
