// SPDX-License-Identifier: MIT
/*
 * Takes what is ours out of the environment before main, so that the program finds it as it would have been
 * without us, byte for byte: bundle.h has the form. The strings are zeroed as well, for /proc/self/environ
 * shows the memory itself.
 *
 * The kernel has put the auxiliary vector after the environment, and programs that do not ask the C library
 * walk there. The two variables that are gone leave two words, which become a pair of the vector that says
 * "ignore".
 *
 * A library before us may have moved the list (setenv in its constructor): then there are two, and both are
 * changed.
 * Tested by tests/shim/entry (environment).
 */
#include "libsysvm/shim/process/environment.h"

#include <elf.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/bundle/bundle.h"
#include "libsysvm/shim/process/linkmap.h"

#define PRELOAD "LD_PRELOAD="
#define PRELOAD_LENGTH 11

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

/* Our library's place in a list that the loader separates by colons and spaces: the last one. */
static char *find_item(char *list, const char *ours, unsigned long n)
{
	char *found = 0;

	for (char *p = list; *p;) {
		unsigned long item = 0;

		while (p[item] && p[item] != ':' && p[item] != ' ')
			item++;
		if (item == n && bytes_equal(p, ours, n))
			found = p;
		p += item + (p[item] != 0);
	}
	return found;
}

/* Cuts ours out with the colon that we had put before it; true: the variable is ours altogether. */
static bool take_out(char *list, const char *ours)
{
	unsigned long n = length(ours);
	char *from = find_item(list, ours, n), *to;

	if (!from)
		return false;
	to = from + n;
	if (from > list)
		from--;
	else if (!*to)
		return true;
	else
		to++; /* somebody has added another one after it */
	while (*to)
		*from++ = *to++;
	while (*from) /* up to the end that was */
		*from++ = 0;
	return false;
}

/* What is ours in one list of variables. The strings stay readable until both lists are done. */
struct ours {
	char *bundle, *padding, *preload; /* to be zeroed; preload: only if nothing but us was there */
	unsigned int gone;
	bool disabled;
};

static void hide(char **list, struct ours *ours)
{
	char **to = list, *preload = 0, *library = 0;

	for (char **from = list; *from; from++) {
		if (starts_with(*from, BUNDLE_VARIABLE "=")) {
			*((*from)[sizeof(BUNDLE_VARIABLE)] ? &ours->bundle : &ours->padding) = *from;
			ours->gone++;
			continue;
		}
		if (starts_with(*from, "SYSVM_DISABLE=1") && (*from)[15] == 0)
			ours->disabled = true;
		*to++ = *from;
	}
	*to = 0;
	for (char *c = ours->bundle; c && *c && !library; c++)
		if (*c == '\n')
			library = c + 1;
	for (char **v = list; library && *v; v++) /* the loader takes the last, so that was it */
		if (starts_with(*v, PRELOAD) && find_item(*v + PRELOAD_LENGTH, library, length(library)))
			preload = *v;
	if (!preload || !take_out(preload + PRELOAD_LENGTH, library))
		return;
	for (to = list; *to != preload; to++)
		;
	for (; *to; to++)
		to[0] = to[1];
	ours->preload = preload;
	ours->gone++;
}

/* The words between the end of the list and the auxiliary vector: to be ignored, if they are pairs. */
static void fill(char **list, unsigned int gone)
{
	while (*list)
		list++;
	for (unsigned int i = 0; i < gone; i++)
		*++list = gone % 2 == 0 && i % 2 == 0 ? (char *)AT_IGNORE : 0;
}

/* "bundle path\nlibrary path" */
static void copy_bundle_path(const char *value, char *path, unsigned long size)
{
	unsigned long n = 0;

	while (value[n] && value[n] != '\n')
		n++;
	if (n >= size || value[n] != '\n')
		n = 0;
	bytes_copy(path, value, n);
	path[n] = 0;
}

static void zero(char *string)
{
	if (string)
		bytes_zero(string, length(string));
}

void environment_hide(char **envp, bool *disabled, char *bundle_path, unsigned long size)
{
	char ***moved = linkmap_environ();
	struct ours ours = { 0 }, again = { 0 };

	bundle_path[0] = 0;
	hide(envp, &ours);
	*disabled = ours.disabled;
	if (!ours.bundle)
		return;
	if (moved && *moved && *moved != envp) {
		hide(*moved, &again);
		*disabled |= again.disabled;
	}
	copy_bundle_path(ours.bundle + sizeof(BUNDLE_VARIABLE), bundle_path, size);
	fill(envp, ours.gone);
	zero(ours.bundle);
	zero(ours.padding);
	zero(ours.preload);
}
