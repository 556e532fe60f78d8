// SPDX-License-Identifier: MIT
/*
 * The fallback where the C library cannot be patched (unknown build, text that must not be written,
 * --symbols): a library of its own that interposes file calls by name. It sees only what programs call
 * through their symbol table (25-98 %, figures in docs/benchmarks.md), so nothing is run ahead: every call is
 * passed on, and counted. A call is counted only if the next definition is libc's own: before fakeroot or
 * another preload library the call means something else (docs/semantics.md, 13), and that library gets it
 * untouched.
 *
 * Our variables are taken out of the environment and not put back: programs that it starts run plainly.
 *
 * Tested by tests/shim/entry/run.py (symbols).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "libsysvm/shim/bundle/open.h"
#include "libsysvm/shim/process/environment.h"
#include "libsysvm/shim/process/linkmap.h"
#include "libsysvm/shim/process/process.h"

/* The next definition of a name, looked up once; counted: it is libc's. */
struct next {
	void *function;
	int counted;
};

static int is_libc(const char *path)
{
	static const char start[8] = "libc.so.";
	const char *name = path;
	unsigned int same = 0;

	while (*path)
		if (*path++ == '/')
			name = path;
	while (same < sizeof(start) && name[same] == start[same])
		same++;
	return same == sizeof(start);
}

static void *find(struct next *next, const char *name)
{
	void *function = __atomic_load_n(&next->function, __ATOMIC_ACQUIRE);
	Dl_info info;

	if (!function) {
		function = dlsym(RTLD_NEXT, name);
		if (function && dladdr(function, &info) && info.dli_fname) {
			next->counted = is_libc(info.dli_fname);
		}
		__atomic_store_n(&next->function, function, __ATOMIC_RELEASE);
	}
	if (next->counted)
		__atomic_fetch_add(&process.file->stats.plain, 1, __ATOMIC_RELAXED);
	return function;
}

#define EXPORT __attribute__((visibility("default")))
#define HAND_ON(result, name, parameters, arguments)                                  \
	EXPORT result name parameters                                                 \
	{                                                                             \
		static struct next next;                                              \
		result(*function) parameters = (result(*) parameters)find(&next, #name); \
		return function arguments;                                            \
	}
#define HAND_ON_OPEN(name, parameters, arguments, with_mode)                          \
	EXPORT int name parameters                                                    \
	{                                                                             \
		static struct next next;                                              \
		int (*function) parameters = (int(*) parameters)find(&next, #name);   \
		va_list list;                                                         \
		mode_t mode = 0;                                                      \
		if (flags & (O_CREAT | __O_TMPFILE)) {                                \
			va_start(list, flags);                                        \
			mode = va_arg(list, mode_t);                                  \
			va_end(list);                                                 \
		}                                                                     \
		return function with_mode;                                            \
	}

HAND_ON_OPEN(open, (const char *path, int flags, ...), (path, flags), (path, flags, mode))
HAND_ON_OPEN(open64, (const char *path, int flags, ...), (path, flags), (path, flags, mode))
HAND_ON_OPEN(openat, (int fd, const char *path, int flags, ...), (fd, path, flags), (fd, path, flags, mode))
HAND_ON_OPEN(openat64, (int fd, const char *path, int flags, ...), (fd, path, flags), (fd, path, flags, mode))
HAND_ON(ssize_t, read, (int fd, void *buffer, size_t n), (fd, buffer, n))
HAND_ON(ssize_t, pread, (int fd, void *buffer, size_t n, off_t at), (fd, buffer, n, at))
HAND_ON(ssize_t, pread64, (int fd, void *buffer, size_t n, off64_t at), (fd, buffer, n, at))
HAND_ON(ssize_t, write, (int fd, const void *buffer, size_t n), (fd, buffer, n))
HAND_ON(int, close, (int fd), (fd))
HAND_ON(int, fstat, (int fd, struct stat *st), (fd, st))
HAND_ON(int, fstat64, (int fd, struct stat64 *st), (fd, st))
HAND_ON(int, stat, (const char *path, struct stat *st), (path, st))
HAND_ON(int, stat64, (const char *path, struct stat64 *st), (path, st))
HAND_ON(int, lstat, (const char *path, struct stat *st), (path, st))
HAND_ON(int, lstat64, (const char *path, struct stat64 *st), (path, st))
HAND_ON(int, fstatat, (int fd, const char *path, struct stat *st, int flags), (fd, path, st, flags))
HAND_ON(int, fstatat64, (int fd, const char *path, struct stat64 *st, int flags), (fd, path, st, flags))
HAND_ON(off_t, lseek, (int fd, off_t offset, int whence), (fd, offset, whence))
HAND_ON(off64_t, lseek64, (int fd, off64_t offset, int whence), (fd, offset, whence))
HAND_ON(int, access, (const char *path, int mode), (path, mode))
HAND_ON(ssize_t, readlink, (const char *path, char *buffer, size_t n), (path, buffer, n))
HAND_ON(int, posix_fadvise, (int fd, off_t offset, off_t n, int advice), (fd, offset, n, advice))

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	char path[BUNDLE_PATH_MAX];
	struct stat st;
	bool disabled;
	long map, fd;

	(void)argc;
	if (!envp)
		return;
	linkmap_init(argv, envp);
	environment_hide(envp, &disabled, path, sizeof(path));
	if (disabled || !path[0])
		return;
	process.bundle = bundle_open(path);
	if (!process.bundle)
		return;
	fd = raw3(SYS_open, process.bundle->stats_path, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return;
	map = -1;
	if (raw2(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == sizeof(process_private_file))
		map = raw6(SYS_mmap, 0, sizeof(process_private_file), PROT_READ | PROT_WRITE, MAP_SHARED,
			   RAW_U(fd), 0);
	raw1(SYS_close, fd);
	if (map > -4096 && map <= 0)
		return;
	process.file = (struct shim_stats_file *)map;
	bump(&process.file->stats.processes);
	bump(&process.file->stats.off[SHIM_OFF_LIBC]);
}
