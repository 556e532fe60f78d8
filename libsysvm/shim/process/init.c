// SPDX-License-Identifier: MIT
/*
 * The shim's start, before main and with one thread: takes its variables out of the environment, reads the
 * bundle, decides whether this process may be more than plain, patches, and starts the ahead half.
 *
 * Whether a filter or a tracer judges this process is not known at first: a program that we did not see may
 * have set it and then run this one. So the first question (/proc/self/status) is asked by calls that the
 * loader has just made, in the same form - openat for reading, read, close - and if the answer is yes there
 * are no others.
 *
 * Without a valid bundle, with SYSVM_DISABLE=1, under a tracer, a seccomp filter or limits that leave no room
 * nothing is patched: not a byte of the process changes but its environment, and not even the statistics are
 * opened. For the other reasons exec's sites are patched all the same, because programs that it runs later
 * may be better placed, and our variables must be passed on. Without procedures all sites are patched: every
 * call is forwarded and counted.
 * Tested by tests/shim/entry.
 */
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/bundle/open.h"
#include "libsysvm/shim/process/dispatch.h"
#include "libsysvm/shim/process/environment.h"
#include "libsysvm/shim/process/exec.h"
#include "libsysvm/shim/process/limits.h"
#include "libsysvm/shim/process/linkmap.h"
#include "libsysvm/shim/process/objects.h"
#include "libsysvm/shim/process/process.h"

extern unsigned char shim_slots[]; /* entry.S */

static struct shim_stats_file *stats_open(const char *path)
{
	struct stat st;
	/* No path: nobody wants counters. It may be one below /proc, which is a link. */
	long map = -1, fd = path[0] ? own3(SYS_open, path, O_RDWR | O_CLOEXEC, 0) : -1;

	if (fd < 0)
		return &process_private_file;
	if (own2(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == sizeof(process_private_file)) {
		bump(&process.file->stats.own);
		map = raw6(SYS_mmap, 0, sizeof(process_private_file), PROT_READ | PROT_WRITE, MAP_SHARED,
			   RAW_U(fd), 0);
	}
	own1(SYS_close, fd);
	if (map > -4096 && map <= 0)
		return &process_private_file;
	return (struct shim_stats_file *)map;
}

static uint64_t field(const char *status, const char *name)
{
	for (const char *p = status; *p; p++) {
		const char *a = p, *b = name;
		uint64_t v = 0;

		while (*b && *a == *b)
			a++, b++;
		if (*b)
			continue;
		while (*a == ' ' || *a == '\t')
			a++;
		while (*a >= '0' && *a <= '9')
			v = v * 10 + (uint64_t)(*a++ - '0');
		return v;
	}
	return ~0ull;
}

/* What /proc/self/status says; without it, nothing is known and all fields are missing. */
static const char *read_status(void)
{
	static char status[4096];
	long n, have = 0, fd = own4(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return status;
	while (have < (long)sizeof(status) - 1 &&
	       (n = own3(SYS_read, fd, status + have, (long)sizeof(status) - 1 - have)) > 0)
		have += n;
	status[have] = 0;
	own1(SYS_close, fd);
	return status;
}

static enum shim_reason start_ahead(void)
{
	struct shim_settings settings = {
		.svp = (const char *)process.bundle + process.bundle->svp_offset,
		.svp_size = process.bundle->svp_size,
		.engine = (int)process.bundle->engine,
		.strict = (int)process.bundle->strict,
		.age_ms = process.bundle->age_ms,
		.relaxed_age = (int)process.bundle->relaxed_age,
		.stats = &process.file->stats,
		.vdso = linkmap_auxv(AT_SYSINFO_EHDR),
		.resolve = objects_resolve,
	};

	if (!settings.svp_size)
		return SHIM_OFF_DISABLED;
	settings.exe_build_id_len = objects_exe_build_id(settings.exe_build_id);
	return (enum shim_reason)ahead_init(&settings);
}

/* What the process is, and what it may be. */
static void decide(const char *status)
{
	enum shim_reason reason, closed;

	dispatch_init();
	exec_init();
	process.slot_memory = shim_slots;
	reason = field(status, "\nThreads:") != 1 ? SHIM_OFF_THREADS : SHIM_ON;
	closed = objects_find();
	if (!reason)
		reason = closed;
	if (!reason)
		reason = start_ahead();
	closed = objects_patch(!reason || !process.bundle->svp_size);
	if (!reason && !closed) {
		process.alone = !__atomic_load_n(&process.file->forked, __ATOMIC_RELAXED);
		shim_mode = 1;
		return;
	}
	if (reason)
		bump(&process.file->stats.off[reason]);
	else
		ahead_stop(closed); /* counts it */
	process.off = reason ? reason : closed;
	process_not_alone();
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	char bundle_path[BUNDLE_PATH_MAX];
	const char *status;
	bool disabled;

	(void)argc;
	if (!envp)
		return;
	linkmap_init(argv, envp);
	environment_hide(envp, &disabled, bundle_path, sizeof(bundle_path));
	if (disabled || !bundle_path[0])
		return;
	status = read_status();
	if (field(status, "\nTracerPid:") != 0 ||
	    (field(status, "\nSeccomp:") != 0 && !bundle_allows_filter(bundle_path)) || !limits_leave_room())
		return;
	process.bundle = bundle_open(bundle_path);
	if (!process.bundle)
		return;
	process.file = stats_open(process.bundle->stats_path);
	shim_plain_counter = process.file->plain[0];
	bump(&process.file->stats.processes);
	/* counted before there was a file */
	bump_n(&process.file->stats.own, process_private_file.stats.own);
	decide(status);
	count_flush(&process.file->stats);
}
