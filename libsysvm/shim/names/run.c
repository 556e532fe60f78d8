// SPDX-License-Identifier: MIT
/*
 * Whole directories: which names the next run of a procedure's loop takes.
 *
 * The running example is `ls -l dir`: it opens dir, reads its dirents, and stats dir/a, dir/b, dir/c ... A
 * loop makes those stats in one run. There are two ways into it. After an open, the byte code itself reads
 * the dirents that follow. At a dirent, the application has read the directory (names/listing.c) or has a
 * list of names in memory (names/name_pool.c), and now asks about dir/b: the run begins with that call and
 * goes on to dir/c, until a window is full. What the run has made is in answers/records.c.
 * Tested by tests/shim/ahead/directory_test.cc and tests/shim/hazards (entries, mounts).
 */
#include "libsysvm/shim/names/run.h"

#include <fcntl.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/known/mounts.h"
#include "libsysvm/shim/known/overlay.h"
#include "libsysvm/shim/known/procedures.h"
#include "libsysvm/shim/names/dirent.h"
#include "libsysvm/shim/names/kept.h"
#include "libsysvm/shim/names/listing.h"
#include "libsysvm/shim/names/name_pool.h"
#include "libsysvm/shim/names/window.h"

static struct {
	const unsigned char *dirent;
	struct listing *listing;
	const struct svp_arg *relation; /* of a name pool; null: a dirent of a directory */
} found; /* by run_find, for run_prepare_dirent */
static struct run_names names;
static char *path_buffer; /* null: no procedure has a loop */

void run_reset(char *path)
{
	path_buffer = path;
}

char *run_path(void)
{
	return path_buffer;
}

const struct run_names *run_names(void)
{
	return &names;
}

static unsigned int path_argument(const struct svp_trigger *t)
{
	for (unsigned int i = 0; i < 6; i++)
		if (run_is_dirent(&t->arg[i]))
			return i;
	return 0;
}

/* Apart: what it keeps on the stack is more than other calls have room for. */
__attribute__((noinline)) bool run_find(uint32_t number, uint32_t t, const struct shim_call *c)
{
	const struct svp_loop *loop = procedures[number].loop;
	const struct svp_trigger *trigger = &svp.triggers[svp.procs[number].first_trigger + t];
	unsigned int at = path_argument(trigger);
	bool under = trigger->arg[at].kind == SVP_ARG_UNDER;
	const char *name;
	long length;

	found.relation = trigger->arg[at].kind == SVP_ARG_ROW ? &trigger->arg[at] : NULL;
	if (found.relation)
		return name_pool_find(found.relation, c->arg[at], c->sp);
	length = memory_string(c->arg[at], RUN_STRING_MOST, c->sp);
	if (length <= 0)
		return false;
	if (under) {
		if (at == 1 && (int)c->arg[0] != AT_FDCWD)
			return false;
		found.listing = listing_by_path((const char *)c->arg[at], length, &name);
		length -= name - (const char *)c->arg[at];
	} else {
		name = (const char *)c->arg[at];
		found.listing = listing_by_fd(c->arg[0]);
	}
	if (!found.listing || length <= 0)
		return false;
	found.dirent = listing_find(found.listing, name, length);
	if (!found.dirent)
		return false;
	/* A run for this one call would be no gain. */
	if ((loop->flags & SVP_LOOP_LEAVES) && dirent_type(found.dirent) == DIRENT_IS_DIRECTORY)
		return false;
	return loop->followers > 1 ||
	       found.dirent + dirent_length(found.dirent) < found.listing->names + found.listing->size;
}

/* reg[SVP_REG_DEVICE] is set, and so is `names`. */
static void set_registers(__u64 *reg, uint32_t number)
{
	reg[procedures[number].loop->end] = 0;
	reg[SVP_REG_WINDOW] = window_of(&procedures[number]);
	reg[SVP_REG_AVOID] = (uint64_t)mounts_avoided;
	reg[SVP_REG_DEVICE2] = overlay_files(reg[SVP_REG_DEVICE]);
	reg[SVP_REG_UNDER] = (uint64_t)path_buffer;
	reg[SVP_REG_NAME] = (uint64_t)path_buffer + names.under;
	reg[SVP_REG_ENTRY] = reg[SVP_REG_ENTRY_END] = 0;
	kept_set(number, reg);
}

void run_prepare_open(uint32_t number, uint32_t t, const struct shim_call *c, __u64 *reg)
{
	const struct svp_trigger *trigger = &svp.triggers[svp.procs[number].first_trigger + t];
	long n = trigger->path_arg < 6 ? memory_string(c->arg[trigger->path_arg], PATH_BYTES - 2, c->sp) : -1;
	bool good = n > 0 && mounts_known();

	names.under = 0;
	if (n > 0) {
		names.under = listing_under(names.path, (const char *)c->arg[trigger->path_arg], n);
		bytes_copy(path_buffer, names.path, names.under);
	}
	set_registers(reg, number);
	if (!good)
		reg[SVP_REG_WINDOW] = 0;
	names.pool = false;
	names.own = areas.staging; /* the code reads the dirents to there */
	names.own_end = areas.staging + STAGING_BYTES;
}

bool run_prepare_dirent(uint32_t number, const struct shim_call *c, __u64 *reg)
{
	const struct procedure *p = &procedures[number];
	const struct listing *listing = found.listing;

	if (found.relation) {
		const uint32_t window = window_of(p), room = p->loop->capacity;

		if (!name_pool_fill(found.relation, window < room ? window : room, c->sp))
			return false;
		listing = name_pool();
		found.dirent = listing->names;
	} else if (!mounts_known() || mounts_avoid(listing->inode)) {
		return false;
	}
	names.under = 0;
	if (listing->has_path) {
		names.under = listing->under;
		bytes_copy(names.path, listing->path, listing->under);
		bytes_copy(path_buffer, listing->path, listing->under);
	}
	reg[SVP_REG_DEVICE] = listing->device;
	set_registers(reg, number);
	reg[SVP_REG_ENTRY] = (uint64_t)found.dirent;
	reg[SVP_REG_ENTRY_END] = (uint64_t)(listing->names + listing->size);
	reg[SVP_REG_NOATIME] = listing->noatime;
	names.pool = found.relation != NULL;
	names.own = listing->names;
	names.own_end = listing->names + LISTING_BYTES;
	return true;
}
