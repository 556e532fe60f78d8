// SPDX-License-Identifier: MIT
/*
 * Names that lie in a row in the application's memory.
 *
 * A program that keeps a list of names in memory of its own (git's index, a pool that names are copied to, the words of
 * a command line) and asks about one behind the other passes pointers that follow from each other: the next name lies
 * behind this one, its 0, and a gap that is the same each time, rounded up. A procedure says which relation holds
 * (SVP_ARG_ROW, learned from the pointers of a recording); where it has just held, the names that lie further on
 * are a prediction of what is asked about next, like the entries of a directory: never an answer. An answer is a call that
 * was made, and only for a string that the application passes then.
 *
 * A name of several components leads through directories that nobody has looked at. So each of them becomes an entry of its
 * own before the first name in it, in each run anew: the code goes on only if it is a directory (no link), and on
 * the device of the working directory; and mounts_here() says that nothing is mounted below it where a look is an act. Programs
 * that are careful about links look at these directories themselves, just then, and are answered.
 *
 * Bounded: the window of the procedure, names of at most 255 bytes, LISTING_BYTES in all. What is copied are bytes of the
 * application that need not be names, so a row ends at the first that look like none, and the copy is zeroed when its run's
 * records are used or dropped; it is not dumped, and empty in a child.
 * Tested by tests/shim/ahead/rows_test.cc and tests/shim/hazards (rows).
 */
#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/bytes.h"

#define NAME_MOST 256 /* with its 0 */

struct listing row_listing;
static uint64_t next;	 /* where the next name is expected; 0: not known */
static bool held;	 /* the name before it lay where it was expected */
static uint64_t begin;	 /* where the next run's names begin */
static uint64_t refused; /* clock_seconds() when the working directory was no good, or what was predicted led nowhere */

void rows_forget(void)
{
	next = begin = refused = 0;
	held = false;
}

void rows_wipe(void)
{
	bytes_zero(row_listing.names, row_listing.size);
	row_listing.size = 0;
}

/* A link on the way, say: each name behind it would cost a run. */
void rows_failed(void)
{
	rows_wipe();
	refused = clock_seconds();
}

/* A path below the working directory that names each directory on the way once, and nothing that shows up as a control character. */
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

static uint64_t behind(const struct svp_arg *row, uint64_t address, long length)
{
	return address + (((uint64_t)length + row->value) & ~row->mask);
}

/* path is a directory on the way to name. */
static bool on_the_way(const char *path, long length, const char *name, long name_length)
{
	return length < name_length && name[length] == '/' && bytes_equal(path, name, (size_t)length);
}

/* The call is about the next name of a row, or a directory on the way to it, and one more name follows. */
bool rows_find(const struct svp_arg *row, uint64_t path, uint64_t sp)
{
	long length = name_at(path, sp), first = next ? name_at(next, sp) : -1;

	if (length < 0)
		return false;
	if (first < 0 || (path != next && !(held && on_the_way((const char *)path, length, (const char *)next, first)))) {
		next = behind(row, path, length);
		held = false;
		return false;
	}
	held = true;
	begin = next;
	if (path == next)
		next = behind(row, next, first); /* if no run comes of it */
	return refused != clock_seconds() && name_at(behind(row, begin, first), sp) >= 0;
}

static bool append(const char *name, long length, uint8_t type)
{
	const uint32_t size = (19u + (uint32_t)length + 1 + 7) & ~7u;
	unsigned char *entry = row_listing.names + row_listing.size;

	if (size < 24 || row_listing.size + size > LISTING_BYTES)
		return false;
	bytes_zero(entry, size);
	*(uint16_t *)(void *)(entry + 16) = (uint16_t)size;
	entry[18] = type;
	bytes_copy(entry + 19, name, (size_t)length);
	row_listing.size += size;
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

/* Before a run, nothing being outstanding: at most `most` entries, from the name on that rows_find has found. */
bool rows_list(const struct svp_arg *row, uint32_t most, uint64_t sp)
{
	const char *before = "";
	long length;

	if (!mounts_here(&row_listing.device)) {
		refused = clock_seconds();
		return false;
	}
	row_listing.size = 0;
	next = begin;
	while ((length = name_at(next, sp)) > 0 && append_all(before, (const char *)next, length, &most)) {
		before = (const char *)next;
		next = behind(row, next, length);
	}
	return row_listing.size > 0;
}
