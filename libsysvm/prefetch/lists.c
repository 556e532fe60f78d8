// SPDX-License-Identifier: MIT
/*
 * One list at a time is followed, that of one process: one made for its executable, and if possible for the
 * same command line. A list made for another command line (python with another script) is trusted less:
 * little of it is read before the program has been seen to follow it.
 *
 * Only the main thread runs this code: it opens nothing that could wait; the walk's threads do (code.c).
 */
#define _GNU_SOURCE
#include "lists.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asked.h"
#include "exe.h"
#include "mounts.h"
#include "procedures/svp_lists.h"

#define WORDS (256u << 10)
#define PIDS 64 /* that have been looked at */
#define PROBES 8
#define ITEMS_EXACT 8192
#define ITEMS_ALIKE 64
#define ITEMS_AHEAD 16384
#define BYTES_EXACT (48u << 20)
#define BYTES_ALIKE (1u << 20)
#define BYTES_AHEAD (96u << 20)
#define MISSES_EXACT 16 /* in a row with fewer hits: strayed */
#define MISSES_ALIKE 4
#define BATCH 64

struct lists {
	int fd;
	struct prefetch_stats *stats;
	struct svp svp;
	struct svp_lists all;
	struct {
		int pid;
		uint64_t exe; /* its inode */
	} looked_at[PIDS];
	unsigned int next_pid;
	bool probing;

	int pid; /* whose list is followed, 0: none's */
	bool exact, strayed, absolute_allowed, relative_allowed;
	const struct svp_list *list;
	const struct svp_item *items;
	unsigned int at, seen, ahead; /* numbers of items */
	uint64_t bytes_at, bytes_seen, bytes_ahead;
	unsigned int hits, misses;
	int folder_fd;
	enum walk_atime atime;
	char folder[FEED_PATH];
	uint32_t *table; /* hash table of item numbers + 1 by path */
	uint32_t mask;
};

struct lists *lists_make(int fd, struct prefetch_stats *stats)
{
	struct lists *l = fd >= 0 ? calloc(1, sizeof(*l)) : NULL;

	if (!l)
		return NULL;
	l->fd = fd;
	l->stats = stats;
	l->folder_fd = -1;
	return l;
}

/* The file, checked; once, when a program waits for the first time. */
static void load(struct lists *l)
{
	char message[256];
	struct stat st;
	void *bytes;

	if (!fstat(l->fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= SVP_FILE_MAX) {
		bytes = malloc((size_t)st.st_size);
		/* A copy: the file may change. */
		if (bytes && pread(l->fd, bytes, (size_t)st.st_size, 0) == st.st_size &&
		    !svp_check(bytes, (size_t)st.st_size, &l->svp, message, sizeof(message)))
			svp_lists_of(&l->svp, &l->all);
		if (!l->all.nlists)
			free(bytes);
	}
	close(l->fd);
	l->fd = -1;
}

/* --- which list ----------------------------------------------------------------------------------------- */

/* In the middle of an exec the executable is known and the command line is not: *known is false then. */
static const struct svp_list *find_list(const struct lists *l, int pid, bool *exact, bool *known)
{
	const struct svp_list *alike = NULL;
	uint8_t id[SVP_BUILD_ID_MAX];
	unsigned int n = exe_build_id(pid, id, sizeof(id)), len;
	uint64_t command;
	char *words;

	*exact = false;
	*known = true;
	for (uint32_t i = 0; i < l->all.nlists && n; i++) {
		const struct svp_list *list = &l->all.lists[i];

		if (list->exe.build_id_len == n && !memcmp(list->exe.build_id, id, n) &&
		    (!alike || list->seen > alike->seen))
			alike = list;
	}
	words = alike ? malloc(WORDS) : NULL;
	if (!words)
		return NULL;
	len = feed_words(pid, words, WORDS);
	command = svp_checksum(words, len, SVP_CHECKSUM_START);
	free(words);
	*known = len > 0;
	for (uint32_t i = 0; i < l->all.nlists; i++) {
		const struct svp_list *list = &l->all.lists[i];

		if (list->exe.build_id_len == n && !memcmp(list->exe.build_id, id, n) &&
		    (list->command == command || !list->command)) {
			*exact = true;
			return list;
		}
	}
	return alike;
}

static bool allowed(int pid, const char *path, enum walk_atime *atime)
{
	struct statx st;

	return !statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &st) &&
	       st.stx_mask & STATX_MNT_ID && mounts_allowed(pid, st.stx_mnt_id, atime);
}

