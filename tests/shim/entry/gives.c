// SPDX-License-Identifier: MIT
/* Runs a program with an environment that no shell would make: gives WHAT PROGRAM WORD... */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTS 12
static const struct {
	const char *what;
	char *list[8];
} table[LISTS] = {
	{ "nothing", { 0 } },
	{ "none", { "A=1", "B=2" } },
	{ "empty", { "A=1", "LD_PRELOAD=", "B=2" } },
	{ "spaces", { "LD_PRELOAD=libm.so.6 libdl.so.2", "A=1" } },
	{ "mixed", { "A=1", "LD_PRELOAD= libm.so.6 : libdl.so.2:", "B=2" } },
	{ "last", { "A=1", "B=2", "LD_PRELOAD=libm.so.6" } },
	{ "twice", { "LD_PRELOAD=libm.so.6", "A=1", "LD_PRELOAD=", "B=2", "LD_PRELOAD=libdl.so.2", "C=3" } },
	{ "odd", { "=x", "novalue", "", "A=1", "A=2", "LD_PRELOADED=no" } },
	{ "bundle", { "A=1", "SYSVM_BUNDLE=mine", "B=2" } },
	{ "disabled", { "SYSVM_DISABLE=1", "A=1" } },
	{ "one", { "LD_PRELOAD=libm.so.6" } },
	{ "names", { "L", "LD_PRELOA", "S", "SYSVM_BUNDL", "LD_PRELOAD", "SYSVM_BUNDLE" } },
};

int main(int argc, char **argv)
{
	for (int i = 0; argc > 2 && i < LISTS; i++)
		if (!strcmp(table[i].what, argv[1]))
			execve(argv[2], argv + 2, (char **)table[i].list);
	perror("gives");
	return 1;
}
