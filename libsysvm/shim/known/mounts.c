// SPDX-License-Identifier: MIT
/*
 * Which directories hold a mount point whose name must not be looked up.
 *
 * A loop over a directory stats names that the application has not asked about yet. If one of them is a mount
 * point, the stat goes to the file system mounted there: a FUSE daemon, an NFS server, an automounter that
 * mounts. The dirent does not show it, since getdents64 gives the type and the inode number of what is
 * covered. So the mount table is read, at most once a second. Directories that hold a mount point of a type
 * that may not be read ahead are avoided by their inode number (on any device: an accidental match only loses
 * some speed). A mount younger than the table is recognised by its device number, after one stat of it;
 * docs/semantics.md says so.
 *
 * Reading the table must not wait for anything either: the directory of a mount point is asked for its inode
 * number only if no part of its path lies on a file system where that could wait.
 *
 * Tested by tests/shim/ahead/directory_test.cc (Mounts).
 */
#include "libsysvm/shim/known/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/clock.h"

#define AVOIDED 128
#define WAITING 16 /* mounts where a walk may wait */
#define OTHERS 4096

uint64_t mounts_avoided[AVOIDED + 1]; /* closed by 0 */
const unsigned long mounts_avoided_size = sizeof(mounts_avoided);
static unsigned int avoided;
static uint64_t asked; /* clock_seconds(), 0: never */
static bool known;
static char others[OTHERS]; /* mount points of other types, one after the other, each closed by 0 */
static unsigned int others_end;
static bool others_known;

void mounts_reset(void)
{
	asked = 0;
	known = others_known = false;
}

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

static bool among(const char *type, const char *const *list, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (bytes_same_text(type, list[i]))
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

/* The text of a field, terminated, with \040 and the like replaced. Returns what follows it. */
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
	if (own_call(SYS_lstat, (uint64_t)point, (uint64_t)&st, 0, 0) != 0)
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

/* text: the whole table, closed by 0; it is cut into pieces. mount: room for that many. */
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
			return false; /* it could be listed, and its own mount points are not known */
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

bool mounts_other_above(const char *path)
{
	for (unsigned int at = 0; at < others_end;) {
		if (lies_under(path, others + at))
			return true;
		while (others[at++])
			;
	}
	return !others_known;
}

bool mounts_other_below(const char *directory)
{
	for (unsigned int at = 0; at < others_end;) {
		if (lies_under(others + at, directory))
			return true;
		while (others[at++])
			;
	}
	return !others_known;
}

bool mounts_known(void)
{
	char *text = (char *)areas.staging;
	const uint64_t room = STAGING_BYTES / 2; /* the other half: what is made of it */
	uint64_t now = clock_seconds(), have = 0;
	long fd, n = -1;

	if (asked && now - asked <= 1)
		return known;
	asked = now;
	known = false;
	fd = own_call(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t) "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC,
		      0);
	if (fd < 0)
		return false;
	while (have < room - 1 &&
	       (n = own_call(SYS_read, (uint64_t)fd, (uint64_t)(text + have), room - 1 - have, 0)) > 0)
		have += (uint64_t)n;
	own_call(SYS_close, (uint64_t)fd, 0, 0, 0);
	if (n != 0 || !have)
		return false;
	text[have] = 0;
	known = mounts_take(text, (struct mount_point *)(areas.staging + room),
			    room / sizeof(struct mount_point));
	bytes_zero(text, have);
	return known;
}
