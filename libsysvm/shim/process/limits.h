/* SPDX-License-Identifier: MIT */
/* Whether the process's limits have room for us. */
#ifndef SYSVM_SHIM_LIMITS_H
#define SYSVM_SHIM_LIMITS_H

#include <stdbool.h>

bool limits_leave_room(void);

#endif
