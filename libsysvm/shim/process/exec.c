// SPDX-License-Identifier: MIT
/*
 * Our two environment variables are in no program's environment, and yet reach the programs that it runs: the
 * constructor takes them out (environment.c), exec puts them back when the new program can use them
 * (target.c; bundle.h has the form). Other libraries in LD_PRELOAD stay, before ours (a sanitizer or fakeroot
 * must come first).
 *
 * Whatever fails with them - E2BIG because they are too much, a bad address - is tried again as the
 * application asked for it, so every error is the one of its own call. It is not even tried where our calls
 * may be judged or our files not be seen from the new program (process.confined), where limits leave no room,
 * where the environment is longer than MAX_VARIABLES, or where it names a bundle already (sysvm run in sysvm
 * run).
 *
 * The new list is made in one of a few workspaces, never on the stack (exec.h). A workspace is claimed by
 * thread number. The child of a vfork shares it with the parent's other threads, which may exec at the same
 * time, and leaves by exec without giving it back: it is free again when its owner does not share this memory
 * any more (kcmp says so). With all of them taken the exec is plain.
 *
 * Tested by tests/shim/entry (environment, exec).
 */
#include "libsysvm/shim/process/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/process/limits.h"
#include "libsysvm/shim/process/process.h"

#define PRELOAD "LD_PRELOAD="
#define PRELOAD_LENGTH 11
#define BUNDLE BUNDLE_VARIABLE "="
#define BUNDLE_LENGTH sizeof(BUNDLE_VARIABLE)
_Static_assert(BUNDLE_LENGTH <= COPY_START && PRELOAD_LENGTH <= COPY_START,
	       "both names are known by their start");

#define WORKSPACES 3
static struct exec_work workspace[WORKSPACES];

static char bundle_text[BUNDLE_LENGTH + 2 * BUNDLE_PATH_MAX];	   /* the same for every exec */
static char preload_text[PRELOAD_LENGTH + 1 + BUNDLE_PATH_MAX]; /* where there is no other */
static char padding[] = BUNDLE;

static unsigned long append(char *to, unsigned long at, const char *text)
{
	do
		to[at] = *text;
	while (*text++ && ++at);
	return at;
}

void exec_init(void)
{
	append(preload_text, append(preload_text, 0, PRELOAD), process.bundle->library_path);
	unsigned long at = append(bundle_text, append(bundle_text, 0, BUNDLE), process.bundle->bundle_path);

	append(bundle_text, append(bundle_text, at, "\n"), process.bundle->library_path);
}

