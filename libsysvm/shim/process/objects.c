// SPDX-License-Identifier: MIT
/*
 * Which object files this process consists of, and what the bundle knows about each. The ahead half runs only
 * if no byte that the process could execute makes a system call that the shim does not see
 * (docs/semantics.md, 1).
 *
 * The kernel is asked what is mapped (known/maps.c), not the loader: it names the file itself, by device and
 * inode. A record of the bundle counts only for the very file that it was made from: device, inode, size,
 * time of change of contents and of status, all equal. A build-id proves nothing: a copy with other bytes
 * keeps it. The path only leads to that file; the inode shows whether it still does (a package may have been
 * replaced since exec).
 *
 * Code that is writable, shared, or not from a file is unknown. Later mappings are judged when they are made.
 *
 * Tested by tests/shim/entry (an object with an own syscall, dlopen, dlmopen, anonymous code, segments,
 * identity).
 */
#include "libsysvm/shim/process/objects.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/maps.h"
#include "libsysvm/shim/process/patch.h"
#include "libsysvm/shim/process/process.h"

#define MAPPED_MAX 512

struct mapped { /* one executable mapping of a file */
	uint64_t low, high, offset;
	uint64_t dev, ino;		   /* as /proc/self/maps says */
	/* address of a mapping of the file that the path leads to now, or 0 */
	uint64_t probe;
	const struct sysvm_object *object; /* null: not known */
	bool patchable;			   /* r-x and private */
};
static struct mapped mapped[MAPPED_MAX];
static unsigned int mapped_count;
static bool unseen, shared, probes;

static const struct sysvm_object *objects(void)
{
	return (const struct sysvm_object *)((const char *)process.bundle + process.bundle->objects_offset);
}

static uint64_t nanoseconds(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000ull + (uint64_t)t->tv_nsec;
}

static bool same_file(const struct sysvm_identity *i, const struct stat *st)
{
	return i->ino == st->st_ino && i->dev == st->st_dev && i->size == (uint64_t)st->st_size &&
	       i->mtime_ns == nanoseconds(&st->st_mtim) && i->ctime_ns == nanoseconds(&st->st_ctim);
}

const struct sysvm_object *objects_by_stat(const struct stat *st)
{
	const struct sysvm_object *o = objects();

	for (uint64_t i = 0; i < process.bundle->objects; i++)
		if (same_file(&o[i].identity, st))
			return &o[i];
	return 0;
}

/* Does [offset, end) lie in what was analysed? */
static bool covers(const struct sysvm_object *o, uint64_t offset, uint64_t end)
{
	for (unsigned int i = 0; i < SITES_PIECES_MAX; i++)
		if (offset >> 12 >= o->code[i].page &&
		    (end + 4095) >> 12 <= (uint64_t)o->code[i].page + o->code[i].pages)
			return true;
	return false;
}

/* For the statistics: what was not known, or is known to make the process plain. */
static void note_path(const char *path)
{
	uint64_t noted = __atomic_load_n(&process.file->unknown_count, __ATOMIC_RELAXED);

	for (uint64_t i = 0; i < noted && i < STATS_UNKNOWN_MAX; i++)
		if (bytes_same_text(process.file->unknown[i], path))
			return;

	uint64_t i = __atomic_fetch_add(&process.file->unknown_count, 1, __ATOMIC_RELAXED);

	if (i >= STATS_UNKNOWN_MAX)
		return;
	for (unsigned int k = 0; k + 1 < BUNDLE_PATH_MAX && path[k]; k++)
		process.file->unknown[i][k] = path[k];
}

/* The path leads to a file with another device than the mapping shows. Overlay file systems and btrfs show
   two devices for one file, so the file is mapped here, and the kernel compares: confirm(). */
