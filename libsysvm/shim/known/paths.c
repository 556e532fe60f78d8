// SPDX-License-Identifier: MIT
/*
 * Which paths may be looked up before the application does.
 *
 * Say a program asks about /etc/localtime again and again (names/kept.c). Looking it up is harmless if no
 * part of it, links followed, lies under a mount where even a stat has side effects or may wait (mounts.c),
 * and if following its links moves no atime. Names of several components are looked up from the working
 * directory (names/name_pool.c): that is harmless if no such mount lies below it.
 * Tested by tests/shim/ahead/kept_test.cc and tests/shim/ahead/rows_test.cc.
 */
#include "libsysvm/shim/known/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/clock.h"
#include "libsysvm/shim/known/devices.h"
#include "libsysvm/shim/known/mounts.h"

static uint64_t here_asked; /* clock_seconds(), 0: not since the directory was changed */
static uint64_t here_device;
static bool here_good;

/* Following it leaves its atime as it is (relatime), or the mount never moves any. */
static bool may_be_followed(const struct stat *st, const char *directory)
{
	const struct timespec *a = &st->st_atim, *m = &st->st_mtim, *c = &st->st_ctim;
	struct statfs fs;

	if (a->tv_sec > (int64_t)clock_seconds() - 24 * 60 * 60 &&
	    (a->tv_sec > m->tv_sec || (a->tv_sec == m->tv_sec && a->tv_nsec > m->tv_nsec)) &&
	    (a->tv_sec > c->tv_sec || (a->tv_sec == c->tv_sec && a->tv_nsec > c->tv_nsec)))
		return true;
	return own_call(SYS_statfs, (uint64_t)directory, (uint64_t)&fs, 0, 0) == 0 &&
	       (fs.f_flags & DEVICE_NEVER_MOVES_ATIME);
}

/*
 * Walks the path part by part, as the kernel would: each part is looked up only when those before it have
 * been found to be no link and under no mount of another type. A part that does not exist ends the walk with
 * success, since the application's own walk ends there, too.
 */
bool paths_harmless(const char *path)
{
	static char work[2 * PATH_BYTES], target[PATH_BYTES];
	unsigned int length = 0, at = 0, links = 0;
	struct stat st;

	while (path[length] && length < PATH_BYTES)
		length++;
	if (path[0] != '/' || length == PATH_BYTES)
		return false;
	bytes_copy(work, path, length + 1);
	for (;;) {
		unsigned int begin, end;
		char cut;
		long n;

		while (work[at] == '/')
			at++;
		if (!work[at])
			return true;
		begin = at;
		for (end = at; work[end] && work[end] != '/'; end++)
			;
		if (work[at] == '.' && (end - at == 1 || (end - at == 2 && work[at + 1] == '.')))
			return false; /* not worth the trouble */
		cut = work[end];
		work[end] = 0;
		if (mounts_other_above(work))
			return false;
		n = own_call(SYS_lstat, (uint64_t)work, (uint64_t)&st, 0, 0);
		if (n)
			return n == -ENOENT;
		if (!S_ISLNK(st.st_mode)) {
			work[end] = cut;
			at = end;
			continue;
		}
		n = own_call(SYS_readlink, (uint64_t)work, (uint64_t)target, sizeof(target) - 1, 0);
		work[begin] = 0; /* the directory that it lies in */
		if (n <= 0 || ++links > 8 || !may_be_followed(&st, work))
			return false;
		work[end] = cut;
		if (target[0] == '/')
			begin = 0;
		for (length = end; work[length]; length++)
			;
		if (begin + (unsigned int)n + (length - end) >= sizeof(work))
			return false;
		/* The rest moves to where the target will end. */
		if (begin + (unsigned int)n <= end)
			for (unsigned int i = 0; i <= length - end; i++)
				work[begin + n + i] = work[end + i];
		else
			for (unsigned int i = length - end + 1; i--;)
				work[begin + n + i] = work[end + i];
		bytes_copy(work + begin, target, (uint64_t)n);
		at = begin; /* what stands before is checked, but a target that begins anew is not */
	}
}

void paths_reset(void)
{
	here_asked = 0;
}

/* getcwd follows no link, and says so if the working directory is not reachable from the root. */
static bool no_other_around(void)
{
	char here[PATH_BYTES];

	return own_call(SYS_getcwd, (uint64_t)here, sizeof(here), 0, 0) > 0 && here[0] == '/' &&
	       !mounts_other_below(here) && !mounts_other_above(here);
}

bool paths_here(uint64_t *device)
{
	uint64_t noatime, now = clock_seconds();
	struct stat st;
	long fd;

	if (!mounts_known())
		return false;
	if (here_asked != now) {
		here_asked = now;
		here_good = false;
		if (!no_other_around())
			return false;
		fd = own_call(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)".", O_PATH | O_CLOEXEC, 0);
		if (fd < 0)
			return false;
		if (!own_call(SYS_fstat, (uint64_t)fd, (uint64_t)&st, 0, 0)) {
			here_good = device_of_fd((int)fd, st.st_dev, &noatime) == DEVICE_GOOD;
			here_device = st.st_dev;
		}
		own_call(SYS_close, (uint64_t)fd, 0, 0, 0);
	}
	*device = here_device;
	return here_good;
}
