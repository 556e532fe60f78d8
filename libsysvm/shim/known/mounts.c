// SPDX-License-Identifier: MIT
/*
 * Which directories hold a mount point that must not be looked at.
 *
 * A loop over a directory's entries looks at names that the application has not asked for yet. If one of them is a mount
 * point, the look goes to the file system mounted there: a FUSE daemon, an NFS server, an automounter that mounts.
 * The entry does not show it: getdents64 gives the type and the inode number of what is covered. So the mount table
 * is read, at most once a second, and the directories that hold a mount point of any type but those that may be read
 * ahead are avoided by their inode number (of any device: an accidental match costs a gain, nothing else). A mount that
 * is younger than the last look is found out by its device number, after one look at it; docs/semantics.md says so.
 *
 * The table itself is read without walking into anything: the directory of a mount point is looked at only if no part
 * of its path lies under a file system where that could wait.
 *
 * The same table says whether a path that the application keeps asking about (kept.c) may be asked about ahead: no part
 * of it, links followed, lies under a mount of another type, and following its links moves no atime. And whether no such
 * mount lies below the working directory, for names of several components that are looked up from there (name_pool.c).
 * Tested by tests/shim/ahead/directory_test.cc (Mounts).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"

#define AVOIDED 128
#define WAITING 16 /* mounts where a look may wait */

uint64_t mounts_avoided[AVOIDED + 1]; /* closed by 0 */
const unsigned long mounts_avoided_size = sizeof(mounts_avoided);
static unsigned int avoided;
static uint64_t asked; /* clock_seconds(), 0: never */
static bool known;
#define OTHERS 4096
static char others[OTHERS]; /* mount points of other types, one behind the other, each closed by 0 */
static unsigned int others_end;
static bool others_known;
static uint64_t here_asked; /* clock_seconds(), 0: not since the directory was changed */
static uint64_t here_device;
static bool here_good;

#define FS_NO(name)
#define SYSVM_FILESYSTEM(name, f_type, shim, prefetcher) FS_##shim(name)
static const char *const may_be_read[] = {
#define FS_READ(name) name,
#define FS_WALK(name)
#include "libsysvm/filesystems.inc"
};
#undef FS_READ
#undef FS_WALK
#define SYSVM_FILESYSTEM(name, f_type, shim, prefetcher) FS_##shim(name)
static const char *const may_be_walked[] = {
#define FS_READ(name)
#define FS_WALK(name) name,
#include "libsysvm/filesystems.inc"
};

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool among(const char *type, const char *const *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (same(type, list[i]))
			return true;
	return false;
}
#define AMONG(type, list) among(type, list, sizeof(list) / sizeof(list[0]))

static char *skip_fields(char *p, unsigned int n)
{
	while (n--) {
		while (*p && *p != ' ')
			p++;
		while (*p == ' ')
			p++;
	}
	return p;
}

/* The text of a field, ended and with \040 and the like undone. Returns what follows it. */
static char *take_field(char *p)
{
	char *to = p;

	while (*p && *p != ' ') {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] && p[3]) {
			*to++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 4;
		} else {
			*to++ = *p++;
		}
	}
	if (*p)
		p++;
	*to = 0;
	return p;
}

static bool lies_under(const char *path, const char *top)
{
	unsigned int n = 0;

	while (top[n] && top[n] == path[n])
		n++;
	return !top[n] && (n == 1 || path[n] == '/' || !path[n]); /* n == 1: top is "/" */
}

/* 36 35 98:0 /root /point options [optional ...] - type source options */
static const char *take_line(char *line, char **point)
{
	char *p = skip_fields(line, 4), *rest = take_field(p);

	*point = p;
	while (*rest && !(rest[0] == '-' && rest[1] == ' '))
		rest = skip_fields(rest, 1);
	if (!*rest || p[0] != '/')
		return NULL;
	rest = skip_fields(rest, 1);
	take_field(rest);
	return rest;
}

static bool avoid_directory_of(char *point)
{
	struct stat st;
	unsigned int end = 0;
	char cut;

	for (unsigned int n = 0; point[n]; n++)
		if (point[n] == '/')
			end = n ? n : 1;
	if (!point[1])
		return true; /* the root has no name in any directory */
	cut = point[end];
	point[end] = 0;
	if (ahead_own(SYS_lstat, (uint64_t)point, (uint64_t)&st, 0, 0) != 0)
		st.st_ino = 0; /* hidden by another mount, or gone: nobody gets there by that name */
	point[end] = cut;
	if (!st.st_ino || mounts_avoid(st.st_ino))
		return true;
	if (avoided == AVOIDED)
		return false;
	mounts_avoided[avoided++] = st.st_ino;
	mounts_avoided[avoided] = 0;
	return true;
}

static void note_other(const char *path)
{
	while (others_end < OTHERS && (others[others_end++] = *path))
		path++;
	others_known &= others_end < OTHERS;
}

