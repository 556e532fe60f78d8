// SPDX-License-Identifier: MIT
/*
 * Prints its environment's variables that should not be there. Built static, 32-bit headers are not needed.
 */
#include <stdio.h>
#include <string.h>

extern char **environ;

int main(void)
{
	for (char **e = environ; *e; e++)
		if (!strncmp(*e, "LD_PRELOAD", 10) || !strncmp(*e, "SYSVM", 5))
			printf("%s\n", *e);
	printf("static child\n");
	return 4;
}
