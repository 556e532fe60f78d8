// SPDX-License-Identifier: MIT
/*
 * A preload library that defines what others may want to call, as fakechroot does, and is not ready before
 * its constructor.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdlib.h>
#include <string.h>

static volatile int ready;

static void must_be_ready(void)
{
	if (!ready)
		__builtin_trap();
}

__attribute__((constructor)) static void start(void)
{
	ready = 1;
}

int dl_iterate_phdr(int (*visit)(struct dl_phdr_info *, size_t, void *), void *data)
{
	(void)visit, (void)data;
	must_be_ready();
	return 0;
}

unsigned long getauxval(unsigned long type)
{
	(void)type;
	must_be_ready();
	return 0;
}

char *getenv(const char *name)
{
	(void)name;
	must_be_ready();
	return NULL;
}
