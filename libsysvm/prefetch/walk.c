// SPDX-License-Identifier: MIT
/*
 * The walk: a stack of directories to be entered, a queue of entries to be looked at, requests in flight.
 *
 * Order. Entries come before directories, since a program looks at a directory's entries before it goes below; directories come
 * last in, first out, so that the walk is the program's: depth first. What cannot be had is left out (descriptors, memory, a
 * directory that would show the read): the program makes the calls itself.
 *
 * A directory's descriptor is open for as long as entries or directories in it are to be done (struct folder). Buffers of
 * entries lie in slots of one mapping, which the machine reads without a system call.
 *
 * Tested by tests/prefetch.
 */
#define _GNU_SOURCE
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <fcntl.h>

#define STACK_MAX (1u << 17)  /* directories that wait */
#define RANGES_MAX 4096	      /* ranges of entries that wait */
#define FOLDERS_MAX 1024      /* open at a time; below CODE_NUMBERS with what the threads open */
#define RECORDS_MAX (1u << 18)
#define LOOK_RANGE 32	      /* entries for one request: a few blocks of inodes */
#define DATA_RANGE 4	      /* files for one request */
#define DAY (24 * 60 * 60)

struct names { /* of the directories in a batch of entries */
	unsigned int refs;
	char text[];
};

struct folder {
	int fd;
	unsigned int refs;
	enum walk_how how;
	enum walk_atime atime;
};

struct pending {
	struct folder *in;
	struct names *names;
	const char *name;
	char *after; /* owned */
};

struct slot {
	uint8_t *memory; /* the name, then the buffer */
	unsigned int refs;
};
#define SLOT_BUFFER 512
#define SLOT_SIZE (SLOT_BUFFER + WALK_BUFFER)

struct range {
	struct slot *slot;
	struct folder *folder;
	uint64_t from, to;
	unsigned int count;
	enum code_kind kind;
};

struct job {
	struct sysvm_request request;
	enum code_kind kind;
	bool busy;
	struct slot *slot;
	struct folder *folder;
	char *after;
	struct stat *st; /* where the machine puts what it looks at: others look at the same slot meanwhile */
	uint64_t reg[SYSVM_NREGS];
};
#define STAT_ROOM 256

struct record {
	uint64_t dev, ino;
	uint32_t generation;
	uint64_t entries, bytes; /* begun before it */
};

struct walk {
	struct walk_options o;
	struct sysvm_async *pool;
	uint32_t procs[CODE_KINDS];
	int event_fd, self_fd;
	uint64_t start_reg[SYSVM_NREGS];
	struct slot slots[WALK_SLOTS];
	struct job jobs[WALK_DEPTH_MAX];
	unsigned int in_flight, depth;

	struct pending *stack;
	unsigned int stacked;
	struct range ranges[RANGES_MAX];
	unsigned int first_range, nranges;
	struct folder *more[WALK_SLOTS]; /* whose entries are not all read */
	unsigned int nmore, folders;

	struct record *records; /* hash table */
	unsigned int nrecords;
	uint32_t generation, dropped;
	uint64_t entries, bytes;	   /* begun */
	uint64_t entries_seen, bytes_seen; /* the command is there */

	bool data, by_name, lists;
	uint64_t part;
	const struct walk_file *leases;
	size_t nleases;
	bool all_leased;

