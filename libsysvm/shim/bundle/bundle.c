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

#include "libsysvm/shim/bundle/bundle_check.h"
#include "libsysvm/shim/process/process.h"

/*
 * Whether the bundle lets us stay on under a filter, asked with no call that the loader has not just made. What else is in
 * it is checked when it is opened.
 */
bool bundle_allows_filter(const char *path)
{
	static struct sysvm_bundle head;
	long n, fd = own4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	n = own3(SYS_read, fd, &head, sizeof(head));
	own1(SYS_close, fd);
	return n == sizeof(head) && head.magic == BUNDLE_MAGIC && head.allow_seccomp;
}

const struct sysvm_bundle *bundle_open(const char *path)
{
	struct stat st;
	const struct sysvm_bundle *b = 0;
	long map, fd = own3(SYS_open, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);

	if (fd < 0)
		return 0;
	if (own2(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= (long)sizeof(*b) &&
	    st.st_size <= (long)BUNDLE_MAX) {
		bump(&entry.file->stats.own);
		map = raw6(SYS_mmap, 0, RAW_U(st.st_size), PROT_READ, MAP_PRIVATE | MAP_POPULATE, RAW_U(fd), 0);
		if (map > 0 || map < -4095) {
			b = (const struct sysvm_bundle *)map;
			if (!bundle_is_valid(b, (uint64_t)st.st_size)) {
				own2(SYS_munmap, map, st.st_size);
				b = 0;
			}
		}
	}
	own1(SYS_close, fd);
	return b;
}
