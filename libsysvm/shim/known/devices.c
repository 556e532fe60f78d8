// SPDX-License-Identifier: MIT
/*
 * Which file systems may be read ahead.
 *
 * On FUSE, autofs, network file systems, procfs, sysfs or devices a read ahead would be a request that the
 * application did not make, and the other side can tell. So only the types that filesystems.inc lists are
 * read ahead. One fstatfs for each st_dev decides, and the answer is remembered for a second: st_dev is not
 * reused while a descriptor of the file system is open, and when a device number comes back with another
 * type, the next fstatfs shows it. Tested by tests/shim/hazards (directories) and tests/shim/ahead.
 */
#include "libsysvm/shim/known/devices.h"

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/clock.h"

static const uint32_t good_types[] = {
#define FS_READ(f_type) f_type,
#define FS_WALK(f_type)
#define FS_NO(f_type)
#define SYSVM_FILESYSTEM(name, f_type, shim, prefetcher) FS_##shim(f_type)
#include "libsysvm/filesystems.inc"
};

#define REMEMBERED 16
static struct {
	uint64_t device, asked; /* asked: clock_seconds() */
	uint8_t verdict, noatime;
} known[REMEMBERED];
static unsigned int victim;

void devices_reset(void)
{
	bytes_zero(known, sizeof(known));
}

enum device_verdict device_of_fd(int fd, uint64_t st_dev, uint64_t *noatime)
{
	struct statfs fs;
	uint64_t now = clock_seconds();
	unsigned int i;

	for (i = 0; i < REMEMBERED; i++)
		if (known[i].verdict && known[i].device == st_dev)
			break;
	if (i < REMEMBERED && now - known[i].asked <= 1) {
		*noatime = known[i].noatime;
		return known[i].verdict;
	}
	if (i == REMEMBERED)
		i = victim++ % REMEMBERED;
	if (own_call(SYS_fstatfs, (uint64_t)fd, (uint64_t)&fs, 0, 0) != 0)
		return DEVICE_UNKNOWN;
	known[i].device = st_dev;
	known[i].asked = now;
	known[i].verdict = DEVICE_BAD;
	known[i].noatime = (fs.f_flags & DEVICE_NEVER_MOVES_ATIME) != 0;
	for (unsigned int t = 0; t < sizeof(good_types) / sizeof(good_types[0]); t++)
		if ((uint32_t)fs.f_type == good_types[t])
			known[i].verdict = DEVICE_GOOD;
	*noatime = known[i].noatime;
	return known[i].verdict;
}
