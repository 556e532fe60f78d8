/* SPDX-License-Identifier: MIT */
/* The machine that makes calls ahead, and its descriptor, which the application must not meet. */
#ifndef SYSVM_SHIM_MACHINE_H
#define SYSVM_SHIM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libsysvm/shim/base/call.h"
#include "libsysvm/sysvm.h"

/* vm: sysvm_size() bytes, the caller's; svp: the mapped procedure file, whose data the code reads. */
void machine_reset(struct sysvm_vm *vm, enum sysvm_engine engine, const void *svp, size_t svp_size);

int machine_make(void);	 /* 0 or -errno, which stays; defines nothing yet */
int machine_error(void); /* what it returned last */
void machine_drop(void); /* gives it, and its descriptor, back; made anew at the next use */

struct sysvm_page *machine_page(void); /* null: not made */
bool machine_supports(uint64_t nr);
bool machine_define(uint32_t number); /* a procedure of the file; false: refused, it is off */

/*
 * One crossing: runs a procedure of the engine, or the code in the page (SYSVM_PROC_PAGE). Its first calls
 * are these late closes (late.h); those that it has not come to are made here.
 */
void machine_run(uint32_t proc, uint64_t fuel, uint64_t late);

/* The machine's descriptor is not the application's: whatever it does to that number, it is not there. */
void machine_make_way(const struct shim_call *call);
/*
 * The call has failed because the table of descriptors is full, perhaps because of ours: closes ours and
 * makes the call again. True: that was why.
 */
bool machine_retry(struct shim_call *call);
/* The application's descriptors come near ours: no engine from now on. */
bool machine_too_near(const struct shim_call *call);

/* The application's call, made by the shim in its place. */
void machine_plain_call(struct shim_call *call);

#endif
