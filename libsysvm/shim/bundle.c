// SPDX-License-Identifier: MIT
/*
 * Opens and checks the bundle. It may be hostile (anybody can set an environment variable): every offset is checked
 * against the size before it is used, the checksum covers all of it, and whatever is not right means: stay off, say
 * nothing - the program's own output must not change.
 * Tested by tests/run/bundle_test.cc.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "libsysvm/shim/bundle_check.h"
#include "libsysvm/shim/entry.h"

const struct sysvm_bundle *bundle_open(const char *path)
{
	struct stat st;
	const struct sysvm_bundle *b = 0;
	long map, fd = raw3(SYS_open, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);

	if (fd < 0)
		return 0;
	if (raw2(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (long)sizeof(*b) &&
	    st.st_size <= (long)BUNDLE_MAX) {
		map = raw6(SYS_mmap, 0, RAW_U(st.st_size), PROT_READ, MAP_PRIVATE | MAP_POPULATE, RAW_U(fd), 0);
		if (map > 0 || map < -4095) {
			b = (const struct sysvm_bundle *)map;
			if (!bundle_is_valid(b, (uint64_t)st.st_size)) {
				raw2(SYS_munmap, map, st.st_size);
				b = 0;
			}
		}
	}
	raw1(SYS_close, fd);
	return b;
}
