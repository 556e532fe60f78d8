/* SPDX-License-Identifier: MIT */
/*
 * Lists in a procedure file (svp.h): what a program read in the recorded run, in order. `sysvm run
 * --prefetch` gives them to the prefetcher, which reads ahead what comes next of one for as long as the
 * program is seen to keep to it (libsysvm/prefetch/lists.h). This is mode prefetch for programs whose next
 * calls nobody can guess: a start with its imports, git's index. Nothing is answered from a list, so a wrong
 * one costs time at most; and it holds no code, so a file made on purpose can name paths and nothing else.
 *
 * Three sections, all there or none: the lists, their items, the items' paths. Neither the shim nor its
 * bundle has them. Document: docs/svp-format.md. Tested by tests/libsysvm/svp_lists_test.cc.
 */
#ifndef SYSVM_SVP_LISTS_H
#define SYSVM_SVP_LISTS_H

#include "procedures/svp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SVP_PREFETCH 6 /* svp_mode_name's number for the mode of lists; no procedure has it */

enum svp_list_section_kind { /* continues enum svp_section_kind */
	SVP_LISTS = 9,	     /* struct svp_list[] */
	SVP_ITEMS = 10,	     /* struct svp_item[] */
	SVP_PATHS = 11,	     /* zero-terminated paths */
};

#define SVP_MAX_LISTS 64
#define SVP_MAX_ITEMS 65536 /* of all lists together */
#define SVP_PATH_MAX 4096   /* bytes of a path, with its 0 */
#define SVP_LENGTH_MAX (64u << 20)

struct svp_list {
	uint32_t name; /* offset into STRINGS: the program's */
	uint32_t reserved;
	uint32_t first_item, items;
	uint64_t seen;	    /* how often the recordings have it */
	uint64_t waited_ns; /* in the first of them, by calls on its items, for storage */
	uint64_t command;   /* svp_checksum of the words of the command line, each with its 0; 0: any */
	struct svp_place exe; /* executable that it was made for (offset 0); length 0: any */
};

enum svp_item_kind {
	SVP_ITEM_NAME = 1,	/* looked at, whether it was there or not */
	SVP_ITEM_FILE = 2,	/* opened and read */
	SVP_ITEM_DIRECTORY = 3, /* its dirents were read */
};

struct svp_item {
	uint32_t path; /* offset into PATHS; without a '/' at its beginning: from the working directory */
	uint32_t kind; /* enum svp_item_kind */
	uint64_t from, length; /* FILE: the part that was read; length is not 0 */
	uint64_t size;	       /* FILE: its size and mtime then; with others its contents are left alone */
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t reserved;
};

struct svp_lists {
	const struct svp_list *lists;
	const struct svp_item *items;
	const char *paths;
	uint32_t nlists, nitems;
	uint64_t paths_size;
};

/* The lists of a file that svp_check accepted: it has checked them. All 0 if there are none. */
void svp_lists_of(const struct svp *svp, struct svp_lists *out);

#ifdef __cplusplus
}
#endif
#endif
