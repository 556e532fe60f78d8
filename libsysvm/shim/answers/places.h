/* SPDX-License-Identifier: MIT */
/* Where the answers of the records stand: for records.c and at_once.c only. */
#ifndef SYSVM_SHIM_PLACES_H
#define SYSVM_SHIM_PLACES_H

#include <stdint.h>

#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/procedures.h"

/*
 * An answer's place: record * SVP_LOOP_MAX + follower. They are powers of two, since a division takes as long
 * as all the rest of a comparison.
 */
struct records {
	volatile uint64_t next; /* [next, end) are outstanding */
	uint32_t end;
	uint32_t proc, made; /* made: records */
	const struct svp_loop *loop;
	const struct svp_follower *followers; /* the loop's */
	struct follower_rule *rules;	      /* of these */
	uint64_t used[SVP_LOOP_MAX][6];	      /* their arguments, but for the names */
};
extern struct records records;

_Static_assert((SVP_LOOP_MAX & (SVP_LOOP_MAX - 1)) == 0, "places are taken apart by shifts and masks");

static inline uint32_t follower_of(uint32_t at)
{
	return at % SVP_LOOP_MAX;
}

static inline uint32_t place_after(uint32_t at)
{
	return follower_of(at) + 1 < records.loop->followers ? at + 1 : at - follower_of(at) + SVP_LOOP_MAX;
}

static inline uint32_t place_before(uint32_t at)
{
	return follower_of(at) ? at - 1 : at - SVP_LOOP_MAX + records.loop->followers - 1;
}

/* svp.h has its form: the dirent's address, the results, the bytes. */
static inline uint64_t *record_of(uint32_t at)
{
	return (uint64_t *)(areas.staging + records.loop->records +
			    (uint64_t)(at / SVP_LOOP_MAX) * records.loop->stride);
}

static inline uint64_t result_of(uint32_t at)
{
	return record_of(at)[1 + follower_of(at)];
}

/* Which argument is the dirent's path, or the kept one: the first or the second (uapi/syscalls.inc). */
static inline unsigned int path_argument(const struct svp_follower *f)
{
	return f->arg[0].kind == SVP_ARG_UNDER || f->arg[0].kind == SVP_ARG_ROW ? 0 : 1;
}

#endif
