// SPDX-License-Identifier: MIT
/*
 * The entries of directories, as the application has read them.
 *
 * They are a prediction only: what a procedure's loop asks the kernel about, in which order. No call is answered from
 * here. So nothing has to be thrown away when the directory changes; a name that is gone gives ENOENT, as it
 * would have given the application. What is kept with it (device, inode number) decides whether the loop may run.
 *
 * Bounded: LISTING_SLOTS directories, the longest unused one is given up; LISTING_BYTES of entries for each, beyond
 * that the last part read. The memory is not dumped, and empty in a child.
 * Tested by tests/shim/ahead/directory_test.cc.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"

#define SHORTEST_ENTRY 24
#define LOOK_AHEAD 64	 /* entries that the application may leave out */
#define SEARCHES 64	 /* of a whole listing; a program that asks in another order gives up its gain, not its time */

struct listing listings[LISTING_SLOTS];
char *listing_path; /* null: no procedure has a loop */
static uint32_t tick;

/* The latest opens, until it is seen which of them are read as directories. */
#define OPENED 4
static struct {
	uint32_t description;
	uint16_t length;
	char path[LISTING_PATH_MAX];
} opened[OPENED];
static unsigned int last_opened;

bool listing_init(void)
{
	const uint64_t size = (LISTING_SLOTS + 1) * (uint64_t)LISTING_BYTES + 4096;
	long p = ahead_own(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);

	listing_forget_all();
	if (p < 0 && p >= -4095)
		return false;
	ahead_own(SYS_madvise, (uint64_t)p, size, MADV_DONTDUMP, 0);
	ahead_own(SYS_madvise, (uint64_t)p, size, MADV_WIPEONFORK, 0);
	listing_path = (char *)p;
	for (unsigned int i = 0; i < LISTING_SLOTS; i++)
		listings[i].names = (unsigned char *)p + 4096 + i * (uint64_t)LISTING_BYTES;
	row_listing.names = (unsigned char *)p + 4096 + LISTING_SLOTS * (uint64_t)LISTING_BYTES;
	row_listing.size = 0;
	return true;
}

void listing_forget_all(void)
{
	for (unsigned int i = 0; i < LISTING_SLOTS; i++)
		listings[i].description = 0;
	for (unsigned int i = 0; i < OPENED; i++)
		opened[i].description = 0;
	rows_forget();
}

static struct listing *find(uint32_t description)
{
	for (unsigned int i = 0; description && i < LISTING_SLOTS; i++)
		if (listings[i].description == description)
			return &listings[i];
	return NULL;
}

void listing_forget(uint32_t description)
{
	struct listing *l = find(description);

	if (l)
		l->description = 0;
}

void listing_opened(const struct shim_call *c, uint64_t path)
{
	struct fd_fact *f = fact((uint64_t)c->result);
	long n;

	if (!listing_path || !f || !f->mine)
		return;
	n = memory_string(path, LISTING_PATH_MAX - 2, c->sp);
	if (n <= 0)
		return;
	last_opened = (last_opened + 1) % OPENED;
	opened[last_opened].description = f->description;
	opened[last_opened].length = (uint16_t)n;
	bytes_copy(opened[last_opened].path, (const void *)path, (size_t)n);
}

/* "dir" is asked for as "dir/name", "dir/" as "dir/name", "." as "name". */
uint16_t listing_under(char *to, const char *path, long length)
{
	if (length == 1 && path[0] == '.')
		return 0;
	bytes_copy(to, path, (size_t)length);
	if (path[length - 1] != '/')
		to[length++] = '/';
	return (uint16_t)length;
}

static struct listing *make(uint32_t description)
{
	struct listing *l = &listings[0];

