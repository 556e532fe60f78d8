// SPDX-License-Identifier: MIT
/*
 * The dirents of directories, as the application has read them.
 *
 * `ls -l` reads a directory with getdents64 and then stats each name, in the order of the dirents. So the
 * dirents are a prediction of what a loop (names/run.c) asks the kernel about. No call is answered from here,
 * and nothing has to be dropped when the directory changes: a name that is gone gives ENOENT, as it would
 * have given the application. What is kept beside the dirents (device, inode number) decides whether the loop
 * may run.
 *
 * Bounded: LISTING_SLOTS directories, of which the longest unused one is given up; LISTING_BYTES of dirents
 * for each, beyond that the last part read. The memory is not dumped, and empty in a child.
 * Tested by tests/shim/ahead/directory_test.cc.
 */
#include "libsysvm/shim/names/listing.h"

#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/known/descriptors.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/names/dirent.h"

#define LOOK_AHEAD 64	 /* dirents that the application may leave out */
/* of a whole listing; a program that asks in another order gives up its gain, not its time */
#define SEARCHES 64

static struct listing listings[LISTING_SLOTS];
static uint32_t tick;

/* The latest opens, until it shows which of them are read as directories. */
#define OPENED 4
static struct {
	uint32_t description;
	uint16_t length;
	char path[PATH_BYTES];
} opened[OPENED];
static unsigned int last_opened;

void listing_reset(unsigned char *names)
{
	for (unsigned int i = 0; i < LISTING_SLOTS; i++)
		listings[i].names = names + i * (uint64_t)LISTING_BYTES;
	listing_forget_all();
}

void listing_forget_all(void)
{
	for (unsigned int i = 0; i < LISTING_SLOTS; i++)
		listings[i].description = 0;
	for (unsigned int i = 0; i < OPENED; i++)
		opened[i].description = 0;
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
	struct descriptor *f = descriptor((uint64_t)c->result);
	long n;

	if (!f || !f->mine)
		return;
	n = memory_string(path, PATH_BYTES - 2, c->sp);
	if (n <= 0)
		return;
	last_opened = (last_opened + 1) % OPENED;
	opened[last_opened].description = f->description;
	opened[last_opened].length = (uint16_t)n;
	bytes_copy(opened[last_opened].path, (const void *)path, (size_t)n);
}

/* The application asks about "dir" as "dir/name", about "dir/" as "dir/name", about "." as "name". */
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

/* What follows the name's 0 may be anything. */
static bool has_end(const unsigned char *dirent, uint32_t length)
{
	return bytes_length(dirent + DIRENT_NAME, length - DIRENT_NAME) < length - DIRENT_NAME;
}

/* Whole dirents with a name that ends: what loops, in the shim and in byte code, rely on. */
static bool well_formed(const unsigned char *p, uint32_t n)
{
	while (n) {
		uint32_t length;

		if (n < DIRENT_SHORTEST)
			return false;
		length = dirent_length(p);
		if (length < DIRENT_SHORTEST || length > n || !has_end(p, length))
			return false;
		p += length;
		n -= length;
	}
	return true;
}

/* Of a descriptor whose open was no trigger, so no run has asked what it is. */
__attribute__((noinline)) static bool ask_kind(const struct shim_call *c)
{
	struct stat st;
	uint64_t noatime;

	return quick_on_main_stack(c) && own_call(SYS_fstat, c->arg[0], (uint64_t)&st, 0, 0) == 0 &&
	       descriptors_stat((int)c->arg[0], (const unsigned char *)&st, &noatime);
}

void listing_seen(const struct shim_call *c)
{
	struct descriptor *f = descriptor(c->arg[0]);
	const uint32_t n = (uint32_t)c->result;
	struct listing *l;

	if (!f || !f->mine || n > LISTING_BYTES || !memory_writable(c->arg[1], n, c->sp))
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
	struct descriptor *f = descriptor(fd);
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

		if (l->description && l->has_path && l->under == under &&
		    bytes_equal(l->path, path, (size_t)under)) {
			l->used = ++tick;
			return l;
		}
	}
	return NULL;
}

static const unsigned char *search(const struct listing *l, uint32_t from, uint32_t to, uint32_t most,
				   const char *name, long length)
{
	while (from < to && most--) {
		const unsigned char *e = l->names + from;

		if (bytes_equal_words(dirent_name(e), name, (size_t)length + 1))
			return e;
		from += dirent_length(e);
	}
	return NULL;
}

/* At or after the dirent that was expected; else, not too often, anywhere. */
const unsigned char *listing_find(struct listing *l, const char *name, long length)
{
	const unsigned char *e = search(l, l->next, l->size, LOOK_AHEAD, name, length);

	if (!e && l->searches < SEARCHES) {
		l->searches++;
		e = search(l, 0, l->size, ~0u, name, length);
	}
	if (e)
		l->next = (uint32_t)(e - l->names) + dirent_length(e);
	return e;
}
