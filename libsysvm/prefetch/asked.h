/* SPDX-License-Identifier: MIT */
/* What a waiting process has asked for. Tested by tests/prefetch. */
#ifndef SYSVM_PREFETCH_ASKED_H
#define SYSVM_PREFETCH_ASKED_H

#include "feed.h"

/* The path of the call in which the process waits, without "." and doubled slashes; "" if it is not known. */
void asked_for(const struct feed_process *process, char *path, unsigned int size);

#endif
