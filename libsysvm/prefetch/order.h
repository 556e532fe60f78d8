/* SPDX-License-Identifier: MIT */
/*
 * In which order a command takes the directories in a directory: ls goes by names, cp by inodes, find by
 * dirents.
 * Tested by tests/prefetch.
 */
#ifndef SYSVM_PREFETCH_ORDER_H
#define SYSVM_PREFETCH_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "feed.h"
#include "walk.h"

#define ORDER_PARENTS 32

struct order {
	/* The directory in one directory to which the command came latest. */
	struct {
		char *parent, *name;
		uint64_t ino;
	} latest[ORDER_PARENTS];
	unsigned int next;
	/* How often the next one of its directory came later in an order, and whether one came earlier. */
	struct {
		unsigned int steps;
		bool broken;
	} ascent[WALK_BY_INODE + 1];
	enum walk_order order;
};

/* The command reads this directory. Tells the walk when the order has changed. */
void order_see(struct order *order, const struct feed_seen *what, struct walk *walk);

#endif
