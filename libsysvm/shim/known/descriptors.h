/* SPDX-License-Identifier: MIT */
/* What is known about each descriptor of the process. */
#ifndef SYSVM_SHIM_DESCRIPTORS_H
#define SYSVM_SHIM_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"

#define DESCRIPTORS 256	/* nothing is known about higher ones */

enum kind { KIND_UNKNOWN = 0, KIND_REGULAR = 1, KIND_DIRECTORY = 2 }; /* not UNKNOWN: on a good device */

struct descriptor {
	uint8_t mine;	 /* made by this process, O_RDONLY, never passed on */
	/* made by this process, for reading and perhaps writing; never passed on, written to, mapped */
	uint8_t ours;
	uint8_t kind;	 /* enum kind */
	uint8_t shared;	 /* another descriptor of this process has the same description */
	uint8_t cloexec; /* FD_CLOEXEC is set */
	/* of the open that made it: copies have the same one, no other has ever had it */
	uint32_t description;
	uint8_t noatime;      /* of its file system, as the guard found it */
	uint64_t device, inode; /* of a directory */
	int32_t getfl;	 /* what F_GETFL answered, -1: not known */
	/* file position, or directory cookie, as the application believes it; -1: not known */
	int64_t position;
};

void descriptors_reset(void);
struct descriptor *descriptor(uint64_t fd); /* null: out of range */
bool descriptors_read_only(uint64_t flags); /* open flags that make a descriptor a candidate */
bool descriptors_locked(void); /* the process has used a file lock or a lease */

/* What a struct stat of fd says; true: it is a file or directory on a device that may be read ahead. */
bool descriptors_stat(int fd, const unsigned char *st, uint64_t *noatime);

/* A call of the application has been made, by itself or inside a run: call->result is what the kernel
   returned. */
void descriptors_after(const struct shim_call *call);
void descriptors_mapped(uint64_t fd);
void descriptors_forget_all(void);

#endif