static const char *path_of(const struct lists *l, uint32_t item)
{
	return l->all.paths + l->items[item].path;
}

static bool usable(const struct lists *l, const char *path)
{
	return *path == '/' ? l->absolute_allowed : l->relative_allowed;
}

static uint32_t slot_of(const struct lists *l, const char *path)
{
	return (uint32_t)(svp_checksum(path, strlen(path), SVP_CHECKSUM_START) >> 16) & l->mask;
}

static bool make_table(struct lists *l)
{
	l->mask = 64;
	while (l->mask < l->list->items * 2)
		l->mask *= 2;
	free(l->table);
	l->table = calloc(l->mask, sizeof(*l->table));
	l->mask--;
	for (uint32_t i = 0; l->table && i < l->list->items; i++) {
		uint32_t at = slot_of(l, path_of(l, i));

		while (l->table[at])
			at = (at + 1) & l->mask;
		l->table[at] = i + 1;
	}
	return l->table;
}

/* Of the item, or -1. */
static long number_of(const struct lists *l, const char *path)
{
	for (uint32_t at = slot_of(l, path); l->table[at]; at = (at + 1) & l->mask)
		if (!strcmp(path_of(l, l->table[at] - 1), path))
			return (long)l->table[at] - 1;
	return -1;
}

static void begin(struct lists *l, int pid)
{
	enum walk_atime root_atime = WALK_ATIME_RELATIVE, folder_atime = WALK_ATIME_RELATIVE;
	char path[64], root[8];
	const struct svp_list *list;
	bool known, exact;
	ssize_t n;

	list = find_list(l, pid, &exact, &known);
	if (!known)
		l->looked_at[--l->next_pid % PIDS].pid = 0;
	if (!list || !known || (list == l->list && l->pid && !kill(l->pid, 0))) /* a fork's child has none */
		return;
	l->list = list;
	l->exact = exact;
	l->pid = 0;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	n = readlink(path, root, sizeof(root));
	l->absolute_allowed = n == 1 && root[0] == '/' && allowed(pid, "/", &root_atime);
	snprintf(path, sizeof(path), "/proc/%d/cwd", pid);
	l->relative_allowed = allowed(pid, path, &folder_atime);
	n = readlink(path, l->folder, sizeof(l->folder) - 1);
	l->folder[n > 0 ? n : 0] = 0;
	if (l->folder_fd >= 0)
		close(l->folder_fd);
	l->folder_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	l->items = l->all.items + l->list->first_item;
	if (l->folder_fd < 0 || n <= 0 || (!l->absolute_allowed && !l->relative_allowed) || !make_table(l))
		return;
	l->atime = root_atime;
	if (folder_atime != root_atime) /* the stricter */
		l->atime = root_atime == WALK_ATIME_ALWAYS || folder_atime == WALK_ATIME_ALWAYS
				   ? WALK_ATIME_ALWAYS
				   : WALK_ATIME_RELATIVE;
	l->pid = pid;
	l->strayed = false;
	l->at = l->seen = l->hits = l->misses = 0;
	l->ahead = l->exact ? ITEMS_EXACT : ITEMS_ALIKE;
	l->bytes_at = l->bytes_seen = 0;
	l->bytes_ahead = l->exact ? BYTES_EXACT : BYTES_ALIKE;
	l->stats->lists++;
}

/* --- where the command is ------------------------------------------------------------------------------- */

static void hit(struct lists *l, unsigned int number)
{
	l->hits++;
	if (number < l->seen)
		return;
	for (unsigned int i = l->seen; i < number; i++)
		l->bytes_seen += l->items[i].length;
	l->seen = number;
	if (l->at <= number) { /* it has come past us */
		l->at = number + 1;
		l->bytes_at = l->bytes_seen + l->items[number].length;
	}
	l->ahead = l->ahead * 2 < ITEMS_AHEAD ? l->ahead * 2 : ITEMS_AHEAD;
	l->bytes_ahead = l->bytes_ahead * 2 < BYTES_AHEAD ? l->bytes_ahead * 2 : BYTES_AHEAD;
	l->stats->list_used = number + 1;
}

