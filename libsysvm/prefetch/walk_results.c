// SPDX-License-Identifier: MIT
/*
 * What the requests of a walk have given: dirents to stat, directories to enter.
 * Tested by tests/prefetch.
 */
#define _GNU_SOURCE
#include "walk_state.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SORTED 256 /* dirents */

static bool leased(const struct walk *w, uint64_t ino)
{
	/* of any device: file systems give files and directories others */
	for (size_t i = 0; i < w->nleases; i++)
		if (w->leases[i].ino == ino)
			return true;
	return w->all_leased;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

struct child {
	const char *name;
	uint64_t ino;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

static int by_inode(const void *a, const void *b)
{
	uint64_t x = ((const struct child *)a)->ino, y = ((const struct child *)b)->ino;

	return (x > y) - (x < y);
}

/*
 * Directories into the queue before `at`, which is returned as it is then: the first of them. In a directory
 * of many batches, those of earlier batches may wait there, in the same order: they are merged.
 */
static struct pending *add_before(struct walk *w, struct pending *at, struct folder *f, struct names *names,
				  const struct child *child, unsigned int n,
				  int (*compare)(const void *, const void *))
{
	while (n--) {
		struct pending *added;

		while (compare && at->previous->in == f) {
			struct child before = {at->previous->name, at->previous->ino};

			if (compare(&before, &child[n]) <= 0)
				break;
			at = at->previous;
		}
		added = walk_pending_add(w, at, f, names, child[n].name, child[n].ino, NULL);
		at = added ? added : at;
	}
	return at;
}

/*
 * The directories in a batch of entries, to the place of the one that they are in. The command has passed
 * what lies before f->after: that comes last, or not at all where the command follows an order of its own.
 */
static void add_children(struct walk *w, struct folder *f, struct pending *place, uint64_t from, uint64_t to,
			 bool more)
{
	int (*const compare)(const void *, const void *) =
		w->order == WALK_BY_NAME ? by_name : w->order == WALK_BY_INODE ? by_inode : NULL;
	static struct child found[2048];
	unsigned int n = 0, first = 0;
	size_t size = 0;
	struct names *names;
	char *at;

	for (uint64_t e = from; e < to; e += ((struct dirent_at *)e)->reclen) {
		const struct dirent_at *entry = (const struct dirent_at *)e;

		if ((entry->type != DT_DIR && entry->type != DT_UNKNOWN) || is_dots(entry->name) || n == 2048)
			continue;
		found[n++] = (struct child){entry->name, entry->ino};
		size += strlen(entry->name) + 1;
	}
	names = n ? malloc(sizeof(*names) + size) : NULL;
	if (!names)
		return;
	names->refs = 1;
	if (compare)
		qsort(found, n, sizeof(*found), compare);
	at = names->text;
	for (unsigned int i = 0; i < n; i++) {
		size_t len = strlen(found[i].name) + 1;

		memcpy(at, found[i].name, len);
		found[i].name = at;
		at += len;
		if (f->after && !strcmp(found[i].name, f->after))
			first = i + 1;
	}
	if (f->after && !first && more && !compare) {
		add_before(w, place->next, f, names, found, n, NULL);
	} else {
		if (!compare)
			add_before(w, place->next, f, names, found, first, NULL);
		add_before(w, place, f, names, found + first, n - first, compare);
		if (first || !more) {
			free(f->after);
			f->after = NULL;
		}
	}
	walk_names_put(names);
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = (*(struct dirent_at *const *)a)->ino, y = (*(struct dirent_at *const *)b)->ino;

	return (x > y) - (x < y);
}

/*
 * By inode, which is roughly where they lie on a disk that seeks: a few hundred at a time, so that the
 * command does not wait for long for the one that it takes first.
 */
static void sort_entries(uint64_t from, uint64_t to)
{
	static struct dirent_at *entries[SORTED];
	static uint8_t sorted[WALK_BUFFER];

	while (from < to) {
		uint64_t end = from;
		unsigned int n = 0;
		size_t at = 0;

		while (end < to && n < SORTED) {
			entries[n++] = (struct dirent_at *)end;
			end += entries[n - 1]->reclen;
		}
		qsort(entries, n, sizeof(*entries), by_number);
		for (unsigned int i = 0; i < n; at += entries[i++]->reclen)
			memcpy(sorted + at, entries[i], entries[i]->reclen);
		memcpy((void *)from, sorted, at);
		from = end;
	}
}

/* A batch of dirents that a request has read, and asked about up to `next`. */
static void take_entries(struct walk *w, struct slot *slot, struct folder *f, struct pending *place,
			 uint64_t next, uint64_t end, bool more)
{
	uint64_t from = (uintptr_t)slot->memory + SLOT_BUFFER, start = next;
	unsigned int count = 0, limit = w->data ? DATA_RANGE : LOOK_RANGE;
	enum code_kind kind = w->data ? CODE_DATA : CODE_LOOK;

	if (f->how == WALK_BELOW)
		add_children(w, f, place, from, end, more);
	if (walk_probes(w))
		limit = w->data ? PROBE_DATA_RANGE : PROBE_LOOK_RANGE;
	if (w->storage != PACE_FAST)
		sort_entries(next, end);
	for (uint64_t e = from; e < end; e += ((struct dirent_at *)e)->reclen) {
		struct dirent_at *entry = (struct dirent_at *)e;

		w->entries++;
		w->o.stats->entries++;
		if (w->data && entry->type != DT_DIR && leased(w, entry->ino))
			entry->type = DT_SOCK; /* a stat then, no open */
		if (e < next)
			continue;
		if (count == limit) {
			walk_add_range(w, slot, f, start, e, count, kind);
			start = e;
			count = 0;
		}
		count++;
	}
	if (count)
		walk_add_range(w, slot, f, start, end, count, kind);
}

static void take_directory(struct walk *w, struct job *j)
{
	int64_t fd = (int64_t)j->reg[REG_FD];
	struct folder *f;
	struct record *r;
	struct stat st;

	if (fd < 0) {
		if (fd != -ENOTDIR && fd != -ENOENT)
			w->o.stats->refused++;
		return;
	}
	memcpy(&st, j->st, sizeof(st));
	r = walk_record_find(w, st.st_dev, st.st_ino);
	if (walk_is_done(w, r, st.st_dev, st.st_ino) && (r->below || j->folder->how == WALK_ALONE))
		f = NULL;
	else
		f = calloc(1, sizeof(*f));
	if (!f) {
		close((int)fd);
		return;
	}
	*f = (struct folder){.fd = (int)fd,
			     .dev = st.st_dev,
			     .ino = st.st_ino,
			     .refs = 1,
			     .how = j->folder->how,
			     .atime = j->folder->atime};
	w->folders++;
	*r = (struct record){.dev = st.st_dev,
			     .ino = st.st_ino,
			     .generation = w->generation,
			     .below = j->folder->how == WALK_BELOW,
			     .passed = j->folder->ino == st.st_ino && j->folder->dev == st.st_dev,
			     .entries = w->entries,
			     .bytes = w->bytes,
			     .directories = w->directories++};
	w->o.stats->directories++;
	f->after = j->after;
	j->after = NULL;
	take_entries(w, j->slot, f, j->place, j->reg[REG_ENTRY], j->reg[REG_ENTRY_END],
		     (int64_t)j->reg[REG_READ] > 0);
	if ((int64_t)j->reg[REG_READ] > 0 && w->nmore < WALK_SLOTS) {
		f->refs++;
		f->place = j->place;
		j->place = NULL;
		w->more[w->nmore++] = f;
	}
	walk_folder_put(w, f);
}

static void take(struct walk *w, struct job *j)
{
	bool ran = !j->request.result && j->request.status == SYSVM_DONE;

	if (j->kind == CODE_ENTER && !ran && (int64_t)j->reg[REG_FD] >= 0)
		close((int)j->reg[REG_FD]);

	walk_probe(w, j);
	w->in_flight--;
	w->entering -= j->kind == CODE_ENTER;
	w->bytes += j->reg[REG_BYTES];
	w->o.stats->bytes += j->reg[REG_BYTES];
	w->o.stats->files += j->reg[REG_FILES];
	w->o.stats->changed += j->reg[REG_CHANGED];
	w->o.stats->directories += j->reg[REG_LISTED];
	w->period_work += j->kind <= CODE_MORE ? 8 : 4;
	w->period_requests++;
	if (j->kind == CODE_ENTER && ran) {
		take_directory(w, j);
	} else if (j->kind == CODE_MORE && ran) {
		take_entries(w, j->slot, j->folder, j->place, j->reg[REG_ENTRY], j->reg[REG_ENTRY_END],
			     (int64_t)j->reg[REG_READ] > 0);
		if ((int64_t)j->reg[REG_READ] > 0 && w->nmore < WALK_SLOTS) {
			j->folder->refs++;
			j->folder->place = j->place;
			j->place = NULL;
			w->more[w->nmore++] = j->folder;
		}
	}
	j->slot->refs--;
	walk_folder_put(w, j->folder);
	walk_pending_put(w, j->place);
	j->place = NULL;
	free(j->after);
	j->after = NULL;
	j->busy = false;
}

void walk_reap(struct walk *w)
{
	struct sysvm_request *r;
	uint64_t events;

	(void)!read(w->event_fd, &events, sizeof(events));
	while ((r = sysvm_async_next(w->pool)))
		take(w, (struct job *)((char *)r - offsetof(struct job, request)));
	walk_adapt(w);
	walk_pump(w);
}
