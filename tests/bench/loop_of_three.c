// SPDX-License-Identifier: MIT
/* Executes three instructions as often as it is told to: what counter.sh counts. */
#include <stdlib.h>

int main(int argc, char **argv)
{
	long times = argc == 2 ? atol(argv[1]) : 1;

	__asm__ volatile("1: nop\n\tdec %0\n\tjnz 1b" : "+r"(times));
	return 0;
}
