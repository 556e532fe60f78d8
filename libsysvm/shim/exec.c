// SPDX-License-Identifier: MIT
/*
 * Our two environment variables are in no program's environment, and yet reach the programs that it runs: the
 * constructor takes them out (environment.c), exec puts them back when the new program can use them (target.c). Other libraries in
 * LD_PRELOAD stay, before ours (a sanitizer or fakeroot must come first).
 *
 * The new list is made on the stack: memory that an exec in a vfork child allocated would stay allocated in the
 * parent. A longer environment than MAX_VARIABLES goes unchanged, its program plain.
 * Tested by tests/shim/entry (`env` prints the same, LD_PRELOAD of others is kept, posix_spawn).
 */
#include <fcntl.h>

#include "libsysvm/shim/bytes.h"
#include "libsysvm/shim/entry.h"

#define MAX_VARIABLES 1000
#define MAX_PRELOAD 1024 /* bytes of LD_PRELOAD */
#define PRELOAD "LD_PRELOAD="
#define PRELOAD_LENGTH 11

static unsigned long length(const char *s)
{
	unsigned long n = 0;

	while (s[n])
		n++;
	return n;
}

/* The environment that the new program gets. */
struct list {
	uint64_t count;	  /* variables of the application */
	uint64_t preload; /* index of LD_PRELOAD, or count */
};

/* Counts and finds LD_PRELOAD without trusting a pointer. */
static bool look_over(uint64_t envp, struct list *list, uint64_t sp)
{
	uint64_t pointers[COPY_STRINGS];
	char start[COPY_STRINGS][COPY_START];

	list->count = 0;
	list->preload = ~0ull;
	for (bool end = !envp; !end;) {
		long n = copy_some(pointers, envp + 8 * list->count, sizeof(pointers), sp) / 8, strings = 0;

		if (n <= 0)
			return false;
		while (strings < n && pointers[strings])
			strings++;
		end = strings < n;
		if (list->count + (uint64_t)strings > MAX_VARIABLES ||
		    (strings && copy_starts(start, pointers, (unsigned int)strings, sp) != 0))
			return false;
		for (long i = 0; i < strings; i++, list->count++) {
			unsigned int same = 0;

			while (same < PRELOAD_LENGTH && start[i][same] == PRELOAD[same])
				same++;
			/* A name that a page's end cut: read on. */
			if (same < PRELOAD_LENGTH && same > 0 && (pointers[i] + same) % 4096 == 0 && !start[i][same]) {
				if (copy_from(start[i], pointers[i], PRELOAD_LENGTH, sp) != 0)
					return false;
				same = bytes_equal(start[i], PRELOAD, PRELOAD_LENGTH) ? PRELOAD_LENGTH : 0;
			}
			if (same == PRELOAD_LENGTH)
				list->preload = list->count;
		}
	}
	if (list->preload == ~0ull)
		list->preload = list->count;
	return true;
}

/* "LD_PRELOAD=theirs:ours" */
static bool make_preload(char *to, uint64_t theirs, uint64_t sp)
{
	const char *ours = entry.bundle->library_path;
	unsigned long at = PRELOAD_LENGTH, n = length(ours);

	bytes_copy(to, PRELOAD, PRELOAD_LENGTH);
	if (theirs) {
		for (theirs += PRELOAD_LENGTH;; theirs++, at++) {
			if (at + n + 2 > MAX_PRELOAD || copy_from(to + at, theirs, 1, sp) != 0)
				return false;
			if (!to[at])
				break;
		}
		if (at > PRELOAD_LENGTH)
			to[at++] = ':';
	}
	bytes_copy(to + at, ours, n + 1);
	return true;
}

/* "SYSVM_BUNDLE=bundle path\nlibrary path" */
static void make_bundle_variable(char *to)
{
	unsigned long n = length(entry.bundle->bundle_path), at = sizeof(BUNDLE_VARIABLE);

	bytes_copy(to, BUNDLE_VARIABLE "=", at);
	bytes_copy(to + at, entry.bundle->bundle_path, n);
	at += n;
	to[at++] = '\n';
	bytes_copy(to + at, entry.bundle->library_path, length(entry.bundle->library_path) + 1);
}

/* False: not even tried. */
__attribute__((noinline)) static bool exec_with_us(struct shim_call *call, uint64_t theirs, const struct list *list)
{
	char preload[MAX_PRELOAD], bundle[sizeof(BUNDLE_VARIABLE) + 2 * BUNDLE_PATH_MAX];
	uint64_t envp[list->count + 3], n = list->count;

	if (n && copy_from(envp, theirs, 8 * n, call->sp) != 0)
		return false;
	if (!make_preload(preload, list->preload < n ? envp[list->preload] : 0, call->sp))
		return false;
	make_bundle_variable(bundle);
	if (list->preload < n)
		envp[list->preload] = RAW_U(preload);
	else
		envp[n++] = RAW_U(preload);
	envp[n++] = RAW_U(bundle);
	envp[n] = 0;
	bump(shim_mode ? &entry.file->stats.seen : &entry.file->stats.plain);
	if (shim_mode)
		bump(&entry.file->stats.forwarded);
	if (call->nr == SYS_execve)
		call->result = raw3(SYS_execve, call->arg[0], call->arg[1], envp);
	else
		call->result = raw6(SYS_execveat, call->arg[0], call->arg[1], call->arg[2], RAW_U(envp), call->arg[4], 0);
	return true; /* only a failure comes here */
}

int exec_before(struct shim_call *call)
{
	bool at = call->nr == SYS_execveat;
	struct list list;

	if (shim_mode)
		ahead_settle(); /* the child of a vfork is plain, and leaves the parent's alone */
	if (!target_takes_us(at ? (int)call->arg[0] : AT_FDCWD, (const char *)call->arg[at], at ? (int)call->arg[4] : 0) ||
	    !look_over(call->arg[2 + at], &list, call->sp))
		return -1;
	return exec_with_us(call, call->arg[2 + at], &list) ? VERDICT_ANSWERED : -1;
}
