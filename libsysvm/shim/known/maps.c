// SPDX-License-Identifier: MIT
/*
 * Reads /proc/self/maps: what the kernel says that this process consists of, whoever mapped it and by
 * whatever path. Only in the constructor, with one thread: the buffer is static.
 * Tested by tests/shim/entry (stops, segments, identity).
 */
#include "libsysvm/shim/known/maps.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/count.h"

static unsigned int digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a' + 10) : 16;
}

static uint64_t number(const char **p, unsigned int base)
{
	uint64_t v = 0;

	for (; digit(**p) < base; (*p)++)
		v = v * base + digit(**p);
	return v;
}

/* "7f5c0e028000-7f5c0e17d000 r-xp 00028000 fe:00 1835         /usr/lib/x86_64-linux-gnu/libc.so.6" */
static void parse(const char *p, struct map_line *line)
{
	uint64_t major, minor;

	line->low = number(&p, 16);
	p++;
	line->high = number(&p, 16);
	p++;
	line->readable = p[0] == 'r';
	line->writable = p[1] == 'w';
	line->executable = p[2] == 'x';
	line->shared = p[3] == 's';
	p += 5;
	line->offset = number(&p, 16);
	p++;
	major = number(&p, 16);
	p++;
	minor = number(&p, 16);
	p++;
	/* as the kernel's new_encode_dev() */
	line->dev = (minor & 0xff) | major << 8 | (minor & ~0xffull) << 12;
	line->ino = number(&p, 10);
	while (*p == ' ')
		p++;
	line->path = p;
}

int maps_read(int (*visit)(const struct map_line *line))
{
	static char buffer[8192];
	unsigned long have = 0;
	int result = 0;
	long n, fd = own_call(SYS_open, (uint64_t)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0);

	if (fd < 0)
		return -1;
	while (!result && (n = own_call(SYS_read, (uint64_t)fd, (uint64_t)(buffer + have),
					sizeof(buffer) - 1 - have, 0)) > 0) {
		char *start = buffer, *end = buffer + have + n;

		*end = 0;
		for (char *c = start; c < end && !result; c++)
			if (*c == '\n') {
				struct map_line line;

				*c = 0;
				parse(start, &line);
				result = visit(&line);
				start = c + 1;
			}
		have = (unsigned long)(end - start);
		if (have == sizeof(buffer) - 1)
			result = -1; /* no line is that long */
		for (unsigned long i = 0; i < have; i++)
			buffer[i] = start[i];
	}
	own_call(SYS_close, (uint64_t)fd, 0, 0, 0);
	return n < 0 || have ? -1 : result;
}