__attribute__((noinline)) static struct exec_work *claim(void)
{
	uint32_t me = (uint32_t)own1(SYS_gettid, 0);

	for (unsigned int i = 0; i < WORKSPACES; i++) {
		uint32_t owner = __atomic_load_n(&workspace[i].owner, __ATOMIC_RELAXED);

		/* Another memory (1 to 3) or no such thread: it has left. Whatever else is said, it may be at
		   work. */
		if (owner) {
			long differs = own4(SYS_kcmp, me, owner, KCMP_VM, 0);

			if (owner == me || ((differs < 1 || differs > 3) && differs != -ESRCH))
				continue;
		}
		if (__atomic_compare_exchange_n(&workspace[i].owner, &owner, me, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return &workspace[i];
	}
	return 0;
}

/* Without trusting a pointer. */
__attribute__((noinline)) static bool copy_list(struct exec_work *w, uint64_t envp, uint64_t sp)
{
	long n = 1;

	w->count = 0;
	w->envp[0] = 0;
	if (envp)
		n = copy_some(w->envp, envp, sizeof(w->envp[0]) * (MAX_VARIABLES + 1), sp) / 8;
	while ((long)w->count < n && w->envp[w->count])
		w->count++;
	return (long)w->count < n; /* else it has no end that we know */
}

/* Reads the starts of up to STRINGS variables, from `done` on. False: one of them is not there, or there is a
   bundle. */
__attribute__((noinline)) static bool read_names(struct exec_work *w, unsigned int done, uint64_t sp)
{
	unsigned int strings = w->count - done < STRINGS ? (unsigned int)(w->count - done) : STRINGS;

	if (copy_starts(w->start, &w->envp[done], strings, w->there, w->packed, sp) != 0)
		return false;
	for (unsigned int i = 0; i < strings; i++) {
		/* A name that a page's end cut: read on. If nothing is there it ends before, or the kernel
		   returns EFAULT. */
		if ((w->start[i][0] == PRELOAD[0] || w->start[i][0] == BUNDLE[0]) &&
		    4096 - w->envp[done + i] % 4096 < BUNDLE_LENGTH)
			copy_start_on(w->start[i], w->envp[done + i], w->there);
		if (bytes_equal(w->start[i], BUNDLE, BUNDLE_LENGTH))
			return false;
		if (bytes_equal(w->start[i], PRELOAD, PRELOAD_LENGTH))
			w->preload = done + i;
	}
	return true;
}

static bool read_environment(struct exec_work *w, uint64_t envp, uint64_t sp)
{
	if (!copy_list(w, envp, sp))
		return false;
	w->preload = w->count;
	for (unsigned int done = 0; done < w->count; done += STRINGS)
		if (!read_names(w, done, sp))
			return false;
	return true;
}

/* "LD_PRELOAD=theirs:ours", in its place. */
static bool extend_preload(struct exec_work *w, uint64_t sp)
{
	long n = copy_some(w->preload_text, w->envp[w->preload], sizeof(w->preload_text), sp), at = 0;

	while (at < n && w->preload_text[at])
		at++;
	for (const char *c = process.bundle->library_path; *c; c++)
		n--;
	if (at + 2 > n) /* the room that is left, or no end */
		return false;
	append(w->preload_text, append(w->preload_text, (unsigned long)at, ":"),
	       process.bundle->library_path);
	w->envp[w->preload] = RAW_U(w->preload_text);
	return true;
}

__attribute__((noinline)) static bool add_ours(struct exec_work *w, uint64_t sp)
{
	bool alone = w->preload == w->count;

	if (!alone && !extend_preload(w, sp))
		return false;
	w->envp[w->count++] = RAW_U(alone ? preload_text : padding);
	w->envp[w->count++] = RAW_U(bundle_text);
	w->envp[w->count] = 0;
	return true;
}

/* Counted before, since only a failure comes back; then it was a call of our own. */
static void count(bool failed)
{
	uint64_t n = failed ? ~0ull : 1;

	if (failed)
		bump(&process.file->stats.own);
	bump_n(shim_mode ? &process.file->stats.seen : shim_plain_counter, n);
	if (shim_mode)
		bump_n(&process.file->stats.forwarded, n);
}

__attribute__((noinline)) static void exec_with_us(const struct exec_work *w, const struct shim_call *call)
{
	count(false);
	if (call->nr == SYS_execveat)
		raw6(SYS_execveat, call->arg[0], call->arg[1], call->arg[2], RAW_U(w->envp), call->arg[4], 0);
	else
		raw3(SYS_execve, call->arg[0], call->arg[1], w->envp);
	count(true);
}

int exec_before(struct shim_call *call)
{
	struct exec_work *w;
	bool at = call->nr == SYS_execveat;

	if (shim_mode)
		ahead_settle(); /* the child of a vfork is plain, and leaves the parent's alone */
	if (process.confined || !limits_leave_room() || !(w = claim()))
		return -1;
	if (target_takes_us(w, at ? (int)call->arg[0] : AT_FDCWD, (const char *)call->arg[at],
			    at ? (int)call->arg[4] : 0) &&
	    read_environment(w, call->arg[2 + at], call->sp) && add_ours(w, call->sp))
		exec_with_us(w, call);
	__atomic_store_n(&w->owner, 0, __ATOMIC_RELEASE);
	return -1;
}
