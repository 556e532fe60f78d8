// SPDX-License-Identifier: MIT
/*
 * filesystems.inc lists the types that may be read ahead: an unknown one may have side effects even at a
 * stat, as /proc, /sys and autofs have. Network file systems and FUSE are in the list: the walk never crosses
 * a mount by itself, so it gets there only after the command has.
 */
#define _GNU_SOURCE
#include "mounts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const types[] = {
#define FS_READ(name) name,
#define FS_NO(name)
#define SYSVM_FILESYSTEM(name, f_type, shim, prefetcher) FS_##prefetcher(name)
#include "libsysvm/filesystems.inc"
};

static struct known {
	uint64_t mount;
	bool allowed;
	enum walk_atime atime;
} known[32];
static unsigned int nknown;

void mounts_forget(void)
{
	nknown = 0;
}

static bool type_allowed(const char *type)
{
	for (unsigned int i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(type, types[i]))
			return true;
	return !strncmp(type, "fuse.", 5);
}

static bool has_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *o = options; o; o = strchr(o, ',') ? strchr(o, ',') + 1 : NULL)
		if (!strncmp(o, name, len) && (!o[len] || o[len] == ','))
			return true;
	return false;
}

/* 36 35 98:0 /root /point rw,relatime shared:1 - ext4 /dev/sda1 rw */
static struct known parse(char *line)
{
	struct known k = {0};
	char *rest, *options = NULL, *type, *super = NULL;
	int field = 0;

	k.mount = strtoull(line, NULL, 10);
	for (char *word = strtok_r(line, " ", &rest); word; word = strtok_r(NULL, " ", &rest), field++) {
		if (field == 5)
			options = word;
		if (field > 5 && !strcmp(word, "-"))
			break;
	}
	type = strtok_r(NULL, " ", &rest);
	if (strtok_r(NULL, " ", &rest))
		super = strtok_r(NULL, " \n", &rest);
	if (!type || !options || !super)
		return k;
	k.allowed = type_allowed(type);
	if (has_option(options, "noatime") || has_option(options, "nodiratime") ||
	    has_option(options, "ro") || has_option(super, "ro"))
		k.atime = WALK_ATIME_NEVER;
	else if (!has_option(options, "relatime"))
		k.atime = WALK_ATIME_ALWAYS;
	return k;
}

bool mounts_allowed(int pid, uint64_t mount, enum walk_atime *atime)
{
	struct known found = {.mount = mount};
	char path[64], *line = NULL;
	size_t size = 0;
	FILE *f;

	for (unsigned int i = 0; i < nknown; i++)
		if (known[i].mount == mount) {
			*atime = known[i].atime;
			return known[i].allowed;
		}
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (getline(&line, &size, f) > 0)
		if (strtoull(line, NULL, 10) == mount) {
			found = parse(line);
			break;
		}
	free(line);
	fclose(f);
	if (nknown == sizeof(known) / sizeof(*known))
		nknown = 0;
	known[nknown++] = found;
	*atime = found.atime;
	return found.allowed;
}
