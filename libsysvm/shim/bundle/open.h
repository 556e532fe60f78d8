/* SPDX-License-Identifier: MIT */
#ifndef SYSVM_SHIM_OPEN_H
#define SYSVM_SHIM_OPEN_H

#include <stdbool.h>

#include "libsysvm/shim/bundle/bundle.h"

/* The mapped and checked bundle, or null. */
const struct sysvm_bundle *bundle_open(const char *path);

/* Whether the bundle lets us stay on under a seccomp filter. */
bool bundle_allows_filter(const char *path);

#endif
