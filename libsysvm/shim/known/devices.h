/* SPDX-License-Identifier: MIT */
/* Which file systems may be read ahead. */
#ifndef SYSVM_SHIM_DEVICES_H
#define SYSVM_SHIM_DEVICES_H

#include <stdint.h>

enum device_verdict { DEVICE_UNKNOWN = 0, DEVICE_GOOD = 1, DEVICE_BAD = 2 };

#define DEVICE_NEVER_MOVES_ATIME (0x0001 | 0x0400) /* ST_RDONLY, ST_NOATIME: flags of a struct statfs */

void devices_reset(void);
/* Of the file system that fd, on the device st_dev, is on. *noatime: reads there never change an atime. */
enum device_verdict device_of_fd(int fd, uint64_t st_dev, uint64_t *noatime);

#endif
