// SPDX-License-Identifier: MIT
/* What a program can see of what it was given: environment, the vector behind it, /proc/self/environ. */
#define _GNU_SOURCE
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv, char **envp)
{
	static char file[1 << 16];
	static const unsigned long types[] = { AT_PHDR, AT_ENTRY, AT_RANDOM, AT_EXECFN, AT_PAGESZ };
	const Elf64_auxv_t *a;
	unsigned int n = 0;
	size_t have, at = 0;
	FILE *f;

	printf("%d words, main's list is environ: %d, behind the words: %d\n", argc, envp == environ,
	       envp == argv + argc + 1);
	for (char **v = envp; *v; v++, n++)
		printf("%s|\n", *v);
	while (envp[n])
		n++;
	a = (const Elf64_auxv_t *)(envp + n + 1);
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const Elf64_auxv_t *found = a;

		while (found->a_type != AT_NULL && found->a_type != types[i])
			found++;
		printf("type %lu: %d\n", types[i],
		       found->a_type == types[i] && found->a_un.a_val == getauxval(types[i]));
	}
	f = fopen("/proc/self/environ", "r");
	have = f ? fread(file, 1, sizeof(file) - 1, f) : 0;
	n = 0;
	for (; at < have; at += strlen(file + at) + 1) {
		if (!file[at])
			continue;
		while (envp[n] && !envp[n][0])
			n++;
		printf("%d", envp[n] && !strcmp(file + at, envp[n]));
		n += envp[n] != NULL;
	}
	printf("\n");
	return 0;
}
