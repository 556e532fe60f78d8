/* SPDX-License-Identifier: MIT */
/* The object files that this process consists of. */
#ifndef SYSVM_SHIM_OBJECTS_H
#define SYSVM_SHIM_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>
#include "libsysvm/shim/base/call.h"
#include "libsysvm/sites/table.h"
#include "procedures/svp.h"

struct stat;

enum shim_reason objects_find(void);	  /* what is mapped: 0, UNSEEN or SHARED */
enum shim_reason objects_patch(bool all); /* patches it: 0, UNSEEN or LIBC */
/* What is known about code mapped from `offset` on; null: nothing. */
const struct sysvm_object *objects_by_fd(int fd, uint64_t offset);
const struct sysvm_object *objects_by_stat(const struct stat *st);
void objects_note_unknown(int fd); /* for the next run */
bool objects_is_gconv_cache(int fd);
uint32_t objects_exe_build_id(uint8_t *build_id);
uint64_t objects_resolve(const struct svp_place *place); /* its address, 0: in no loaded object */

#endif
