/* SPDX-License-Identifier: MIT */
/* Our variables are taken out of the environment. */
#ifndef SYSVM_SHIM_ENVIRONMENT_H
#define SYSVM_SHIM_ENVIRONMENT_H

#include <stdbool.h>

void environment_hide(char **envp, bool *disabled, char *bundle_path, unsigned long size);

#endif
