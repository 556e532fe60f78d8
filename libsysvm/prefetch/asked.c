// SPDX-License-Identifier: MIT
/*
 * A path is as the program gave it; lists have them without links (optimizer/lists). Links on the way are not
 * looked up here, since that could wait, except those that most systems have in their root directory.
 */
#define _GNU_SOURCE
#include "asked.h"

#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINKS 4

static struct {
	const char *from;
	char to[64];
	bool known;
} links[LINKS] = {{.from = "/bin"}, {.from = "/lib"}, {.from = "/lib64"}, {.from = "/sbin"}};

/* /lib/x is /usr/lib/x where /lib is such a link. */
static void unlink_path(char *path, unsigned int size)
{
	for (int i = 0; i < LINKS; i++) {
		size_t from = strlen(links[i].from), all = strlen(path), to;

		if (strncmp(path, links[i].from, from) || path[from] != '/')
			continue;
		if (!links[i].known) {
			ssize_t n = readlink(links[i].from, links[i].to, sizeof(links[i].to) - 1);

			links[i].to[n > 0 ? n : 0] = 0;
			links[i].known = true;
		}
		to = strlen(links[i].to);
		if (!to || links[i].to[0] == '/' || all + to + 2 > size)
			return;
		memmove(path + to + 1, path + from, all - from + 1);
		memcpy(path + 1, links[i].to, to);
		return;
	}
}

void asked_for(const struct feed_process *p, char *path, unsigned int size)
{
	struct feed_call call = feed_call(p);
	char link[64], *to = path;
	ssize_t n;

	*path = 0;
	switch (call.nr) {
	case SYS_open:
	case SYS_stat:
	case SYS_lstat:
	case SYS_access:
	case SYS_readlink:
	case SYS_getxattr:
	case SYS_lgetxattr:
		feed_call_path(p, &call, -1, 0, path, size);
		break;
	case SYS_openat:
	case SYS_openat2:
	case SYS_newfstatat:
	case SYS_statx:
	case SYS_faccessat:
	case SYS_faccessat2:
	case SYS_readlinkat:
		feed_call_path(p, &call, 0, 1, path, size);
		break;
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_getdents64:
	case SYS_copy_file_range:
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", p->pid, (int)call.arg[0]);
		n = readlink(link, path, size - 1);
		path[n > 0 && path[0] == '/' ? n : 0] = 0;
		return;
	default:
		return;
	}
	for (const char *from = path; *from;) {
		if (from[0] == '/' && (from[1] == '/' || (from[1] == '.' && (!from[2] || from[2] == '/'))))
			from += from[1] == '/' ? 1 : 2;
		else
			*to++ = *from++;
	}
	*to = 0;
	unlink_path(path, size);
}
