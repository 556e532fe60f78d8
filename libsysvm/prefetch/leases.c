// SPDX-License-Identifier: MIT
/*
 * /proc/locks lists them:   3: LEASE  ACTIVE    WRITE  1234 fe:00:5678 0 EOF
 *
 * An open for reading breaks a lease for writing: its holder gets a signal, and the open waits. There is no
 * way to open a file without that, so files with a lease are not opened. One that is taken between our check
 * and our open is broken, as it would have been by the command (docs/semantics.md).
 */
#define _GNU_SOURCE
#include "leases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

bool leases_read(struct walk_file *files, size_t max, size_t *count)
{
	FILE *f = fopen("/proc/locks", "re");
	char line[256];
	bool all = true;

	*count = 0;
	while (f && fgets(line, sizeof(line), f)) {
		unsigned int major, minor;
		unsigned long long ino;
		char kind[16], *at = strchr(line, ':');

		if (!at)
			continue;
		at += 1 + strspn(at + 1, " ->");
		if (sscanf(at, "%15s %*s %*s %*s %x:%x:%llu", kind, &major, &minor, &ino) != 4 ||
		    (strcmp(kind, "LEASE") && strcmp(kind, "DELEG")))
			continue;
		if (*count == max) {
			all = false;
			break;
		}
		files[(*count)++] = (struct walk_file){makedev(major, minor), ino};
	}
	if (f)
		fclose(f);
	return f && all;
}
