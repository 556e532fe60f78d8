// SPDX-License-Identifier: MIT
/*
 * The walk: directories to be entered, in order, a queue of dirents to be asked about, requests in flight
 * (walk_requests.c), what they have given (walk_results.c).
 *
 * Dirents come before directories, since a program stats the files of a directory before it goes below.
 * Directories that are found in one that is being read go to its place among those that wait, so that the
 * walk is the program's, depth first, however many are read at a time. Where something is lacking
 * (descriptors, memory), or a directory would show the read, it is left out: the program makes the calls
 * itself.
 *
 * A directory's descriptor is open for as long as dirents or directories in it are to be done (struct
 * folder). Buffers of dirents lie in slots of one mapping, which the machine reads without a system call.
 *
 * Tested by tests/prefetch.
 */
#define _GNU_SOURCE
#include "walk_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

struct walk *walk_make(const struct walk_options *options, char *message, size_t size)
{
	size_t consts = (code_consts_size() + 63) & ~(size_t)63;
	size_t slots = consts + WALK_JOBS * CODE_STAT_ROOM,
	       scratch = slots + (size_t)WALK_SLOTS * SLOT_SIZE,
	       memory_len = scratch + (size_t)WALK_JOBS * WALK_BUFFER;
	struct sysvm_async_options pool = {.threads = options->depth_max, .idle_ms = 100};
	struct walk *w = calloc(1, sizeof(*w));
	uint8_t *memory = mmap(NULL, memory_len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err = -ENOMEM;

	snprintf(message, size, "no memory");
	if (!w || memory == MAP_FAILED)
		return NULL;
	w->o = *options;
	w->depth = options->depth < options->depth_max ? 1 : options->depth;
	w->direction = 1;
	w->head.previous = w->head.next = &w->head;
	w->records = calloc(RECORDS_MAX, sizeof(*w->records));
	w->generation = 1;
	w->self_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!w->records)
		return NULL;
	if (w->self_fd < 0) {
		snprintf(message, size, "/proc/self/fd: %s", strerror(errno));
		return NULL;
	}
	code_consts(memory);
	code_registers(w->start_reg, memory, w->self_fd);
	for (unsigned int i = 0; i < WALK_SLOTS; i++)
		w->slots[i].memory = memory + slots + (size_t)i * SLOT_SIZE;
	for (unsigned int i = 0; i < WALK_JOBS; i++) {
		w->jobs[i].st = (struct stat *)(memory + consts + i * CODE_STAT_ROOM);
		w->jobs[i].scratch = memory + scratch + (size_t)i * WALK_BUFFER;
	}
	pool.memory = memory;
	pool.memory_len = memory_len;
	err = sysvm_async_open(&w->pool, &pool);
	if (!err)
		err = sysvm_async_limit(w->pool, w->depth);
	if (!err)
		err = code_define(w->pool, w->procs, message, size);
	if (!err)
		err = w->event_fd = sysvm_async_event_fd(w->pool);
	if (err < 0) {
		if (err != -EINVAL)
			snprintf(message, size, "%s", strerror(-err));
		return NULL;
	}
	return w;
}

int walk_event_fd(const struct walk *w)
{
	return w->event_fd;
}

bool walk_busy(const struct walk *w)
{
	return w->in_flight || w->waiting || w->nranges || w->nmore;
}

bool walk_is_ahead(const struct walk *w)
{
	return w->directories > w->directories_seen;
}

bool walk_reached(struct walk *w, uint64_t dev, uint64_t ino)
{
	struct record *r = walk_record_find(w, dev, ino);

	if (!walk_is_done(w, r, dev, ino))
		return false;
	if (!r->passed)
		w->astray = 0;
	r->passed = true;
	if (r->entries > w->entries_seen) {
		w->o.stats->used += r->entries - w->entries_seen;
		w->entries_seen = r->entries;
		w->unproved_ns = 0;
	}
	if (r->directories > w->directories_seen) {
		w->directories_proved += r->directories - w->directories_seen;
		w->directories_seen = r->directories;
		w->unproved_ns = 0;
	}
	if (r->bytes > w->bytes_seen) {
		w->bytes_proved += r->bytes - w->bytes_seen;
		w->bytes_seen = r->bytes;
	}
	return true;
}

