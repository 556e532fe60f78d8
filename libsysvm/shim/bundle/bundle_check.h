/* SPDX-License-Identifier: MIT */
/* The bundle's checksum and checks, for the shim (C, no libc) and for its writer and test (C++). */
#ifndef SYSVM_SHIM_BUNDLE_CHECK_H
#define SYSVM_SHIM_BUNDLE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/bundle/bundle.h"

/*
 * FNV on words, four at a time: 100 KiB are checked at every exec, and byte by byte that would take 150 us.
 */
static inline uint64_t bundle_checksum(const struct sysvm_bundle *b, uint64_t size)
{
	const uint64_t prime = 0x100000001b3ull, *w = (const uint64_t *)(const void *)b;
	uint64_t s0 = 0xcbf29ce484222325ull, s1 = s0 + 1, s2 = s0 + 2, s3 = s0 + 3, n = size / 8, i = 0;

	for (; i + 4 <= n; i += 4) {
		/* The rotation brings the high bits, where a product ends up, back into play. */
		s0 = ((s0 << 27 | s0 >> 37) ^ (i == 0 ? w[0] : w[i])) * prime;
		s1 = ((s1 << 27 | s1 >> 37) ^ w[i + 1]) * prime;
		s2 = ((s2 << 27 | s2 >> 37) ^ (i == 0 ? 0 : w[i + 2])) * prime; /* word 2 is the checksum */
		s3 = ((s3 << 27 | s3 >> 37) ^ w[i + 3]) * prime;
	}
	for (; i < n; i++)
		s0 = ((s0 << 27 | s0 >> 37) ^ w[i]) * prime;
	s0 = (s0 ^ s1) * prime;
	s0 = (s0 ^ s2) * prime;
	s0 = (s0 ^ s3) * prime;
	return s0 ^ s0 >> 29;
}

static inline bool bundle_range(uint64_t offset, uint64_t count, uint64_t each, uint64_t size)
{
	return offset % 8 == 0 && offset <= size && count <= (size - offset) / each;
}

static inline bool bundle_text(const char *text)
{
	unsigned int n = 0;

	while (n < BUNDLE_PATH_MAX && text[n])
		n++;
	return n < BUNDLE_PATH_MAX && (n == 0 || text[0] == '/');
}

static inline bool bundle_is_valid(const struct sysvm_bundle *b, uint64_t size)
{
	const struct sysvm_object *objects;
	const struct sysvm_site *sites;

	if (size < sizeof(*b) || size % 8 != 0 || b->magic != BUNDLE_MAGIC || b->file_size != size ||
	    b->checksum != bundle_checksum(b, size))
		return false;
	if (!bundle_range(b->svp_offset, b->svp_size, 1, size) ||
	    !bundle_range(b->objects_offset, b->objects, sizeof(struct sysvm_object), size) ||
	    !bundle_range(b->sites_offset, b->sites, sizeof(struct sysvm_site), size))
		return false;
	if (!bundle_text(b->stats_path) || !bundle_text(b->library_path) || !bundle_text(b->bundle_path))
		return false;
	objects = (const struct sysvm_object *)((const char *)b + b->objects_offset);
	sites = (const struct sysvm_site *)((const char *)b + b->sites_offset);
	for (uint64_t i = 0; i < b->objects; i++)
		if (objects[i].build_id_len > SITES_BUILD_ID_MAX || objects[i].first_site > b->sites ||
		    objects[i].sites > b->sites - objects[i].first_site)
			return false;
	for (uint64_t i = 0; i < b->sites; i++) {
		const struct sysvm_site *s = &sites[i];

		if (s->flags & SITE_LEFT)
			continue;
		if (s->expect_len < 4 || s->expect_len > SITES_EXPECT_MAX || s->code_len == 0 ||
		    s->code_len > SITES_CODE_MAX || s->fixes > SITES_FIX_MAX || s->patch > s->syscall ||
		    s->syscall - s->patch + 2 != s->expect_len ||
		    (!(s->flags & SITE_HOP) && s->expect_len < 7))
			return false;
		for (unsigned int f = 0; f < s->fixes; f++)
			if (s->fix[f].end > s->code_len || s->fix[f].end < 4 ||
			    s->fix[f].at > s->fix[f].end - 4)
				return false;
	}
	return true;
}

#endif
