/* SPDX-License-Identifier: MIT */
/* Jumps from the sites of one mapping to slots. */
#ifndef SYSVM_SHIM_PATCH_H
#define SYSVM_SHIM_PATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "libsysvm/sites/table.h"

/*
 * Writes the jumps of one mapping [low, high), r-x and private, of a file from `offset` on. Returns how many
 * sites stay unseen that should not, or -1 if the rights of its text could not be changed.
 */
int patch_mapping(uint64_t low, uint64_t high, uint64_t offset, const struct sysvm_site *sites,
		  uint32_t count, bool all);

#endif
