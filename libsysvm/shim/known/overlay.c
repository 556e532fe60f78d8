// SPDX-License-Identifier: MIT
/*
 * overlayfs: files show another device than their directory.
 *
 * A loop over a directory ends at the first name on another device, for that may be a mount. On an overlay
 * every file is on another device than its directory. So the shim learns which device the files of an overlay
 * show, once for each overlay, by asking about one file. The byte code accepts that device for what is no
 * directory (SVP_REG_DEVICE2), and no other. Tested by tests/shim/ahead/directory_test.cc (FilesOfAnOverlay).
 */
#include "libsysvm/shim/known/overlay.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"

#define OVERLAYS 4
#define QUESTIONS (4 * OVERLAYS) /* more would cost every run, where files show devices for another reason */
static struct {
	uint64_t device, files;
} overlay[OVERLAYS];
static unsigned int overlays, questions;

void overlay_reset(void)
{
	bytes_zero(overlay, sizeof(overlay));
	overlays = questions = 0;
}

uint64_t overlay_files(uint64_t device)
{
	for (unsigned int i = 0; i < OVERLAYS; i++)
		if (overlay[i].files && overlay[i].device == device)
			return overlay[i].files;
	return device;
}

void overlay_learn(uint64_t device, uint64_t shown, uint64_t dirfd, const char *path)
{
	struct statfs fs;
	struct stat st;
	long fd;

	if (shown == device || shown == overlay_files(device) || questions == QUESTIONS)
		return;
	questions++;
	fd = own_call(SYS_openat, dirfd, (uint64_t)path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (!own_call(SYS_fstat, (uint64_t)fd, (uint64_t)&st, 0, 0) && st.st_dev == shown &&
	    S_ISREG(st.st_mode) && !own_call(SYS_fstatfs, (uint64_t)fd, (uint64_t)&fs, 0, 0) &&
	    (uint32_t)fs.f_type == OVERLAYFS_SUPER_MAGIC) {
		overlay[overlays % OVERLAYS].device = device;
		overlay[overlays++ % OVERLAYS].files = shown;
	}
	own_call(SYS_close, (uint64_t)fd, 0, 0, 0);
}
