/* SPDX-License-Identifier: MIT */
/* The dirents of directories, as the application has read them: a prediction of what it asks next, never an
   answer. */
#ifndef SYSVM_SHIM_LISTING_H
#define SYSVM_SHIM_LISTING_H

#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/shim/known/areas.h"

#define LISTING_SLOTS 16
/* of one directory; a longer one is known in parts, as the application reads it */
#define LISTING_BYTES (256u << 10)

struct listing {
	uint32_t description; /* of the descriptor that it was read through, 0: free */
	uint32_t used;	      /* when, to choose the one to give up */
	uint32_t size, next;  /* bytes of dirents; offset of the one expected next */
	uint32_t searches;    /* of the whole listing, since it grew */
	uint16_t under;	      /* bytes of path, with its '/'; 0 for ".", where names stand alone */
	uint8_t has_path;
	uint8_t noatime;
	uint64_t device, inode;
	char path[PATH_BYTES];
	unsigned char *names; /* LISTING_BYTES, struct linux_dirent64, checked */
};

void listing_reset(unsigned char *names); /* room for all of them */
/* what stands before a name in it: its bytes */
uint16_t listing_under(char *to, const char *path, long length);
/* a directory, perhaps: remember its path */
void listing_opened(const struct shim_call *call, uint64_t path);
void listing_seen(const struct shim_call *call);	/* getdents64 has filled the application's buffer */
void listing_forget(uint32_t description);		/* it is read from another place */
void listing_forget_all(void);
struct listing *listing_by_fd(uint64_t fd);
struct listing *listing_by_path(const char *path, long length, const char **name);
/* its dirent, or null */
const unsigned char *listing_find(struct listing *listing, const char *name, long length);

#endif
