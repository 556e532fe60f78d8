/* SPDX-License-Identifier: MIT */
/* Dirents: offsets as in the kernel's struct linux_dirent64. */
#ifndef SYSVM_SHIM_DIRENT_H
#define SYSVM_SHIM_DIRENT_H

#include <stdint.h>

#define DIRENT_NAME 19 /* offset of the name */
#define DIRENT_SHORTEST 24
#define DIRENT_IS_DIRECTORY 4 /* DT_DIR */

static inline uint32_t dirent_length(const unsigned char *dirent)
{
	return *(const uint16_t *)(const void *)(dirent + 16);
}
static inline uint8_t dirent_type(const unsigned char *dirent)
{
	return dirent[18];
}
static inline const char *dirent_name(const unsigned char *dirent)
{
	return (const char *)dirent + DIRENT_NAME;
}

#endif
