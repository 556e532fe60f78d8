/* SPDX-License-Identifier: MIT */
/* What the loader knows, without asking it: see linkmap.c. */
#ifndef SYSVM_SHIM_LINKMAP_H
#define SYSVM_SHIM_LINKMAP_H

#include <stdbool.h>
#include <stdint.h>

/* First: what the constructor was given. False: this is no stack as Linux lays it out; then nothing else here
   works. */
bool linkmap_init(char **argv, char **envp);

/* A value of the auxiliary vector, or 0. */
uint64_t linkmap_auxv(uint64_t type);

/* Where the program's `environ` is kept, or null. */
char ***linkmap_environ(void);

#endif
