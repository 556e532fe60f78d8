/* SPDX-License-Identifier: MIT */
/* What the timed program (shim_loop.c) and the one that writes procedures for it (shim.cc) agree on. */
#ifndef SYSVM_BENCH_SHIM_LOOP_H
#define SYSVM_BENCH_SHIM_LOOP_H

#define SHIM_LOOP_CALLS 48 /* timed calls in a round; a procedure may have 64 followers and stage 256 KiB */
#define SHIM_LOOP_SIZE_MAX 4096

#endif
