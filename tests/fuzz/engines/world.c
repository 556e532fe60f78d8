// SPDX-License-Identifier: MIT
/*
 * The world that each run finds: a tree of a dozen files that is the root directory of its process, a dozen
 * open descriptors, limits. It is described as text, so that a difference can be read; times are shown only
 * where a program set them (all its times are long past).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fuzz.h"

#define FILE_LIMIT 65536 /* bytes: larger files would take long to copy, over and over */
#define DESCRIPTORS 100	 /* fewer than the machine's own number, which a program would notice */
#define LONG_AGO 1000000000

#define SOMEBODY 1 /* user and group of programs and files */

static char root[256];
static bool is_root; /* of the machine, not of a namespace only */
static unsigned char pattern[3000];

struct text {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, t->left, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < t->left) {
		t->at += n;
		t->left -= n;
	}
}

static void must(long result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "engine_fuzz: %s: %s\n", what, strerror(errno));
	_exit(2);
}

/* Not root: a user namespace of our own gives the right to change the root directory. */
static void become_root_of_a_namespace(void)
{
	char map[64];
	int uid = getuid(), fd;

	if (unshare(CLONE_NEWUSER) < 0)
		return;
	snprintf(map, sizeof(map), "0 %d 1", uid);
	fd = open("/proc/self/uid_map", O_WRONLY);
	if (fd >= 0) {
		if (write(fd, map, strlen(map)) < 0)
			fprintf(stderr, "engine_fuzz: uid_map: %s\n", strerror(errno));
		close(fd);
	}
}

int world_prepare(const char *scratch)
{
	unsigned int i;
	int status;
	pid_t pid;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = i * 7 + i / 256;
	snprintf(root, sizeof(root), "%s/engine_fuzz.%d", scratch, getpid());
	is_root = !geteuid();
	if (!is_root)
		become_root_of_a_namespace();
	if (mkdir(root, 0755) < 0)
		return -errno;
	pid = fork();
	if (!pid)
		_exit(chroot(root) < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	rmdir(root);
	return -WEXITSTATUS(status);
}

static void make_file(int dir, const char *name, size_t size, mode_t mode)
{
	int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY, mode);

	must(fd, name);
	must(write(fd, pattern, size), "write");
	close(fd);
}

void world_make(void)
{
	static const char *const entries[] = {"", "f", "g", "h", "d", "d/a", "d/b", "d/e", "l", "loop"};
	unsigned int i;
	int dir;

	umask(022);
	must(mkdir(root, 0755), root);
	dir = open(root, O_PATH | O_DIRECTORY);
	must(dir, root);
	make_file(dir, "f", 3000, 0644);
	make_file(dir, "g", 0, 0644);
	make_file(dir, "h", 100, 0600);
	must(mkdirat(dir, "d", 0755), "d");
	make_file(dir, "d/a", 500, 0644);
	must(symlinkat("../f", dir, "d/b"), "d/b");
	must(mkdirat(dir, "d/e", 0755), "d/e");
	must(symlinkat("d", dir, "l"), "l");
	must(symlinkat("loop", dir, "loop"), "loop");
	must(linkat(dir, "h", dir, "d/h", 0), "d/h");
	if (is_root)
		for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
			must(fchownat(dir, entries[i], SOMEBODY, SOMEBODY,
				      AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH),
			     "chown");
	close(dir);
}

/*
 * Not root's numbers any more, but with most of its rights: some inodes are the whole kernel's (that of every
 * epoll descriptor, for one), and a program that is not their owner cannot change their mode and owner for
 * everybody.
 */
static void become_somebody(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	uint32_t kept = 1u << CAP_SYS_ADMIN | 1u << CAP_SYS_RESOURCE | 1u << CAP_DAC_OVERRIDE;
	struct __user_cap_data_struct caps[2];

	must(prctl(PR_SET_KEEPCAPS, 1), "prctl");
	must(setresgid(SOMEBODY, SOMEBODY, SOMEBODY), "setresgid");
	must(setresuid(SOMEBODY, SOMEBODY, SOMEBODY), "setresuid");
	must(syscall(SYS_capget, &header, caps), "capget");
	caps[0].permitted &= kept;
	caps[0].effective = caps[0].permitted;
	caps[0].inheritable = 0;
	caps[1] = (struct __user_cap_data_struct){0, 0, 0};
	must(syscall(SYS_capset, &header, caps), "capset");
}

