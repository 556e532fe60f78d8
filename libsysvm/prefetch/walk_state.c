// SPDX-License-Identifier: MIT
/* What keeps the state of a walk in order: references, directories that wait, the table of what was done.
   Tested by tests/prefetch. */
#define _GNU_SOURCE
#include "walk_state.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint64_t walk_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void walk_folder_put(struct walk *w, struct folder *f)
{
	if (--f->refs)
		return;
	close(f->fd);
	free(f->after);
	free(f);
	w->folders--;
}

void walk_names_put(struct names *n)
{
	if (n && !--n->refs)
		free(n);
}

/* NULL: there are too many; `after` is gone then. */
struct pending *walk_pending_add(struct walk *w, struct pending *before, struct folder *in,
				 struct names *names, const char *name, uint64_t ino, char *after)
{
	struct pending *p = w->waiting < PENDING_MAX ? malloc(sizeof(*p)) : NULL;

	if (!p) {
		w->o.stats->dropped++;
		free(after);
		return NULL;
	}
	in->refs++;
	if (names)
		names->refs++;
	*p = (struct pending){before->previous, before, in, names, name, ino, after};
	p->previous->next = p;
	p->next->previous = p;
	w->waiting++;
	return p;
}

struct pending *walk_pending_first(struct walk *w)
{
	struct pending *p = w->head.next;

	while (p != &w->head && !p->in)
		p = p->next;
	return p == &w->head ? NULL : p;
}

/* One that waits, or a place; NULL: none. */
void walk_pending_put(struct walk *w, struct pending *p)
{
	if (!p)
		return;
	if (p->in) {
		walk_folder_put(w, p->in);
		walk_names_put(p->names);
		free(p->after);
		w->waiting--;
	}
	p->previous->next = p->next;
	p->next->previous = p->previous;
	free(p);
}

struct slot *walk_slot_get(struct walk *w)
{
	for (unsigned int i = 0; i < WALK_SLOTS; i++)
		if (!w->slots[i].refs) {
			w->slots[i].refs = 1;
			return &w->slots[i];
		}
	return NULL;
}

struct record *walk_record_find(struct walk *w, uint64_t dev, uint64_t ino)
{
	uint64_t at = (ino * 0x9e3779b97f4a7c15ull ^ dev) >> 20;

	for (unsigned int i = 0; i < 64; i++) {
		struct record *r = &w->records[(at + i) & (RECORDS_MAX - 1)];

		if (!r->generation || (r->dev == dev && r->ino == ino))
			return r;
	}
	/* The table is full here: drop the oldest entry. */
	return &w->records[at & (RECORDS_MAX - 1)];
}

bool walk_is_done(const struct walk *w, const struct record *r, uint64_t dev, uint64_t ino)
{
	return r->generation == w->generation && r->dev == dev && r->ino == ino;
}

void walk_add_range(struct walk *w, struct slot *slot, struct folder *f, uint64_t from, uint64_t to,
		    unsigned int count, enum code_kind kind)
{
	if (w->nranges == RANGES_MAX)
		return;
	slot->refs++;
	f->refs++;
	w->ranges[(w->first_range + w->nranges++) % RANGES_MAX] =
		(struct range){slot, f, from, to, count, kind};
}