	/* How deep: see adapt(). */
	uint64_t period_start, period_work;
	double rate, best_rate;
	int direction;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void folder_put(struct walk *w, struct folder *f)
{
	if (--f->refs)
		return;
	close(f->fd);
	free(f);
	w->folders--;
}

static void names_put(struct names *n)
{
	if (n && !--n->refs)
		free(n);
}

static struct slot *slot_get(struct walk *w)
{
	for (unsigned int i = 0; i < WALK_SLOTS; i++)
		if (!w->slots[i].refs) {
			w->slots[i].refs = 1;
			return &w->slots[i];
		}
	return NULL;
}

struct walk *walk_make(const struct walk_options *options, char *message, size_t size)
{
	size_t consts = (code_consts_size() + 63) & ~(size_t)63;
	size_t slots = consts + WALK_DEPTH_MAX * STAT_ROOM, memory_len = slots + (size_t)WALK_SLOTS * SLOT_SIZE;
	struct sysvm_async_options pool = {.threads = options->depth_max, .idle_ms = 100};
	struct walk *w = calloc(1, sizeof(*w));
	uint8_t *memory = mmap(NULL, memory_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int err = -ENOMEM;

	snprintf(message, size, "no memory");
	if (!w || memory == MAP_FAILED)
		return NULL;
	w->o = *options;
	w->depth = options->depth;
	w->direction = 1;
	w->stack = malloc(STACK_MAX * sizeof(*w->stack));
	w->records = calloc(RECORDS_MAX, sizeof(*w->records));
	w->generation = 1;
	w->self_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!w->stack || !w->records)
		return NULL;
	if (w->self_fd < 0) {
		snprintf(message, size, "/proc/self/fd: %s", strerror(errno));
		return NULL;
	}
	code_consts(memory);
	code_registers(w->start_reg, memory, w->self_fd);
	for (unsigned int i = 0; i < WALK_SLOTS; i++)
		w->slots[i].memory = memory + slots + (size_t)i * SLOT_SIZE;
	for (unsigned int i = 0; i < WALK_DEPTH_MAX; i++)
		w->jobs[i].st = (struct stat *)(memory + consts + i * STAT_ROOM);
	pool.memory = memory;
	pool.memory_len = memory_len;
	err = sysvm_async_open(&w->pool, &pool);
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
	return w->in_flight || w->stacked || w->nranges || w->nmore;
}

/* --- what was done ------------------------------------------------------------------------------------------- */

static struct record *record_find(struct walk *w, uint64_t dev, uint64_t ino)
{
	uint64_t at = (ino * 0x9e3779b97f4a7c15ull ^ dev) >> 20;

