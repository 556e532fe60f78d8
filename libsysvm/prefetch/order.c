// SPDX-License-Identifier: MIT
/* See order.h. */
#define _GNU_SOURCE
#include "order.h"

#include <stdlib.h>
#include <string.h>

#define SORTED_AFTER 6 /* in any order, one step in two is up */

static void step(struct order *o, enum walk_order order, int compared)
{
	if (compared > 0)
		o->ascent[order].broken = true;
	else
		o->ascent[order].steps++;
}

static bool ascends(const struct order *o, enum walk_order order)
{
	return o->ascent[order].steps >= SORTED_AFTER && !o->ascent[order].broken;
}

/* One that has held is kept for as long as it does. */
static void choose(struct order *o, struct walk *walk)
{
	enum walk_order order = o->order;

	if (!ascends(o, order))
		order = ascends(o, WALK_BY_NAME)    ? WALK_BY_NAME
			: ascends(o, WALK_BY_INODE) ? WALK_BY_INODE
						    : WALK_BY_DIRENT;
	if (order != o->order)
		walk_sort(walk, order);
	o->order = order;
}

void order_see(struct order *o, const struct feed_seen *s, struct walk *walk)
{
	size_t n = parent_length(s->path);
	const char *name = s->path + n + (n > 1);
	unsigned int i = 0;

	while (i < ORDER_PARENTS && !(o->latest[i].parent && strlen(o->latest[i].parent) == n &&
				      !strncmp(o->latest[i].parent, s->path, n)))
		i++;
	if (i == ORDER_PARENTS) {
		i = o->next++ % ORDER_PARENTS;
		free(o->latest[i].parent);
		o->latest[i].parent = strndup(s->path, n);
	} else if (o->latest[i].name && o->latest[i].ino != s->ino) {
		step(o, WALK_BY_NAME, strcmp(o->latest[i].name, name));
		step(o, WALK_BY_INODE, (o->latest[i].ino > s->ino) - (o->latest[i].ino < s->ino));
		choose(o, walk);
	}
	free(o->latest[i].name);
	o->latest[i].name = strdup(name);
	o->latest[i].ino = s->ino;
}
