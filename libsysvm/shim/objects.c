// SPDX-License-Identifier: MIT
/*
 * Which object files this process consists of, and what the bundle knows about each. A process is closed only if
 * every byte that it could execute is known to make no system call that the shim does not see (contract, rule 1):
 * the objects that are loaded at the start by build-id, anything else executable by /proc/self/maps, and later ones
 * when they are mapped, by the file's identity.
 * Tested by tests/shim/entry (an object with an own syscall, dlopen, dlmopen, anonymous code).
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "libsysvm/shim/bytes.h"
#include "libsysvm/shim/entry.h"

#define LOADED_MAX 256

struct loaded {
	uint64_t bias, low, high; /* executable pages */
	uint8_t build_id[SITES_BUILD_ID_MAX];
	uint32_t build_id_len;
	const ElfW(Phdr) *phdr;
	uint32_t phnum;
	const struct sysvm_object *object;
};
static struct loaded loaded[LOADED_MAX];
static unsigned int loaded_count;
static bool too_many, some_unknown;

static const struct sysvm_object *objects(void)
{
	return (const struct sysvm_object *)((const char *)entry.bundle + entry.bundle->objects_offset);
}

static void find_build_id(const struct dl_phdr_info *info, struct loaded *l)
{
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		const char *p = (const char *)(info->dlpi_addr + ph->p_vaddr), *end = p + ph->p_memsz;

		if (ph->p_type != PT_NOTE)
			continue;
		while (end - p >= (long)sizeof(ElfW(Nhdr))) {
			const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)p;
			const char *name = p + sizeof(*note), *desc = name + ((note->n_namesz + 3ull) & ~3ull);
			uint32_t n = note->n_descsz < SITES_BUILD_ID_MAX ? note->n_descsz : SITES_BUILD_ID_MAX;

			if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && end - desc >= (long)n) {
				bytes_copy(l->build_id, desc, n);
				l->build_id_len = n;
				return;
			}
			p = desc + ((note->n_descsz + 3ull) & ~3ull);
		}
	}
}

const struct sysvm_object *objects_by_stat(const struct stat *st)
{
	const struct sysvm_object *o = objects();

	for (uint64_t i = 0; i < entry.bundle->objects; i++)
		if (o[i].identity.ino == st->st_ino && o[i].identity.dev == st->st_dev &&
		    o[i].identity.size == (uint64_t)st->st_size &&
		    o[i].identity.mtime_ns == (uint64_t)st->st_mtim.tv_sec * 1000000000ull + (uint64_t)st->st_mtim.tv_nsec)
			return &o[i];
	return 0;
}

static const struct sysvm_object *by_build_id(const struct loaded *l)
{
	const struct sysvm_object *o = objects();

	for (uint64_t i = 0; l->build_id_len && i < entry.bundle->objects; i++)
		if (o[i].build_id_len == l->build_id_len && bytes_equal(o[i].build_id, l->build_id, l->build_id_len))
			return &o[i];
	return 0;
}

static void note_path(const char *path)
{
	uint64_t i = __atomic_fetch_add(&entry.file->unknown_count, 1, __ATOMIC_RELAXED);

	if (i >= STATS_UNKNOWN_MAX)
		return;
	for (unsigned int k = 0; k + 1 < BUNDLE_PATH_MAX && path[k]; k++)
		entry.file->unknown[i][k] = path[k];
}

static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
	struct loaded *l = &loaded[loaded_count];
	const char *path = info->dlpi_name;
	char exe[BUNDLE_PATH_MAX];
	struct stat st;
	long n;

	(void)size;
	(void)data;
	if (loaded_count == LOADED_MAX) {
		too_many = true;
		return 1;
	}
	l->bias = info->dlpi_addr;
	l->phdr = info->dlpi_phdr;
	l->phnum = info->dlpi_phnum;
	l->low = ~0ull;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
			continue;
		if (l->bias + ph->p_vaddr < l->low)
			l->low = (l->bias + ph->p_vaddr) & ~4095ull;
		if (l->bias + ph->p_vaddr + ph->p_memsz > l->high)
			l->high = (l->bias + ph->p_vaddr + ph->p_memsz + 4095) & ~4095ull;
	}
	find_build_id(info, l);
	loaded_count++;
	if (l->low >= l->high || ((uint64_t)shim_slots >= l->low && (uint64_t)shim_slots < l->high))
		return 0; /* no code, or this library */
	if (path[0] == 'l' && path[5] == '-' && path[6] == 'v') /* linux-vdso.so.1: asks for the time only */
		return 0;
	l->object = by_build_id(l);
	if (!l->object && !path[0]) {
		n = own3(SYS_readlink, "/proc/self/exe", exe, sizeof(exe) - 1);
		exe[n > 0 ? n : 0] = 0;
		path = exe;
	}
	if (!l->object && own2(SYS_stat, path, &st) == 0)
		l->object = objects_by_stat(&st);
	if (!l->object)
		note_path(path);
	if (!l->object || l->object->verdict == OBJECT_UNSEEN)
		some_unknown = true;
	return 0;
}

