/* SPDX-License-Identifier: MIT */
/* What a process that waits has asked for. Tested by tests/prefetch. */
#ifndef SYSVM_PREFETCH_ASKED_H
#define SYSVM_PREFETCH_ASKED_H

#include "feed.h"

/* The path that the call is about in which the process waits, without "." and doubled slashes; "" if there is
   none to be known. */
void asked_for(const struct feed_process *process, char *path, unsigned int size);

#endif