	for (unsigned int i = 0; i < LISTING_SLOTS; i++) {
		if (!listings[i].description) {
			l = &listings[i];
			break;
		}
		if (listings[i].used < l->used)
			l = &listings[i];
	}
	l->description = description;
	l->size = l->next = l->searches = 0;
	l->has_path = 0;
	for (unsigned int i = 0; i < OPENED; i++) {
		if (opened[i].description == description) {
			l->under = listing_under(l->path, opened[i].path, opened[i].length);
			l->has_path = 1;
		}
	}
	return l;
}

static bool has_end(const unsigned char *entry, uint32_t length)
{
	for (uint32_t i = 19; i < length; i++)
		if (!entry[i])
			return true;
	return false; /* what follows the name's 0 may be anything */
}

/* Whole entries with a name that ends: what loops, in the shim and in byte code, rely on. */
static bool well_formed(const unsigned char *p, uint32_t n)
{
	while (n) {
		uint32_t length;

		if (n < SHORTEST_ENTRY)
			return false;
		length = entry_length(p);
		if (length < SHORTEST_ENTRY || length > n || !has_end(p, length))
			return false;
		p += length;
		n -= length;
	}
	return true;
}

/* Of a descriptor that was opened where no procedure has looked. */
__attribute__((noinline)) static bool ask_kind(const struct shim_call *c)
{
	struct stat st;
	uint64_t noatime;

	return ahead_has_room(c) && ahead_own(SYS_fstat, c->arg[0], (uint64_t)&st, 0, 0) == 0 &&
	       facts_stat((int)c->arg[0], (const unsigned char *)&st, &noatime);
}

void listing_seen(const struct shim_call *c)
{
	struct fd_fact *f = fact(c->arg[0]);
	const uint32_t n = (uint32_t)c->result;
	struct listing *l;

	if (!listing_path || !f || !f->mine || n > LISTING_BYTES)
		return;
	if (f->kind == KIND_UNKNOWN && !ask_kind(c))
		return;
	if (f->kind != KIND_DIRECTORY)
		return;
	l = find(f->description);
	if (!l)
		l = make(f->description);
	l->used = ++tick;
	l->device = f->device;
	l->inode = f->inode;
	l->noatime = f->noatime;
	if (n > LISTING_BYTES - l->size)
		l->size = l->next = 0;
	l->searches = 0;
	bytes_copy(l->names + l->size, (const void *)c->arg[1], n);
	if (well_formed(l->names + l->size, n))
		l->size += n;
	else
		l->description = 0;
}

struct listing *listing_by_fd(uint64_t fd)
{
	struct fd_fact *f = fact(fd);
	struct listing *l = f && f->mine ? find(f->description) : NULL;

	if (l)
		l->used = ++tick;
	return l;
}

struct listing *listing_by_path(const char *path, long length, const char **name)
{
	long under = length;

	while (under && path[under - 1] != '/')
		under--;
	*name = path + under;
	for (unsigned int i = 0; i < LISTING_SLOTS; i++) {
		struct listing *l = &listings[i];

		if (l->description && l->has_path && l->under == under && bytes_equal(l->path, path, (size_t)under)) {
			l->used = ++tick;
			return l;
		}
	}
	return NULL;
}

static const unsigned char *search(const struct listing *l, uint32_t from, uint32_t to, uint32_t most, const char *name,
				   long length)
{
	while (from < to && most--) {
		const unsigned char *e = l->names + from;

		if (bytes_equal(entry_name(e), name, (size_t)length + 1))
			return e;
		from += entry_length(e);
	}
	return NULL;
}

/* The entry of that name, at or behind the one that was expected; else, not too often, anywhere. */
const unsigned char *listing_entry(struct listing *l, const char *name, long length)
{
	const unsigned char *e = search(l, l->next, l->size, LOOK_AHEAD, name, length);

	if (!e && l->searches < SEARCHES) {
		l->searches++;
		e = search(l, 0, l->size, ~0u, name, length);
	}
	if (e)
		l->next = (uint32_t)(e - l->names) + entry_length(e);
	return e;
}
