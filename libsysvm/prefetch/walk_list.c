// SPDX-License-Identifier: MIT
/*
 * Lists, for the walk: items of walk.h as dirents that the byte code of code.c goes through, in place of
 * those that a directory has given. Little is done for each name, so one request has many. Tested by
 * tests/prefetch.
 */
#define _GNU_SOURCE
#include "walk_state.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHT_MAX 32 /* of the items of a request */
#define WEIGHT_READ 8
#define UNCHECKED (~0ull)

/* What code.c reads at the end of such a dirent. */
struct expected {
	uint64_t size;
	int64_t mtime, mtime_ns;
};

bool walk_list_wanted(const struct walk *w)
{
	return w->nranges < w->depth * 2;
}

static size_t size_of(const struct walk_item *item)
{
	size_t size = sizeof(struct dirent_at) + strlen(item->name) + 1;

	return ((size + 7) & ~(size_t)7) + sizeof(struct expected);
}

static void put(const struct walk *w, struct dirent_at *to, const struct walk_item *item)
{
	size_t size = size_of(item);
	struct expected expected = {UNCHECKED, 0, 0};

	if (item->checked)
		expected = (struct expected){item->size, item->mtime, item->mtime_ns};
	/* from and length stand where a dirent has its numbers. Leased files: this one, perhaps. */
	*to = (struct dirent_at){
		.ino = item->from,
		.off = w->nleases || w->all_leased ? 0 : item->length,
		.reclen = (uint16_t)size,
		.type = item->kind == WALK_FILE	     ? CODE_TYPE_FILE
			: item->kind == WALK_DIRENTS ? CODE_TYPE_DIRENTS
						     : CODE_TYPE_NAME,
	};
	strcpy(to->name, item->name);
	memcpy((char *)to + size - sizeof(expected), &expected, sizeof(expected));
}

unsigned int walk_list(struct walk *w, int fd, enum walk_atime atime, const struct walk_item *items,
		       unsigned int count)
{
	struct slot *slot = walk_slot_get(w);
	struct folder *f = slot ? calloc(1, sizeof(*f)) : NULL;
	int own = f && w->folders < FOLDERS_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	unsigned int taken, weight = 0, in = 0;
	uint64_t at, start, end;

	if (own < 0) {
		if (slot)
			slot->refs = 0;
		free(f);
		return 0;
	}
	*f = (struct folder){.fd = own, .refs = 1, .atime = atime};
	w->folders++;
	w->lists = true;
	at = start = (uintptr_t)slot->memory + SLOT_BUFFER;
	end = at + WALK_BUFFER;
	for (taken = 0; taken < count && at + size_of(&items[taken]) <= end; taken++) {
		if (weight >= WEIGHT_MAX) {
			walk_add_range(w, slot, f, start, at, in, CODE_LIST);
			start = at;
			in = weight = 0;
		}
		put(w, (struct dirent_at *)at, &items[taken]);
		at += size_of(&items[taken]);
		weight += items[taken].kind == WALK_NAME ? 1 : WEIGHT_READ;
		in++;
	}
	if (in)
		walk_add_range(w, slot, f, start, at, in, CODE_LIST);
	w->o.stats->listed += taken;
	slot->refs--;
	walk_folder_put(w, f);
	return taken;
}
