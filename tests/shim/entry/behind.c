// SPDX-License-Identifier: MIT
/* Asks the library before libc a hundred times. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	int there = 0;

	for (int i = 0; i < 100; i++)
		there += access("/nonexistent", F_OK) == 0;
	printf("%d\n", there);
	return 0;
}