enum shim_reason objects_find(void)
{
	dl_iterate_phdr(visit, 0);
	return some_unknown || too_many ? SHIM_OFF_UNSEEN : SHIM_ON;
}

enum shim_reason objects_patch(bool all)
{
	const struct sysvm_site *sites = (const void *)((const char *)entry.bundle + entry.bundle->sites_offset);
	bool libc_patched = false;
	int unseen = 0;

	for (unsigned int i = 0; i < loaded_count; i++) {
		const struct sysvm_object *o = loaded[i].object;
		int n;

		if (!o || !o->sites)
			continue;
		n = patch_object(loaded[i].bias, loaded[i].low, loaded[i].high, sites + o->first_site, o->sites, all);
		if (n < 0)
			return SHIM_OFF_LIBC;
		unseen += n;
		if (o->sites > 100)
			libc_patched = true;
	}
	return !libc_patched ? SHIM_OFF_LIBC : unseen ? SHIM_OFF_UNSEEN : SHIM_ON;
}

/* --- /proc/self/maps ------------------------------------------------------------------------------------------ */

static uint64_t number(const char **p, unsigned int base)
{
	uint64_t v = 0;

	for (;; (*p)++) {
		unsigned int d = **p >= 'a' ? (unsigned int)(**p - 'a' + 10) : (unsigned int)(**p - '0');

		if (d >= base)
			return v;
		v = v * base + d;
	}
}

static enum shim_reason check_line(const char *p)
{
	uint64_t low = number(&p, 16), high, major, minor, inode;
	const char *rights;

	p++;
	high = number(&p, 16);
	rights = p + 1;
	p += 6;
	number(&p, 16);
	p++;
	major = number(&p, 16);
	p++;
	minor = number(&p, 16);
	p++;
	inode = number(&p, 10);
	while (*p == ' ')
		p++;
	if (rights[3] == 's' && !((uint64_t)entry.file >= low && (uint64_t)entry.file < high)) {
		const struct sysvm_identity *g = &entry.bundle->gconv_cache;

		if (rights[1] == 'w' || inode != g->ino || (major << 8 | minor) != ((g->dev >> 8 & 0xfff) << 8 | (g->dev & 0xff)))
			return SHIM_OFF_SHARED;
	}
	if (rights[2] != 'x' || p[0] == '[')
		return SHIM_ON;
	for (unsigned int i = 0; i < loaded_count; i++)
		if (low >= loaded[i].low && high <= loaded[i].high)
			return SHIM_ON;
	return SHIM_OFF_UNSEEN;
}

enum shim_reason objects_check_maps(void)
{
	static char buffer[8192]; /* only in the constructor */
	enum shim_reason reason = SHIM_ON;
	unsigned long have = 0;
	long n, fd = own3(SYS_open, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return SHIM_OFF_UNSEEN;
	while (!reason && (n = own3(SYS_read, fd, buffer + have, sizeof(buffer) - 1 - have)) > 0) {
		char *line = buffer, *end = buffer + have + n;

		*end = 0;
		for (char *c = line; c < end && !reason; c++)
			if (*c == '\n') {
				*c = 0;
				reason = check_line(line);
				line = c + 1;
			}
		have = (unsigned long)(end - line);
		if (have == sizeof(buffer) - 1)
			reason = SHIM_OFF_UNSEEN; /* a line that long is not known */
		for (unsigned long i = 0; i < have; i++)
			buffer[i] = line[i];
	}
	own1(SYS_close, fd);
	return reason;
}

/* --- later ---------------------------------------------------------------------------------------------------- */

const struct sysvm_object *objects_by_fd(int fd)
{
	struct stat st;

	return own2(SYS_fstat, fd, &st) == 0 ? objects_by_stat(&st) : 0;
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
	char path[BUNDLE_PATH_MAX / 2];

	if (fd_path(fd, path, sizeof(path)) > 0)
		note_path(path);
}

bool objects_is_gconv_cache(int fd)
{
	const struct sysvm_identity *g = &entry.bundle->gconv_cache;
	struct stat st;

	return fd >= 0 && g->ino && own2(SYS_fstat, fd, &st) == 0 && st.st_ino == g->ino && st.st_dev == g->dev;
}

/* Build-id and file offset to an address. */
uint64_t shim_resolve(const struct svp_place *place)
{
	for (unsigned int i = 0; place->build_id_len && i < loaded_count; i++) {
		const struct loaded *l = &loaded[i];

		if (l->build_id_len != place->build_id_len || !bytes_equal(l->build_id, place->build_id, l->build_id_len))
			continue;
		for (unsigned int k = 0; k < l->phnum; k++) {
			const ElfW(Phdr) *ph = &l->phdr[k];

			if (ph->p_type == PT_LOAD && place->offset >= ph->p_offset &&
			    place->offset - ph->p_offset < ph->p_filesz)
				return l->bias + ph->p_vaddr + (place->offset - ph->p_offset);
		}
	}
	return 0;
}

/* The executable's build-id. */
uint32_t objects_exe_build_id(uint8_t *build_id)
{
	if (!loaded_count)
		return 0;
	bytes_copy(build_id, loaded[0].build_id, loaded[0].build_id_len);
	return loaded[0].build_id_len;
}