void world_enter(void)
{
	struct sockaddr_un address = {AF_UNIX, "socka"};
	struct rlimit files = {FILE_LIMIT, FILE_LIMIT}, descriptors;
	int pair[2], i;

	must(chroot(root), "chroot");
	must(chdir("/"), "chdir");
	umask(022);
	must(setrlimit(RLIMIT_FSIZE, &files), "setrlimit");
	getrlimit(RLIMIT_NOFILE, &descriptors);
	descriptors.rlim_cur = DESCRIPTORS;
	must(setrlimit(RLIMIT_NOFILE, &descriptors), "setrlimit");
	/* The descriptors of the machine lie above 199. */
	must(syscall(SYS_close_range, 0, 199, 0), "close_range");
	must(open("f", O_RDWR), "f");						       /* 0 */
	must(open("d", O_RDONLY | O_DIRECTORY), "d");				       /* 1 */
	must(open("h", O_RDWR | O_APPEND), "h");				       /* 2 */
	must(pipe2(pair, O_NONBLOCK), "pipe2");					       /* 3, 4 */
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), "socketpair"); /* 5, 6 */
	must(open("g", O_WRONLY), "g");						       /* 7 */
	must(epoll_create1(0), "epoll_create1");				       /* 8 */
	for (i = 9; i < 12; i++) /* 9: listens; 10: fresh; 11: connected */
		must(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
	must(bind(9, (void *)&address, sizeof(address)), "bind");
	must(listen(9, 3), "listen");
	must(connect(11, (void *)&address, sizeof(address)), "connect");
	must(write(4, pattern, 300), "pipe");
	must(write(6, pattern, 200), "socket");
	setxattr("f", "trusted.a", "value", 5, 0); /* not everywhere */
	if (is_root)
		become_somebody();
}

void world_describe_task(char *text, size_t size)
{
	struct text t = {text, size};
	struct rlimit limit;
	char path[256];
	mode_t mask = umask(0);
	int fd;

	getrlimit(RLIMIT_NOFILE, &limit);
	say(&t, "umask %o, %lu files, in %s\n", mask, (unsigned long)limit.rlim_cur,
	    syscall(SYS_getcwd, path, sizeof(path)) < 0 ? "?" : path);
	for (fd = 0; fd < 64; fd++) {
		int flags = fcntl(fd, F_GETFL);
		struct stat st;

		if (flags < 0 || fstat(fd, &st) < 0)
			continue;
		say(&t, "fd %d: mode %o size %lld flags %#x %d position %lld\n", fd, st.st_mode,
		    S_ISREG(st.st_mode) ? (long long)st.st_size : 0, flags, fcntl(fd, F_GETFD),
		    (long long)lseek(fd, 0, SEEK_CUR));
	}
}

static uint32_t sum(const void *bytes, size_t n, uint32_t start)
{
	const unsigned char *p = bytes;

	while (n--)
		start = (start ^ *p++) * 16777619u;
	return start;
}

static uint32_t content_of(int dir, const char *name)
{
	static unsigned char bytes[FILE_LIMIT];
	int fd = openat(dir, name, O_RDONLY | O_NOATIME | O_NONBLOCK);
	uint32_t all = 1;
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		all = sum(bytes, n, all);
	close(fd);
	return all;
}

static void say_attributes(struct text *t, int dir, const char *name)
{
	char path[64], names[512], value[300];
	ssize_t n, len, i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	n = llistxattr(path, names, sizeof(names));
	for (i = 0; i < n; i += strlen(names + i) + 1) {
		len = lgetxattr(path, names + i, value, sizeof(value));
		say(t, " %s=%zd:%x", names + i, len, len > 0 ? sum(value, len, 1) : 0);
	}
}

static void say_time(struct text *t, const char *which, const struct timespec *time)
{
	if (time->tv_sec < LONG_AGO)
		say(t, " %s %lld.%09ld", which, (long long)time->tv_sec, time->tv_nsec);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int no_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static void say_directory(struct text *t, int parent, const char *path, int depth);

static void say_entry(struct text *t, int dir, const char *name, int depth)
{
	char target[128] = "";
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	say(t, "%*s%s %o %d:%d links %d", depth * 2, "", name, st.st_mode, st.st_uid, st.st_gid,
	    (int)st.st_nlink);
	if (S_ISREG(st.st_mode))
		say(t, " size %lld content %x", (long long)st.st_size, content_of(dir, name));
	if (S_ISLNK(st.st_mode) && readlinkat(dir, name, target, sizeof(target) - 1) >= 0)
		say(t, " -> %s", target);
	say_time(t, "read", &st.st_atim);
	say_time(t, "written", &st.st_mtim);
	say_attributes(t, dir, name);
	say(t, "\n");
	if (S_ISDIR(st.st_mode))
		say_directory(t, dir, name, depth + 1);
}

static void say_directory(struct text *t, int parent, const char *path, int depth)
{
	struct dirent **entries;
	int dir = openat(parent, path, O_RDONLY | O_DIRECTORY | O_NOATIME);
	int i, n = dir < 0 ? -1 : scandirat(parent, path, &entries, no_dots, by_name);

	for (i = 0; i < n; i++) {
		if (depth < 10)
			say_entry(t, dir, entries[i]->d_name, depth);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (dir >= 0)
		close(dir);
}

void world_describe_tree(char *text, size_t size)
{
	struct text t = {text, size};

	text[0] = 0;
	say_directory(&t, AT_FDCWD, root, 0);
}

static void remove_below(int dir)
{
	DIR *d = fdopendir(dir);
	struct dirent *entry;

	while ((entry = readdir(d))) {
		if (!no_dots(entry))
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) < 0 && errno == EISDIR) {
			int below = openat(dirfd(d), entry->d_name, O_RDONLY | O_DIRECTORY);

			if (below >= 0)
				remove_below(below);
			unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
		}
	}
	closedir(d);
}

void world_remove(void)
{
	int dir = open(root, O_RDONLY | O_DIRECTORY);

	if (dir >= 0)
		remove_below(dir);
	rmdir(root);
}
