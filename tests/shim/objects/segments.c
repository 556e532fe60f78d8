// SPDX-License-Identifier: MIT
/*
 * Two executable segments each in the program and in its library, whose second one makes calls (a program's
 * own calls are too far from the shim to be seen): the data between is written, and every mapping of the two
 * has the rights that it has in a plain run.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

long late_getpid(void);
int late_next(void);

static int counter = 1;

__attribute__((section(".late"), noinline, used)) static int five(void)
{
	return 5;
}

int main(void)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	int same = 0;

	for (int i = 0; i < 100; i++)
		same += late_getpid() == getpid();
	counter++;
	printf("same %d, five %d, counters %d %d\n", same, five(), counter, late_next());
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "/segments") || strstr(line, "/liblate"))
			printf("%.4s %s", strchr(line, ' ') + 1, strrchr(line, '/'));
	return 0;
}