static const struct sysvm_object *open_probe(struct mapped *m, const char *path)
{
	const struct sysvm_object *o = 0;
	struct stat st;
	long map, fd = own3(SYS_open, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);

	if (fd < 0)
		return 0;
	if (own2(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && (o = objects_by_stat(&st))) {
		bump(&process.file->stats.own);
		map = raw6(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, RAW_U(fd), 0);
		m->probe = map > 0 || map < -4095 ? (uint64_t)map : 0;
		probes |= m->probe != 0;
	}
	own1(SYS_close, fd);
	return m->probe ? o : 0;
}

static int confirm(const struct map_line *line)
{
	for (unsigned int i = 0; i < mapped_count; i++) {
		struct mapped *m = &mapped[i];

		if (m->probe < line->low || m->probe >= line->high)
			continue;
		if (line->ino != m->ino || line->dev != m->dev)
			m->object = 0;
		own2(SYS_munmap, m->probe, 4096);
		m->probe = 0;
	}
	return 0;
}

static void find_object(struct mapped *m, const char *path)
{
	struct stat st;

	if (own2(SYS_stat, path, &st) != 0)
		return;
	if (st.st_dev != m->dev)
		m->object = open_probe(m, path);
	else if (st.st_ino == m->ino)
		m->object = objects_by_stat(&st);
}

static void visit_shared(const struct map_line *l)
{
	const struct sysvm_identity *g = &process.bundle->gconv_cache;

	if ((uint64_t)process.file >= l->low && (uint64_t)process.file < l->high)
		return;
	if (l->writable || l->ino != g->ino || l->dev != g->dev)
		shared = true;
}

static int visit(const struct map_line *l)
{
	struct mapped *m = &mapped[mapped_count];

	if (l->shared)
		visit_shared(l);
	if (!l->executable)
		return 0;
	/* The kernel's own code makes system calls for the time only; it handles probed instructions itself.
	   */
	if (!l->ino && (bytes_same_text(l->path, "[vdso]") || bytes_same_text(l->path, "[vsyscall]") ||
			bytes_same_text(l->path, "[uprobes]")))
		return 0;
	/* this library */
	if ((uint64_t)process.slot_memory >= l->low && (uint64_t)process.slot_memory < l->high)
		return 0;
	if (!l->ino || l->path[0] != '/' || mapped_count == MAPPED_MAX) {
		unseen = true;
		return 0;
	}
	mapped_count++;
	m->low = l->low;
	m->high = l->high;
	m->offset = l->offset;
	m->dev = l->dev;
	m->ino = l->ino;
	m->patchable = l->readable && !l->writable && !l->shared;
	find_object(m, l->path);
	if (!m->object || m->object->verdict == OBJECT_UNSEEN)
		note_path(l->path);
	return 0;
}

enum shim_reason objects_find(void)
{
	if (maps_read(visit) != 0 || (probes && maps_read(confirm) != 0))
		unseen = true;
	for (unsigned int i = 0; i < mapped_count; i++) {
		struct mapped *m = &mapped[i];

		if (m->probe) /* the second reading did not show it */
			m->object = 0;
		if (!m->object || m->object->verdict == OBJECT_UNSEEN || !m->patchable ||
		    !covers(m->object, m->offset, m->offset + (m->high - m->low)))
			unseen = true;
	}
	return unseen ? SHIM_OFF_UNSEEN : shared ? SHIM_OFF_SHARED : SHIM_ON;
}

enum shim_reason objects_patch(bool all)
{
	const struct sysvm_site *sites =
		(const void *)((const char *)process.bundle + process.bundle->sites_offset);
	bool libc_patched = false;
	int missed = 0;

	for (unsigned int i = 0; i < mapped_count; i++) {
		const struct mapped *m = &mapped[i];
		int n;

		if (!m->object || !m->object->sites || !m->patchable)
			continue;
		n = patch_mapping(m->low, m->high, m->offset, sites + m->object->first_site, m->object->sites,
				  all);
		if (n < 0)
			return SHIM_OFF_LIBC;
		missed += n;
		if (m->object->sites > 100)
			libc_patched = true;
	}
	return !libc_patched ? SHIM_OFF_LIBC : missed ? SHIM_OFF_UNSEEN : SHIM_ON;
}

/* --- later ---------------------------------------------------------------------------------------------- */

const struct sysvm_object *objects_by_fd(int fd, uint64_t offset)
{
	static struct stat st; /* here and below: the caller makes one such call at a time */
	const struct sysvm_object *o;

	if (own2(SYS_fstat, fd, &st) != 0)
		return 0;
	/* Where it begins, and no more: the loader maps an object as a whole, then the other segments over
	   it. */
	o = objects_by_stat(&st);
	return o && covers(o, offset, offset + 1) ? o : 0;
}

static long fd_path(int fd, char *path, unsigned long size)
{
	char link[32] = "/proc/self/fd/", digits[12];
	unsigned int at = 14, n = 0;
	long length;

	if (fd < 0)
		return -1;
	do
		digits[n++] = (char)('0' + fd % 10);
	while ((fd /= 10) != 0);
	while (n)
		link[at++] = digits[--n];
	link[at] = 0;
	length = own3(SYS_readlink, link, path, size - 1);
	path[length > 0 ? length : 0] = 0;
	return length;
}

void objects_note_unknown(int fd)
{
	static char path[BUNDLE_PATH_MAX / 2];

	if (fd_path(fd, path, sizeof(path)) > 0)
		note_path(path);
}

bool objects_is_gconv_cache(int fd)
{
	const struct sysvm_identity *g = &process.bundle->gconv_cache;
	static struct stat st;

	return fd >= 0 && g->ino && own2(SYS_fstat, fd, &st) == 0 && same_file(g, &st);
}

uint64_t objects_resolve(const struct svp_place *place)
{
	for (unsigned int i = 0; place->build_id_len && i < mapped_count; i++) {
		const struct mapped *m = &mapped[i];

		if (m->object && m->object->build_id_len == place->build_id_len &&
		    bytes_equal(m->object->build_id, place->build_id, place->build_id_len) &&
		    place->offset >= m->offset && place->offset - m->offset < m->high - m->low)
			return m->low + (place->offset - m->offset);
	}
	return 0;
}

uint32_t objects_exe_build_id(uint8_t *build_id)
{
	const struct sysvm_object *o;
	struct stat st;

	if (own2(SYS_stat, "/proc/self/exe", &st) != 0 || !(o = objects_by_stat(&st)))
		return 0;
	bytes_copy(build_id, o->build_id, o->build_id_len);
	return o->build_id_len;
}
