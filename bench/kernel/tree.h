/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The tree that both kernels walk: the same names in the same directories for whoever has the same number of
 * directories, so that a host's figures and those from inside a kernel speak of one thing.
 *
 * Its shape is that of an installed system: some ten names in a directory, half of the directories with at
 * most four files, a few with many; most directories are leaves, none is deep. Files are empty, because
 * nothing here reads them. Knows neither kernel nor libc.
 */
#ifndef SYSVM_BENCH_KERNEL_TREE_H
#define SYSVM_BENCH_KERNEL_TREE_H

#define TREE_NAME_MAX 32
#define TREE_PATH_MAX 512

/* Files of a directory, before the next thirty-second of the directories. */
static const unsigned short tree_files[32] = {
	1, 1, 1, 1, 1, 1, 2, 2, 2,  2,	2,  3,	3,  3,	4,  4,
	4, 5, 5, 6, 6, 7, 8, 9, 10, 12, 14, 17, 21, 28, 40, 90,
};

static inline unsigned int tree_mix(unsigned int value)
{
	value = (value ^ (value >> 16)) * 0x7feb352du;
	value = (value ^ (value >> 15)) * 0x846ca68bu;
	return value ^ (value >> 16);
}

/* Directory 0 is the top. A parent comes before its children. */
static inline unsigned int tree_parent(unsigned int directory)
{
	return tree_mix(directory * 2) % (directory / 4 + 1);
}

static inline unsigned int tree_files_of(unsigned int directory)
{
	return tree_files[tree_mix(directory * 2 + 1) % 32];
}

/* Both return the end, where a zero stands. */
static inline char *tree_word(char *to, unsigned int length, unsigned int seed)
{
	while (length--) {
		seed = tree_mix(seed + 1);
		*to++ = "abcdefghijklmnopqrstuvwxyz012345"[seed % 32];
	}
	*to = 0;
	return to;
}

static inline char *tree_file_name(char *to, unsigned int directory, unsigned int file)
{
	unsigned int seed = tree_mix(directory + (file + 1) * 0x10001u);
	char *end = tree_word(to, 4 + seed % 17, seed); /* median 12 */

	*end++ = '.';
	for (; file; file /= 16) /* no two are the same */
		*end++ = 'a' + file % 16;
	*end++ = 'x';
	*end = 0;
	return end;
}

static inline char *tree_directory_name(char *to, unsigned int directory)
{
	unsigned int seed = tree_mix(~directory);
	char *end = tree_word(to, 3 + seed % 6, seed);

	*end++ = '-';
	for (; directory; directory /= 16)
		*end++ = 'a' + directory % 16;
	*end = 0;
	return end;
}

/* The path of a directory below top, which may be the same place as `to`. */
static inline char *tree_directory_path(char *to, const char *top, unsigned int directory)
{
	unsigned int way[32], depth = 0;

	while (*top)
		*to++ = *top++;
	*to = 0;
	for (; directory && depth < 32; directory = tree_parent(directory))
		way[depth++] = directory;
	while (depth--) {
		*to++ = '/';
		to = tree_directory_name(to, way[depth]);
	}
	return to;
}

/*
 * All numbers below `count` once each, in an order without locality: a generator of full period over the next
 * power of two, of which the numbers that are too large are left out. Begins anywhere; ends after `count` of
 * them.
 */
static inline unsigned int tree_scattered(unsigned int previous, unsigned int count)
{
	unsigned int size = 1;

	while (size < count)
		size *= 2;
	do
		previous = (previous * 1664525u + 1013904223u) & (size - 1);
	while (previous >= count);
	return previous;
}

/*
 * Was the processor ours all the time that so many calls took? What is ten times as long as the slowest of
 * them is somebody else's time slice, or an interrupt, and is left out with its calls, by both walks.
 */
static inline int tree_is_ours(unsigned long long cycles, unsigned int calls)
{
	return cycles < 100000 + 20000ull * calls;
}

#endif