	for (unsigned int i = 0; i < 64; i++) {
		struct record *r = &w->records[(at + i) & (RECORDS_MAX - 1)];

		if (!r->generation || (r->dev == dev && r->ino == ino))
			return r;
	}
	/* The table is full around here: the oldest knowledge goes. */
	return &w->records[at & (RECORDS_MAX - 1)];
}

static bool is_done(const struct walk *w, const struct record *r, uint64_t dev, uint64_t ino)
{
	return r->generation == w->generation && r->dev == dev && r->ino == ino;
}

bool walk_reached(struct walk *w, uint64_t dev, uint64_t ino)
{
	const struct record *r = record_find(w, dev, ino);

	if (!is_done(w, r, dev, ino))
		return false;
	if (r->entries > w->entries_seen) {
		w->entries_seen = r->entries;
		w->bytes_seen = r->bytes;
		w->o.stats->used = w->entries_seen;
	}
	return true;
}

void walk_credit(struct walk *w)
{
	w->entries_seen = w->entries;
	w->bytes_seen = w->bytes;
}

static bool far_ahead(const struct walk *w)
{
	return w->entries - w->entries_seen > w->o.entries_ahead || w->bytes - w->bytes_seen > w->o.bytes_ahead;
}

/* --- the stack ----------------------------------------------------------------------------------------------- */

static bool push(struct walk *w, struct folder *in, struct names *names, const char *name, char *after)
{
	if (w->stacked == STACK_MAX) {
		w->o.stats->dropped++;
		free(after);
		return false;
	}
	in->refs++;
	if (names)
		names->refs++;
	w->stack[w->stacked++] = (struct pending){in, names, name, after};
	return true;
}

void walk_push(struct walk *w, int fd, enum walk_how how, enum walk_atime atime, const char *after)
{
	struct folder *f = calloc(1, sizeof(*f));

	if (!f || w->folders >= FOLDERS_MAX) {
		free(f);
		close(fd);
		w->o.stats->dropped++;
		return;
	}
	*f = (struct folder){.fd = fd, .refs = 1, .how = how, .atime = atime};
	w->folders++;
	push(w, f, NULL, ".", after ? strdup(after) : NULL);
	folder_put(w, f);
}

static void pending_put(struct walk *w, struct pending *p)
{
	folder_put(w, p->in);
	names_put(p->names);
	free(p->after);
}

uint32_t walk_generation(const struct walk *w)
{
	return w->dropped;
}

void walk_drop(struct walk *w)
{
	w->dropped++;
	while (w->stacked)
		pending_put(w, &w->stack[--w->stacked]);
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

void walk_by_name(struct walk *w)
{
	w->by_name = true;
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

static bool leased(const struct walk *w, uint64_t ino)
{
	for (size_t i = 0; i < w->nleases; i++) /* of any device: file systems give files and directories others */
		if (w->leases[i].ino == ino)
			return true;
	return w->all_leased;
}

/* --- requests ------------------------------------------------------------------------------------------------ */


static void submit(struct walk *w, struct job *j, enum code_kind kind, struct slot *slot, struct folder *folder)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	j->kind = kind;
	j->slot = slot;
	j->folder = folder;
	j->reg[REG_STAT] = (uintptr_t)j->st;
	j->reg[REG_PART] = w->part;
	if (!j->reg[REG_ATIME])
		j->reg[REG_ATIME] = (uint64_t)(t.tv_sec - DAY);
	j->request = (struct sysvm_request){.proc = w->procs[kind], .nregs = SYSVM_NREGS, .regs = j->reg, .fuel = 1u << 20};
	if (sysvm_async_submit(w->pool, &j->request)) {
		/* No thread can be made: as if it had ended without doing anything. */
		j->reg[REG_FD] = (uint64_t)-EAGAIN;
		if (kind == CODE_ENTER)
			free(j->after);
		slot->refs--;
		if (folder)
			folder_put(w, folder);
		w->o.stats->dropped++;
		return;
	}
	j->busy = true;
	w->in_flight++;
	w->o.stats->requests++;
	if (w->in_flight > w->o.stats->depth)
		w->o.stats->depth = w->in_flight;
}

static struct job *job_begin(struct walk *w)
{
	struct job *j = w->jobs;

	while (j->busy) /* fewer than WALK_DEPTH_MAX are */
		j++;
	memcpy(j->reg, w->start_reg, sizeof(j->reg));
	j->after = NULL;
	return j;
}

static void begin_range(struct walk *w)
{
	struct range r = w->ranges[w->first_range++ % RANGES_MAX];
	struct job *j = job_begin(w);

	w->nranges--;
	j->reg[REG_FD] = (uint64_t)r.folder->fd;
	j->reg[REG_WINDOW] = r.count;
	j->reg[REG_ENTRY] = r.from;
	j->reg[REG_ENTRY_END] = r.to;
	submit(w, j, r.kind, r.slot, r.folder);
}

static void set_buffer(struct walk *w, struct job *j, struct slot *slot)
{
	j->reg[REG_BUFFER] = (uintptr_t)slot->memory + SLOT_BUFFER;
	j->reg[REG_ROOM] = WALK_BUFFER;
	j->reg[REG_WINDOW] = w->data ? 0 : LOOK_RANGE;
}

static bool begin_more(struct walk *w)
{
	struct slot *slot = slot_get(w);
	struct folder *f;
	struct job *j;

	if (!slot)
		return false;
	f = w->more[--w->nmore];
	j = job_begin(w);
	j->reg[REG_FD] = (uint64_t)f->fd;
	set_buffer(w, j, slot);
	submit(w, j, CODE_MORE, slot, f);
	return true;
}

static bool begin_directory(struct walk *w)
{
	struct slot *slot = slot_get(w);
	struct pending p;
	struct job *j;

	if (!slot)
		return false;
	p = w->stack[--w->stacked];
	if (strlen(p.name) >= SLOT_BUFFER) {
		slot->refs = 0;
		pending_put(w, &p);
		return true;
	}
	j = job_begin(w);
	strcpy((char *)slot->memory, p.name);
	names_put(p.names);
	j->reg[REG_PARENT] = (uint64_t)p.in->fd;
	j->reg[REG_NAME] = (uintptr_t)slot->memory;
	j->reg[REG_NOATIME] = p.in->atime == WALK_ATIME_NEVER;
	if (p.in->atime == WALK_ATIME_ALWAYS)
		j->reg[REG_ATIME] = INT64_MAX;
	j->after = p.after;
	set_buffer(w, j, slot);
	submit(w, j, CODE_ENTER, slot, p.in);
	return true;
}

void walk_pump(struct walk *w)
{
	while (w->in_flight < w->depth) {
		if (w->nranges)
			begin_range(w);
		else if (w->nmore && w->nranges < RANGES_MAX / 2 && begin_more(w))
			;
		else if (w->stacked && !far_ahead(w) && w->folders < FOLDERS_MAX && begin_directory(w))
			;
		else
			break;
	}
}

/* --- results ------------------------------------------------------------------------------------------------- */

struct entry { /* struct linux_dirent64 */
	uint64_t ino, off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The directories in a batch of entries, on the stack; the first one on top. */
static void push_children(struct walk *w, struct folder *f, uint64_t from, uint64_t to, const char *after)
{
	const char *found[2048];
	unsigned int n = 0, first = 0;
	size_t size = 0;
	struct names *names;
	char *at;

	for (uint64_t e = from; e < to; e += ((struct entry *)e)->reclen) {
		const struct entry *entry = (const struct entry *)e;

		if ((entry->type != DT_DIR && entry->type != DT_UNKNOWN) || is_dots(entry->name) || n == 2048)
			continue;
		found[n++] = entry->name;
		size += strlen(entry->name) + 1;
	}
	names = n ? malloc(sizeof(*names) + size) : NULL;
	if (!names)
		return;
	names->refs = 1;
	if (w->by_name)
		qsort(found, n, sizeof(*found), by_name);
	at = names->text;
	for (unsigned int i = 0; i < n; i++) {
		size_t len = strlen(found[i]) + 1;

		memcpy(at, found[i], len);
		found[i] = at;
		at += len;
		if (after && !strcmp(found[i], after))
			first = i + 1;
	}
	for (unsigned int i = w->by_name ? 0 : first; i > 0; i--)
		push(w, f, names, found[i - 1], NULL);
	for (unsigned int i = n; i > first; i--)
		push(w, f, names, found[i - 1], NULL);
	names_put(names);
}

static void add_range(struct walk *w, struct slot *slot, struct folder *f, uint64_t from, uint64_t to, unsigned int count,
		      enum code_kind kind)
{
	if (w->nranges == RANGES_MAX)
		return;
	slot->refs++;
	f->refs++;
	w->ranges[(w->first_range + w->nranges++) % RANGES_MAX] = (struct range){slot, f, from, to, count, kind};
}

/* A batch of entries that a request read, and looked at up to `next`. */
static void take_entries(struct walk *w, struct slot *slot, struct folder *f, uint64_t next, uint64_t end, const char *after)
{
	uint64_t from = (uintptr_t)slot->memory + SLOT_BUFFER, start = next;
	unsigned int count = 0, limit = w->data ? DATA_RANGE : LOOK_RANGE;
	enum code_kind kind = w->data ? CODE_DATA : CODE_LOOK;

	for (uint64_t e = from; e < end; e += ((struct entry *)e)->reclen) {
		struct entry *entry = (struct entry *)e;

		w->entries++;
		w->o.stats->entries++;
		if (w->data && entry->type != DT_DIR && leased(w, entry->ino))
			entry->type = DT_SOCK; /* a stat then, no open */
		if (e < next)
			continue;
		if (count == limit) {
			add_range(w, slot, f, start, e, count, kind);
			start = e;
			count = 0;
		}
		count++;
	}
	if (count)
		add_range(w, slot, f, start, end, count, kind);
	if (f->how == WALK_BELOW)
		push_children(w, f, from, end, after);
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
	r = record_find(w, st.st_dev, st.st_ino);
	f = is_done(w, r, st.st_dev, st.st_ino) ? NULL : calloc(1, sizeof(*f));
	if (!f) {
		close((int)fd);
		return;
	}
	*f = (struct folder){.fd = (int)fd, .refs = 1, .how = j->folder->how, .atime = j->folder->atime};
	w->folders++;
	*r = (struct record){st.st_dev, st.st_ino, w->generation, w->entries, w->bytes};
	w->o.stats->directories++;
	take_entries(w, j->slot, f, j->reg[REG_ENTRY], j->reg[REG_ENTRY_END], j->after);
	if ((int64_t)j->reg[REG_READ] > 0 && w->nmore < WALK_SLOTS) {
		f->refs++;
		w->more[w->nmore++] = f;
	}
	folder_put(w, f);
}

static void take(struct walk *w, struct job *j)
{
	bool ran = !j->request.result && j->request.status == SYSVM_DONE;

	if (j->kind == CODE_ENTER && !ran && (int64_t)j->reg[REG_FD] >= 0)
		close((int)j->reg[REG_FD]);

	w->in_flight--;
	w->bytes += j->reg[REG_BYTES];
	w->o.stats->bytes += j->reg[REG_BYTES];
	w->o.stats->files += j->reg[REG_FILES];
	w->period_work += j->kind <= CODE_MORE ? 8 : 4;
	if (j->kind == CODE_ENTER && ran) {
		take_directory(w, j);
	} else if (j->kind == CODE_MORE && ran) {
		take_entries(w, j->slot, j->folder, j->reg[REG_ENTRY], j->reg[REG_ENTRY_END], NULL);
		if ((int64_t)j->reg[REG_READ] > 0 && w->nmore < WALK_SLOTS) {
			j->folder->refs++;
			w->more[w->nmore++] = j->folder;
		}
	}
	j->slot->refs--;
	folder_put(w, j->folder);
	free(j->after);
	j->after = NULL;
	j->busy = false;
}

/* Deeper for as long as more is done in the same time, else back. */
static void adapt(struct walk *w)
{
	uint64_t now = now_ns();

	if (w->o.depth == w->o.depth_max || now - w->period_start < 10 * 1000000)
		return;
	if (w->period_start && w->in_flight + 1 >= w->depth) {
		double rate = (double)w->period_work / (double)(now - w->period_start);

		if (rate < w->rate * 0.9)
			w->direction = -w->direction;
		w->rate = rate;
		w->depth = w->direction > 0 ? w->depth + (w->depth + 3) / 4 : w->depth - w->depth / 4;
		if (w->depth < 2)
			w->depth = 2, w->direction = 1;
		if (w->depth > w->o.depth_max)
			w->depth = w->o.depth_max;
	}
	w->period_start = now;
	w->period_work = 0;
}

void walk_reap(struct walk *w)
{
	struct sysvm_request *r;
	uint64_t events;

	(void)!read(w->event_fd, &events, sizeof(events));
	while ((r = sysvm_async_next(w->pool)))
		take(w, (struct job *)((char *)r - offsetof(struct job, request)));
	adapt(w);
	walk_pump(w);
}

/* --- lists --------------------------------------------------------------------------------------------------- */

bool walk_list_wanted(const struct walk *w)
{
	return w->nranges < w->depth * 2;
}

bool walk_list(struct walk *w, int fd, const void *entries, size_t len, unsigned int count)
{
	struct slot *slot = len <= WALK_BUFFER ? slot_get(w) : NULL;
	struct folder *f = slot ? calloc(1, sizeof(*f)) : NULL;
	int own = f ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	uint64_t at, start, end;
	unsigned int in = 0;

	if (own < 0) {
		if (slot)
			slot->refs = 0;
		free(f);
		return false;
	}
	*f = (struct folder){.fd = own, .refs = 1};
	w->folders++;
	at = start = (uintptr_t)slot->memory + SLOT_BUFFER;
	end = at + len;
	memcpy((void *)at, entries, len);
	w->lists = true;
	for (; at < end; at += ((struct entry *)at)->reclen) {
		if (w->nleases || w->all_leased) /* of this one, perhaps: its number is not known */
			((struct entry *)at)->off = 0;
		if (in == DATA_RANGE) {
			add_range(w, slot, f, start, at, in, CODE_LIST);
			start = at;
			in = 0;
		}
		in++;
	}
	if (in)
		add_range(w, slot, f, start, end, in, CODE_LIST);
	w->o.stats->listed += count;
	slot->refs--;
	folder_put(w, f);
	return true;
}
