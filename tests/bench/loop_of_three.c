// SPDX-License-Identifier: MIT
/* A loop of three instructions, with the number of rounds as its argument: counter.sh counts them. */
#include <stdlib.h>

int main(int argc, char **argv)
{
	long times = argc == 2 ? atol(argv[1]) : 1;

	__asm__ volatile("1: nop\n\tdec %0\n\tjnz 1b" : "+r"(times));
	return 0;
}
