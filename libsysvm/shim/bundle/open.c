// SPDX-License-Identifier: MIT
/*
 * Opens and checks the bundle. It may be hostile (anybody can set an environment variable): every offset is
 * checked against the size before it is used, the checksum covers all of it, and if anything is wrong the
 * shim stays off and says nothing, since the program's own output must not change. Tested by
 * tests/run/bundle_test.cc.
 */
#include "libsysvm/shim/bundle/open.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/bundle/bundle_check.h"

/*
 * Read by calls that the loader has just made, and no others. What else is in the bundle is checked when it
 * is opened.
 */
bool bundle_allows_filter(const char *path)
{
	static struct sysvm_bundle head;
	long n, fd = own_call(SYS_openat, (uint64_t)AT_FDCWD, (uint64_t)path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	n = own_call(SYS_read, (uint64_t)fd, (uint64_t)&head, sizeof(head), 0);
	own_call(SYS_close, (uint64_t)fd, 0, 0, 0);
	return n == sizeof(head) && head.magic == BUNDLE_MAGIC && head.allow_seccomp;
}

const struct sysvm_bundle *bundle_open(const char *path)
{
	struct stat st;
	const struct sysvm_bundle *b = 0;
	long map, fd = own_call(SYS_open, (uint64_t)path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, 0);

	if (fd < 0)
		return 0;
	if (own_call(SYS_fstat, (uint64_t)fd, (uint64_t)&st, 0, 0) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size >= (long)sizeof(*b) && st.st_size <= (long)BUNDLE_MAX) {
		counts.own++;
		map = raw_call6(SYS_mmap, 0, (uint64_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
				(uint64_t)fd, 0);
		if (!raw_failed(map)) {
			b = (const struct sysvm_bundle *)map;
			if (!bundle_is_valid(b, (uint64_t)st.st_size)) {
				own_call(SYS_munmap, (uint64_t)map, (uint64_t)st.st_size, 0, 0);
				b = 0;
			}
		}
	}
	own_call(SYS_close, (uint64_t)fd, 0, 0, 0);
	return b;
}
