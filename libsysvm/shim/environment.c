// SPDX-License-Identifier: MIT
/*
 * Takes our variables out of the environment before main, so that neither getenv nor `env` shows them. What other
 * libraries LD_PRELOAD names stays. The strings themselves remain where the kernel put them: /proc/self/environ still
 * shows them (docs/semantics.md).
 * Tested by tests/shim/entry (`env` prints the same with and without other preload libraries).
 */
#include "libsysvm/shim/bytes.h"
#include "libsysvm/shim/entry.h"

#define PRELOAD "LD_PRELOAD="
#define PRELOAD_LENGTH 11

extern char **environ;

static unsigned long length(const char *s)
{
	unsigned long n = 0;

	while (s[n])
		n++;
	return n;
}

static bool starts_with(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

/* Takes our library out of "a:ours b" in place; true: something is left. The loader separates by colons and spaces. */
static bool take_out(char *list, const char *ours)
{
	unsigned long n = length(ours);
	char *to = list;

	for (char *from = list; *from;) {
		unsigned long item = 0;

		while (from[item] && from[item] != ':' && from[item] != ' ')
			item++;
		if (item != n || !bytes_equal(from, ours, n)) {
			if (to != list)
				*to++ = ':';
			for (unsigned long i = 0; i < item; i++)
				*to++ = from[i];
		}
		from += item;
		if (*from)
			from++;
	}
	*to = 0;
	return to != list;
}

/* Before main: finds the bundle's name and SYSVM_DISABLE, removes what is ours. */
void environment_hide(bool *disabled, char *bundle_path, unsigned long size)
{
	char **to = environ, *preload = 0, *library = 0;

	*disabled = false;
	bundle_path[0] = 0;
	if (!environ)
		return;
	for (char **from = environ; *from; from++) {
		if (starts_with(*from, BUNDLE_VARIABLE "=")) {
			const char *value = *from + sizeof(BUNDLE_VARIABLE);
			unsigned long n = length(value);

			/* "bundle path" or "bundle path\nlibrary path": the second tells what to take out of LD_PRELOAD. */
			for (unsigned long i = 0; i < n; i++)
				if (value[i] == '\n') {
					library = (char *)value + i + 1;
					n = i;
				}
			if (n < size) {
				bytes_copy(bundle_path, value, n);
				bundle_path[n] = 0;
			}
			continue;
		}
		if (starts_with(*from, "SYSVM_DISABLE=1") && (*from)[15] == 0)
			*disabled = true;
		if (starts_with(*from, PRELOAD))
			preload = *from;
		*to++ = *from;
	}
	*to = 0;
	if (preload && library && !take_out(preload + PRELOAD_LENGTH, library))
		for (to = environ; *to; to++)
			if (*to == preload) {
				for (; *to; to++)
					to[0] = to[1];
				break;
			}
}