static void look(struct lists *l, const struct feed_process *p)
{
	static char path[2 * FEED_PATH];
	size_t n = strlen(l->folder);
	long number;

	asked_for(p, path, sizeof(path));
	if (!*path) {
		if (l->exact) /* it waits for a page, or something unknown: no evidence against the list */
			l->ahead += BATCH;
		return;
	}
	number = number_of(l, path);
	if (number < 0 && n > 1 && !strncmp(path, l->folder, n) && path[n] == '/')
		number = number_of(l, path + n + 1);
	if (number >= 0) {
		hit(l, (unsigned int)number);
	} else if (strncmp(path, "/proc/", 6) && strncmp(path, "/dev/", 5)) {
		l->misses++;
		if (l->misses >= (l->exact ? MISSES_EXACT : MISSES_ALIKE) && l->misses > l->hits) {
			l->strayed = true;
			l->stats->strayed++;
		}
	}
	if (l->hits + l->misses > 64) {
		l->hits /= 2;
		l->misses /= 2;
	}
}

/* Whether there is a list for what the process executes. */
static bool has_list(struct lists *l, int pid)
{
	struct statx st;
	char exe[64];

	if (!l)
		return false;
	if (l->fd >= 0)
		load(l);
	if (!l->all.nlists)
		return false;
	if (l->pid == pid)
		return true;
	snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
	if (statx(AT_FDCWD, exe, AT_STATX_DONT_SYNC, STATX_INO, &st))
		return false;
	for (unsigned int i = 0; i < PIDS; i++)
		if (l->looked_at[i].pid == pid && l->looked_at[i].exe == st.stx_ino)
			return false;
	if (l->pid && !l->strayed && l->at < l->list->items && !kill(l->pid, 0))
		return false;
	l->looked_at[l->next_pid % PIDS].pid = pid;
	l->looked_at[l->next_pid++ % PIDS].exe = st.stx_ino;
	begin(l, pid);
	return l->pid == pid;
}

bool lists_see(struct lists *l, const struct feed_process *p)
{
	if (!has_list(l, p->pid))
		return false;
	l->probing = false;
	if (!l->strayed)
		look(l, p);
	return !l->strayed;
}

bool lists_have(struct lists *l, int pid)
{
	return has_list(l, pid) && l->exact && l->list->items >= PROBES;
}

bool lists_probe(struct lists *l, int pid, struct walk *walk)
{
	struct walk_item items[PROBES];

	if (!lists_have(l, pid))
		return false;
	for (unsigned int i = 0; i < PROBES; i++) {
		/* Not by the first items, which many programs read. */
		unsigned int number = (l->list->items - 1) / PROBES * i + l->list->items / (2 * PROBES);

		if (!usable(l, path_of(l, number)))
			return false;
		items[i] = (struct walk_item){.kind = WALK_NAME, .name = path_of(l, number)};
	}
	l->probing = walk_list(walk, l->folder_fd, l->atime, items, PROBES) == PROBES;
	return l->probing;
}

void lists_probed(struct lists *l, bool cold)
{
	if (l->probing) /* not seen to wait meanwhile */
		l->probing = !cold;
}

/* --- what is next --------------------------------------------------------------------------------------- */

void lists_go_on(struct lists *l, struct walk *walk)
{
	if (!l || !l->pid || l->probing)
		return;
	while (!l->strayed && l->at < l->list->items && walk_list_wanted(walk)) {
		struct walk_item items[BATCH];
		unsigned int number[BATCH], n = 0, taken;

		while (n < BATCH && l->at < l->list->items && l->at < l->seen + l->ahead &&
		       l->bytes_at <= l->bytes_seen + l->bytes_ahead) {
			const struct svp_item *i = &l->items[l->at];

			if (usable(l, path_of(l, l->at))) {
				number[n] = l->at;
				items[n++] = (struct walk_item){
					.kind = i->kind == SVP_ITEM_FILE	? WALK_FILE
						: i->kind == SVP_ITEM_DIRECTORY ? WALK_DIRENTS
										: WALK_NAME,
					.name = path_of(l, l->at),
					.from = i->from,
					.length = i->length,
					.checked = true,
					.size = i->size,
					.mtime = i->mtime,
					.mtime_ns = i->mtime_ns,
				};
			}
			l->at++;
			l->bytes_at += i->length;
		}
		taken = n ? walk_list(walk, l->folder_fd, l->atime, items, n) : 0;
		if (taken < n) /* the rest is taken later */
			for (unsigned int to = number[taken]; l->at > to; l->at--)
				l->bytes_at -= l->items[l->at - 1].length;
		if (!taken)
			return;
	}
}