bool walk_goes_below(struct walk *w, uint64_t dev, uint64_t ino)
{
	const struct record *r = walk_record_find(w, dev, ino);

	return walk_is_done(w, r, dev, ino) && r->below;
}

bool walk_reached_file(struct walk *w, uint64_t dev, uint64_t ino, uint64_t size)
{
	if (!walk_reached(w, dev, ino))
		return false;
	w->unproved_ns = 0;
	w->bytes_proved += size < w->part ? size : w->part;
	w->bytes_seen += (w->bytes - w->bytes_seen) / 8; /* where in the directory it lies is not known */
	return true;
}

/* One that was pushed is "." in itself. */
static bool is_it(const struct walk_directory *d, const struct folder *in, const char *name)
{
	return (in->ino == d->ino && in->dev == d->dev && !strcmp(name, ".")) ||
	       (d->in_ino && in->ino == d->in_ino && in->dev == d->in_dev && !strcmp(name, d->name));
}

/* Among those that come soon: of a tree with a million directories not all can be searched. */
static struct pending *find_waiting(const struct walk *w, const struct walk_directory *d)
{
	struct pending *p = w->head.next;

	for (unsigned int i = 0; i < SOON && p != &w->head; i++, p = p->next)
		if (p->in && is_it(d, p->in, p->name))
			return p;
	return NULL;
}

enum walk_place walk_find(const struct walk *w, const struct walk_directory *d)
{
	for (unsigned int i = 0; i < WALK_JOBS; i++) {
		const struct job *j = &w->jobs[i];

		if (j->busy && j->kind == CODE_ENTER && is_it(d, j->folder, (const char *)j->slot->memory))
			return WALK_IN_FLIGHT;
	}
	return find_waiting(w, d) ? WALK_WAITS : WALK_UNKNOWN;
}

void walk_take_out(struct walk *w, const struct walk_directory *d)
{
	walk_pending_put(w, find_waiting(w, d));
}

void walk_astray(struct walk *w, bool on_the_way)
{
	unsigned int before = w->astray / ASTRAY_WHOLE;

	w->astray += on_the_way ? 1 : ASTRAY_WHOLE;
	if (w->astray / ASTRAY_WHOLE == before)
		return;
	w->directories_proved /= 2;
	w->bytes_proved /= 2;
	w->o.stats->astray++;
}

void walk_credit(struct walk *w)
{
	w->entries_seen = w->entries;
	w->bytes_seen = w->bytes;
	w->directories_seen = w->directories;
}

void walk_go_on(struct walk *w)
{
	walk_credit(w);
	w->unproved_ns = 0;
}

void walk_push(struct walk *w, int fd, enum walk_how how, enum walk_atime atime, const char *after)
{
	struct folder *f = calloc(1, sizeof(*f));
	struct statx st;

	if (!f || w->folders >= FOLDERS_MAX ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st)) {
		free(f);
		close(fd);
		w->o.stats->dropped++;
		return;
	}
	*f = (struct folder){.fd = fd,
			     .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
			     .ino = st.stx_ino,
			     .refs = 1,
			     .how = how,
			     .atime = atime};
	w->folders++;
	walk_pending_add(w, w->head.next, f, NULL, ".", 0, after ? strdup(after) : NULL);
	walk_folder_put(w, f);
}

uint32_t walk_generation(const struct walk *w)
{
	return w->dropped;
}

void walk_drop(struct walk *w)
{
	w->dropped++;
	for (struct pending *p; (p = walk_pending_first(w));)
		walk_pending_put(w, p);
	walk_credit(w);
}

void walk_read_files(struct walk *w, uint64_t part)
{
	if (w->data && part <= w->part)
		return;
	w->data = true;
	w->part = part;
	w->generation++;
	walk_drop(w);
}

void walk_sort(struct walk *w, enum walk_order order)
{
	w->order = order;
	w->generation++;
	walk_drop(w);
}

void walk_leases(struct walk *w, const struct walk_file *files, size_t count, bool all)
{
	w->leases = files;
	w->nleases = count;
	w->all_leased = all;
}

bool walk_reads_files(const struct walk *w)
{
	return w->data || w->lists;
}
