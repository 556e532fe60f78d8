// SPDX-License-Identifier: MIT
/*
 * overlayfs: files show another device than their directory.
 *
 * A loop leaves a directory at the first entry on another device, for that may be a mount. On an overlay every file is
 * on another one, so which device the files of a directory's overlay show is learned, once for each overlay, by asking a
 * file itself. The byte code lets that device pass for what is no directory (SVP_REG_DEVICE2); nothing else is believed.
 * Tested by tests/shim/ahead/directory_test.cc (FilesOfAnOverlay).
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "libsysvm/shim/ahead/ahead.h"

#define OVERLAYS 4
static struct {
	uint64_t device, files;
} overlay[OVERLAYS];
static unsigned int overlays, overlay_looks;

uint64_t overlay_files(uint64_t device)
{
	for (unsigned int i = 0; i < OVERLAYS; i++)
		if (overlay[i].files && overlay[i].device == device)
			return overlay[i].files;
	return device;
}

/* What the first call about an entry has shown: its device; 0: it is no regular file. */
static uint64_t device_of_file(const struct svp_follower *f, const unsigned char *out)
{
	const struct stat *st = (const struct stat *)(const void *)out;
	const struct statx *stx = (const struct statx *)(const void *)out;

	if (f->nr == SYS_statx)
		return S_ISREG(stx->stx_mode) ? makedev(stx->stx_dev_major, stx->stx_dev_minor) : 0;
	return S_ISREG(st->st_mode) ? st->st_dev : 0;
}

/*
 * The loop has left behind a file on another device: is that how its overlay shows files? Then the next run knows. The
 * record is one that does not count, so nothing in it is believed: the file is opened by its name and asked.
 */
void overlay_learn(uint32_t number, const unsigned char *record)
{
	const struct svp_loop *l = ahead.proc[number].loop;
	const struct svp_follower *f = &ahead.svp.followers[ahead.svp.procs[number].first_follower + l->first];
	const struct follower_rule *rule = &ahead.follower[f - ahead.svp.followers];
	uint64_t device = ahead.page->reg[SVP_REG_DEVICE], entry = ahead.page->reg[SVP_REG_ENTRY], shown;
	bool under = f->arg[0].kind == SVP_ARG_UNDER || f->arg[1].kind == SVP_ARG_UNDER;
	struct statfs fs;
	struct stat st;
	long fd;

	if (rule->out >= 6 || record + l->stride > ahead.staging + AHEAD_STAGING || *(const uint64_t *)(const void *)record != entry ||
	    entry < (uint64_t)loop_log.own || entry + 280 > (uint64_t)loop_log.own_end + 256 || overlay_looks == 4 * OVERLAYS)
		return;
	shown = device_of_file(f, record + f->arg[rule->out].value);
	if (!shown || shown == device || shown == overlay_files(device))
		return;
	overlay_looks++;
	listing_path[LISTING_PATH_MAX + 256] = 0; /* the code has copied the name behind the path */
	fd = ahead_own(SYS_openat, f->arg[0].kind == SVP_ARG_REG ? ahead.page->reg[f->arg[0].reg] : (uint64_t)AT_FDCWD,
		       under ? (uint64_t)listing_path : entry + 19, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (!ahead_own(SYS_fstat, (uint64_t)fd, (uint64_t)&st, 0, 0) && st.st_dev == shown && S_ISREG(st.st_mode) &&
	    !ahead_own(SYS_fstatfs, (uint64_t)fd, (uint64_t)&fs, 0, 0) && (uint32_t)fs.f_type == OVERLAYFS_SUPER_MAGIC) {
		overlay[overlays % OVERLAYS].device = device;
		overlay[overlays++ % OVERLAYS].files = shown;
	}
	ahead_own(SYS_close, (uint64_t)fd, 0, 0, 0);
}