/* text: the whole table, closed by 0; it is taken apart. mount: room for that many. */
bool mounts_take(char *text, struct mount_point *mount, unsigned int room)
{
	const char *waiting[WAITING];
	unsigned int waits = 0, mounts = 0;

	avoided = 0;
	mounts_avoided[0] = 0;
	others_end = 0;
	others_known = true;
	for (char *line = text, *next; *line; line = next) {
		struct mount_point *m = &mount[mounts];
		const char *type;

		for (next = line; *next && *next != '\n'; next++)
			;
		if (*next)
			*next++ = 0;
		if (mounts++ == room)
			return false;
		type = take_line(line, &m->path);
		if (!type)
			return false;
		m->good = AMONG(type, may_be_read);
		if (!m->good)
			note_other(m->path);
		if (m->good || AMONG(type, may_be_walked))
			continue;
		if (waits == WAITING)
			return false;
		waiting[waits++] = m->path;
	}
	for (unsigned int i = 0; i < mounts; i++) {
		bool hidden = false;

		for (unsigned int w = 0; w < waits; w++)
			hidden |= mount[i].path != waiting[w] && lies_under(mount[i].path, waiting[w]);
		if (mount[i].good && hidden)
			return false; /* it could be listed, and its own mount points are not looked for */
		if (!mount[i].good && !hidden && !avoid_directory_of(mount[i].path))
			return false;
	}
	return true;
}

bool mounts_avoid(uint64_t inode)
{
	for (unsigned int i = 0; i < avoided; i++)
		if (mounts_avoided[i] == inode)
			return true;
	return false;
}

static bool lies_under_another(const char *path)
{
	for (unsigned int at = 0; at < others_end;) {
		if (lies_under(path, others + at))
			return true;
		while (others[at++])
			;
	}
	return !others_known;
}

/* Following it leaves its atime as it is (relatime), or the mount never moves any. */
#define ST_RDONLY 0x0001
#define ST_NOATIME 0x0400

static bool may_be_followed(const struct stat *st, const char *directory)
{
	const struct timespec *a = &st->st_atim, *m = &st->st_mtim, *c = &st->st_ctim;
	struct statfs fs;

	if (a->tv_sec > (int64_t)clock_seconds() - 24 * 60 * 60 &&
	    (a->tv_sec > m->tv_sec || (a->tv_sec == m->tv_sec && a->tv_nsec > m->tv_nsec)) &&
	    (a->tv_sec > c->tv_sec || (a->tv_sec == c->tv_sec && a->tv_nsec > c->tv_nsec)))
		return true;
	return ahead_own(SYS_statfs, (uint64_t)directory, (uint64_t)&fs, 0, 0) == 0 && (fs.f_flags & (ST_RDONLY | ST_NOATIME));
}

/*
 * The path is walked part by part, as the kernel would: each part is looked at only when what stands before it has
 * been found to be no link and under no mount of another type. A part that is not there ends it well: so it ends
 * for the application.
 */
bool mounts_path(const char *path)
{
	static char work[2 * LISTING_PATH_MAX], target[LISTING_PATH_MAX];
	unsigned int length = 0, at = 0, links = 0;
	struct stat st;

	while (path[length] && length < LISTING_PATH_MAX)
		length++;
	if (path[0] != '/' || length == LISTING_PATH_MAX)
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
		if (lies_under_another(work))
			return false;
		n = ahead_own(SYS_lstat, (uint64_t)work, (uint64_t)&st, 0, 0);
		if (n)
			return n == -ENOENT;
		if (!S_ISLNK(st.st_mode)) {
			work[end] = cut;
			at = end;
			continue;
		}
		n = ahead_own(SYS_readlink, (uint64_t)work, (uint64_t)target, sizeof(target) - 1, 0);
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

void mounts_moved(void)
{
	here_asked = 0;
}

static bool below_no_other(const char *here)
{
	for (unsigned int at = 0; at < others_end;) {
		if (lies_under(others + at, here))
			return false;
		while (others[at++])
			;
	}
	return here[0] == '/' && !lies_under_another(here);
}

/* The working directory, as it is named from the root: getcwd follows no link, and says so if it is not reachable. */
bool mounts_here(uint64_t *device)
{
	char here[LISTING_PATH_MAX];
	uint64_t noatime, now = clock_seconds();
	struct stat st;
	long fd;

	if (!mounts_known())
		return false;
	if (here_asked != now) {
		here_asked = now;
		here_good = false;
		if (ahead_own(SYS_getcwd, (uint64_t)here, sizeof(here), 0, 0) <= 0 || !below_no_other(here))
			return false;
		fd = ahead_own(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)".", O_PATH | O_CLOEXEC, 0);
		if (fd < 0)
			return false;
		if (!ahead_own(SYS_fstat, (uint64_t)fd, (uint64_t)&st, 0, 0)) {
			here_good = device_of_fd((int)fd, st.st_dev, &noatime) == DEVICE_GOOD;
			here_device = st.st_dev;
		}
		ahead_own(SYS_close, (uint64_t)fd, 0, 0, 0);
	}
	*device = here_device;
	return here_good;
}

/* Uses the staging area: nothing may be outstanding. */
bool mounts_known(void)
{
	char *text = (char *)ahead.staging;
	const uint64_t room = AHEAD_STAGING / 2; /* the other half: what is made of it */
	uint64_t now = clock_seconds(), have = 0;
	long fd, n = -1;

	if (asked && now - asked <= 1)
		return known;
	asked = now;
	known = false;
	fd = ahead_own(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)"/proc/self/mountinfo", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	while (have < room - 1 &&
	       (n = ahead_own(SYS_read, (uint64_t)fd, (uint64_t)(text + have), room - 1 - have, 0)) > 0)
		have += (uint64_t)n;
	ahead_own(SYS_close, (uint64_t)fd, 0, 0, 0);
	if (n != 0 || !have)
		return false;
	text[have] = 0;
	known = mounts_take(text, (struct mount_point *)(ahead.staging + room), room / sizeof(struct mount_point));
	bytes_zero(text, have);
	return known;
}
