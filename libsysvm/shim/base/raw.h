/* SPDX-License-Identifier: MIT */
/* The shim's own system calls: straight into the kernel, never through a patched site, never touching errno.
   */
#ifndef SYSVM_SHIM_RAW_H
#define SYSVM_SHIM_RAW_H

#include <sys/syscall.h>

#include "libsysvm/raw.h"

#define raw6 raw_call6
#define RAW_U(x) ((uint64_t)(x))
#define raw0(nr) raw6(nr, 0, 0, 0, 0, 0, 0)
#define raw1(nr, a) raw6(nr, RAW_U(a), 0, 0, 0, 0, 0)
#define raw2(nr, a, b) raw6(nr, RAW_U(a), RAW_U(b), 0, 0, 0, 0)
#define raw3(nr, a, b, c) raw6(nr, RAW_U(a), RAW_U(b), RAW_U(c), 0, 0, 0)
#define raw4(nr, a, b, c, d) raw6(nr, RAW_U(a), RAW_U(b), RAW_U(c), RAW_U(d), 0, 0)

#endif
