/* SPDX-License-Identifier: MIT */
/* The lines of /proc/self/maps. */
#ifndef SYSVM_SHIM_MAPS_H
#define SYSVM_SHIM_MAPS_H

#include <stdbool.h>
#include <stdint.h>

struct map_line {
	uint64_t low, high;
	uint64_t offset;   /* in the file */
	uint64_t dev, ino; /* dev is encoded as in struct stat; ino 0: no file */
	bool readable, writable, executable, shared;
	const char *path; /* or a name in brackets, or empty; gone when the visitor returns */
};

/* Visits each line until one visit does not return 0, and returns what it returned. -1: the file cannot be
   read. */
int maps_read(int (*visit)(const struct map_line *line));

#endif
