// SPDX-License-Identifier: MIT
/*
 * A name pool: names that lie one after the other in the application's memory.
 *
 * git keeps the paths of its index in such a list and stats one after the other; a program may stat the words
 * of its command line. The pointers that it passes follow from each other: the next name lies after this one,
 * its 0, and a gap that is the same each time, rounded up. A procedure says which relation holds
 * (SVP_ARG_ROW, learned from the pointers of a recording). Where it has just held, the names that lie further
 * on predict what is asked about next, as the dirents of a directory do. They are never an answer: an answer
 * is a call that was made, for the string that the application then passes.
 *
 * "src/lib/a.c" leads through directories that nobody has checked. So each of them ("src", "src/lib") becomes
 * a dirent of its own before the first name in it, in each run anew: the byte code goes on only if it is a
 * directory (no link) on the device of the working directory, and paths_here() says that no mount with side
 * effects lies below it. Programs that are careful about links stat these directories themselves at this
 * point, and are answered.
 *
 * Bounded: the window of the procedure, names of at most 255 bytes, LISTING_BYTES in all. What is copied are
 * bytes of the application that need not be names, so the list ends at the first that cannot be one. The copy
 * is zeroed when its run's records are used or dropped; it is left out of core dumps, and empty in a child.
 * Tested by tests/shim/ahead/rows_test.cc and tests/shim/hazards (rows).
 */
#include "libsysvm/shim/names/name_pool.h"

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/clock.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/known/paths.h"
#include "libsysvm/shim/names/dirent.h"

#define NAME_MOST 256 /* with its 0 */

static struct listing pool; /* the names as dirents; it has no description and no path */
static uint64_t next;	 /* where the next name is expected; 0: not known */
static bool held;	 /* the name before it lay where it was expected */
static uint64_t begin;	 /* where the next run's names begin */
/* clock_seconds() when the working directory was no good, or a prediction led nowhere */
static uint64_t refused;

void name_pool_reset(unsigned char *names)
{
	pool.names = names;
	pool.size = 0;
	name_pool_forget();
}

void name_pool_forget(void)
{
	next = begin = refused = 0;
	held = false;
}

const struct listing *name_pool(void)
{
	return &pool;
}

void name_pool_wipe(void)
{
	bytes_zero(pool.names, pool.size);
	pool.size = 0;
}

/* A link on the way, say: each name after it would cost a run. */
void name_pool_failed(void)
{
	name_pool_wipe();
	refused = clock_seconds();
}

/* A path below the working directory that names each directory on the way once, without control characters.
   */
static bool is_name(const char *s, long length)
{
	long part = 0; /* where this component begins */

	for (long i = 0; i <= length; i++) {
		if (i < length && (unsigned char)s[i] < ' ')
			return false;
		if (i < length && s[i] != '/')
			continue;
		if (i == part || (s[part] == '.' && (i - part == 1 || (i - part == 2 && s[part + 1] == '.'))))
			return false;
		part = i + 1;
	}
	return true;
}

static long name_at(uint64_t address, uint64_t sp)
{
	long length = memory_string(address, NAME_MOST, sp);

	return length > 0 && is_name((const char *)address, length) ? length : -1;
}

static uint64_t after(const struct svp_arg *relation, uint64_t address, long length)
{
	return address + (((uint64_t)length + relation->value) & ~relation->mask);
}

/* path is a directory on the way to name. */
static bool on_the_way(const char *path, long length, const char *name, long name_length)
{
	return length < name_length && name[length] == '/' && bytes_equal(path, name, (size_t)length);
}

bool name_pool_find(const struct svp_arg *relation, uint64_t path, uint64_t sp)
{
	long length = name_at(path, sp), first = next ? name_at(next, sp) : -1;

	if (length < 0)
		return false;
	if (first < 0 ||
	    (path != next && !(held && on_the_way((const char *)path, length, (const char *)next, first)))) {
		next = after(relation, path, length);
		held = false;
		return false;
	}
	held = true;
	begin = next;
	if (path == next)
		next = after(relation, next, first); /* if no run comes of it */
	return refused != clock_seconds() && name_at(after(relation, begin, first), sp) >= 0;
}

static bool append(const char *name, long length, uint8_t type)
{
	const uint32_t size = (DIRENT_NAME + (uint32_t)length + 1 + 7) & ~7u;
	unsigned char *dirent = pool.names + pool.size;

	if (size < DIRENT_SHORTEST || pool.size + size > LISTING_BYTES)
		return false;
	bytes_zero(dirent, size);
	*(uint16_t *)(void *)(dirent + 16) = (uint16_t)size;
	dirent[18] = type;
	bytes_copy(dirent + DIRENT_NAME, name, (size_t)length);
	pool.size += size;
	return true;
}

/* The directories on the way to name that are not on the way to the one before it, then the name itself. */
static bool append_all(const char *before, const char *name, long length, uint32_t *left)
{
	long shared = 0;

	for (long i = 0; before[i] && before[i] == name[i]; i++)
		if (name[i] == '/')
			shared = i + 1;
	for (long i = shared; i <= length; i++) {
		if (i < length && name[i] != '/')
			continue;
		if (!*left || !append(name, i, i < length ? SVP_ENTRY_ON_THE_WAY : 0))
			return false;
		--*left;
	}
	return true;
}

bool name_pool_fill(const struct svp_arg *relation, uint32_t most, uint64_t sp)
{
	const char *before = "";
	long length;

	if (!paths_here(&pool.device)) {
		refused = clock_seconds();
		return false;
	}
	pool.size = 0;
	next = begin;
	while ((length = name_at(next, sp)) > 0 && append_all(before, (const char *)next, length, &most)) {
		before = (const char *)next;
		next = after(relation, next, length);
	}
	return pool.size > 0;
}
