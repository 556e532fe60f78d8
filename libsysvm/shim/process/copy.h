/* SPDX-License-Identifier: MIT */
/* The application's memory, without faults. */
#ifndef SYSVM_SHIM_COPY_H
#define SYSVM_SHIM_COPY_H

#include <stdint.h>

#define COPY_START 16 /* bytes of a string's start; zeros after its page's end */
struct iovec;

/* 0, or -1 if some of it is not there. sp: the application's stack pointer. */
int copy_from(void *to, uint64_t from, unsigned long n, uint64_t sp);
int copy_to(uint64_t to, const void *from, unsigned long n, uint64_t sp);
/* over the page's end, as far as anything is there */
void copy_start_on(char *to, uint64_t from, struct iovec *there);
long copy_some(void *to, uint64_t from, unsigned long n, uint64_t sp); /* how many bytes, or negative */
int copy_starts(char (*to)[COPY_START], const uint64_t *from, unsigned int strings, struct iovec *there,
		char *packed, uint64_t sp); /* there, packed: room for as many */

#endif
