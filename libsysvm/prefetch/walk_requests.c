// SPDX-License-Identifier: MIT
/*
 * The requests of a walk: starts what waits, as far ahead and as many at a time as allowed. The command
 * decides how far: a guess that it has not been seen to follow is worth a few directories; one that it
 * follows, as much again as it has passed. Tested by tests/prefetch.
 */
#define _GNU_SOURCE
#include "walk_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY (24 * 60 * 60)

/* At first little, or a quarter of that where guesses fail; then twice what has proved useful. */
static uint64_t allowed(const struct walk *w, uint64_t first, uint64_t proved, uint64_t max)
{
	unsigned int astray = w->astray / ASTRAY_WHOLE;
	uint64_t n = (first >> (astray < 2 ? astray : 2)) + 2 * proved;

	return n < max ? n : max;
}

/* On a slow disk little takes long: the command's own reads wait for it if the guess is wrong. */
static bool unproved_for_long(const struct walk *w)
{
	return w->unproved_ns > (w->directories_proved ? w->o.unproved_ns : w->o.unproved_first_ns);
}

static bool directories_far(const struct walk *w)
{
	return unproved_for_long(w) || w->entries - w->entries_seen > w->o.entries_ahead ||
	       w->directories + w->entering - w->directories_seen >=
		       allowed(w, w->o.directories_first, w->directories_proved, ~0ull);
}

static bool bytes_far(const struct walk *w)
{
	return w->data && (unproved_for_long(w) ||
			   w->bytes - w->bytes_seen >=
				   allowed(w, w->o.bytes_first, w->bytes_proved, w->o.bytes_ahead));
}

static void submit(struct walk *w, struct job *j, enum code_kind kind, struct slot *slot,
		   struct folder *folder)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME_COARSE, &t);
	j->kind = kind;
	j->slot = slot;
	j->folder = folder;
	j->reg[REG_STAT] = (uintptr_t)j->st;
	j->reg[REG_PART] = w->part;
	j->reg[REG_WAIT] = w->storage != PACE_FAST;
	if (!j->reg[REG_ATIME])
		j->reg[REG_ATIME] = (uint64_t)(t.tv_sec - DAY);
	j->request = (struct sysvm_request){
		.proc = w->procs[kind], .nregs = SYSVM_NREGS, .regs = j->reg, .fuel = 1u << 20};
	if (sysvm_async_submit(w->pool, &j->request)) {
		/* No thread can be made: as if it had ended without doing anything. */
		j->reg[REG_FD] = (uint64_t)-EAGAIN;
		if (kind == CODE_ENTER)
			free(j->after);
		walk_pending_put(w, j->place);
		slot->refs--;
		if (folder)
			walk_folder_put(w, folder);
		w->o.stats->dropped++;
		return;
	}
	j->busy = true;
	j->began_ns = w->clock_ns;
	w->in_flight++;
	w->entering += kind == CODE_ENTER;
	w->o.stats->requests++;
	if (w->o.stats->depth < w->depth && w->o.stats->depth < w->in_flight)
		w->o.stats->depth = w->in_flight < w->depth ? w->in_flight : w->depth;
}

static struct job *job_begin(struct walk *w)
{
	struct job *j = w->jobs;

	while (j->busy) /* fewer than WALK_JOBS are */
		j++;
	memcpy(j->reg, w->start_reg, sizeof(j->reg));
	j->after = NULL;
	j->place = NULL;
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
	j->reg[REG_NOATIME] = r.folder->atime == WALK_ATIME_NEVER;
	if (r.folder->atime == WALK_ATIME_ALWAYS)
		j->reg[REG_ATIME] = INT64_MAX;
	j->reg[REG_SCRATCH] = (uintptr_t)j->scratch;
	j->reg[REG_SCRATCH_ROOM] = WALK_BUFFER;
	submit(w, j, r.kind, r.slot, r.folder);
}

static void set_buffer(struct walk *w, struct job *j, struct slot *slot)
{
	j->reg[REG_BUFFER] = (uintptr_t)slot->memory + SLOT_BUFFER;
	j->reg[REG_ROOM] = WALK_BUFFER;
	j->reg[REG_WINDOW] = w->data ? 0 : walk_probes(w) ? PROBE_LOOK_RANGE : LOOK_RANGE;
}

static bool begin_more(struct walk *w)
{
	struct slot *slot = walk_slot_get(w);
	struct folder *f;
	struct job *j;

	if (!slot)
		return false;
	f = w->more[--w->nmore];
	j = job_begin(w);
	j->place = f->place;
	f->place = NULL;
	j->reg[REG_FD] = (uint64_t)f->fd;
	set_buffer(w, j, slot);
	submit(w, j, CODE_MORE, slot, f);
	return true;
}

static bool begin_directory(struct walk *w)
{
	struct pending *p = walk_pending_first(w);
	struct slot *slot = walk_slot_get(w);
	struct folder *in;
	struct job *j;

	if (!slot)
		return false;
	if (strlen(p->name) >= SLOT_BUFFER) {
		slot->refs = 0;
		walk_pending_put(w, p);
		return true;
	}
	j = job_begin(w);
	strcpy((char *)slot->memory, p->name);
	in = p->in;
	j->reg[REG_PARENT] = (uint64_t)in->fd;
	j->reg[REG_NAME] = (uintptr_t)slot->memory;
	j->reg[REG_NOATIME] = in->atime == WALK_ATIME_NEVER;
	if (in->atime == WALK_ATIME_ALWAYS)
		j->reg[REG_ATIME] = INT64_MAX;
	j->after = p->after;
	/* From now on its place. */
	walk_names_put(p->names);
	p->in = NULL;
	w->waiting--;
	j->place = p;
	set_buffer(w, j, slot);
	submit(w, j, CODE_ENTER, slot, in);
	return true;
}

static void watch_clock(struct walk *w)
{
	uint64_t now = walk_now_ns();

	if (w->in_flight)
		w->unproved_ns += now - w->clock_ns;
	w->clock_ns = now;
}

void walk_pump(struct walk *w)
{
	/* On a slow disk what waits for a thread could not be taken back. */
	const unsigned int ready = w->storage == PACE_FAST || w->o.depth == w->o.depth_max ? WALK_READY : 0;

	watch_clock(w);
	while (!w->held && w->in_flight < w->depth + ready) {
		bool far = bytes_far(w);

		if (w->nranges && (!far || w->ranges[w->first_range % RANGES_MAX].kind != CODE_DATA))
			begin_range(w);
		else if (far || directories_far(w))
			break;
		else if (w->nmore && w->nranges < RANGES_MAX / 2 && begin_more(w))
			;
		else if (w->waiting && w->folders < FOLDERS_MAX && begin_directory(w))
			;
		else
			break;
	}
}
