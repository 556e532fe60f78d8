// SPDX-License-Identifier: MIT
/*
 * A file system that shows a folder and answers after a while, as a network does: for tests and figures of
 * the prefetcher. Read only; answers may be kept by the kernel for as long as it likes, so what was asked
 * once is cached: names and attributes, entries, contents. Opens, which FUSE asks for each time, are answered
 * at once.
 *
 *     slow_fs FOLDER MOUNTPOINT MICROSECONDS [TRACE]     ends when it is unmounted
 *
 * TRACE gets a line for each open of a file or directory.
 */
#define FUSE_USE_VERSION 35
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *base;
static unsigned int delay_us;
static int trace = -1;

static const char *real_path(const char *path, char *to, size_t size)
{
	snprintf(to, size, "%s%s", base, path);
	return to;
}

static void note(const char *what, const char *path)
{
	if (trace >= 0)
		dprintf(trace, "%s %s\n", what, path);
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	char at[8192];

	(void)fi;
	usleep(delay_us);
	return lstat(real_path(path, at, sizeof(at)), st) ? -errno : 0;
}

static int read_link(const char *path, char *to, size_t size)
{
	char at[8192];
	ssize_t n = readlink(real_path(path, at, sizeof(at)), to, size - 1);

	usleep(delay_us);
	if (n < 0)
		return -errno;
	to[n] = 0;
	return 0;
}

static int open_directory(const char *path, struct fuse_file_info *fi)
{
	char at[8192];
	DIR *dir = opendir(real_path(path, at, sizeof(at)));

	note("opendir", path);
	if (!dir)
		return -errno;
	fi->fh = (uint64_t)(uintptr_t)dir;
	fi->cache_readdir = 1;
	fi->keep_cache = 1;
	return 0;
}

static int read_directory(const char *path, void *to, fuse_fill_dir_t fill, off_t offset,
			  struct fuse_file_info *fi,
			  enum fuse_readdir_flags flags)
{
	DIR *dir = (DIR *)(uintptr_t)fi->fh;
	struct dirent *e;

	(void)path;
	(void)flags;
	usleep(delay_us);
	seekdir(dir, offset);
	while ((e = readdir(dir))) {
		struct stat st = {.st_ino = e->d_ino, .st_mode = (mode_t)DTTOIF(e->d_type)};

		if (fill(to, e->d_name, &st, telldir(dir), 0))
			break;
	}
	return 0;
}

static int release_directory(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	return closedir((DIR *)(uintptr_t)fi->fh);
}

static int open_file(const char *path, struct fuse_file_info *fi)
{
	char at[8192];
	int fd = open(real_path(path, at, sizeof(at)), O_RDONLY | O_CLOEXEC);

	note("open", path);
	if (fd < 0)
		return -errno;
	fi->fh = (uint64_t)fd;
	fi->keep_cache = 1;
	return 0;
}

static int read_file(const char *path, char *to, size_t size, off_t offset, struct fuse_file_info *fi)
{
	ssize_t n = pread((int)fi->fh, to, size, offset);

	(void)path;
	usleep(delay_us);
	return n < 0 ? -errno : (int)n;
}

static int release_file(const char *path, struct fuse_file_info *fi)
{
	(void)path;
	return close((int)fi->fh);
}

static void *begin(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->use_ino = 1;
	config->kernel_cache = 1;
	config->entry_timeout = config->attr_timeout = config->negative_timeout = 3600;
	return NULL;
}

static const struct fuse_operations operations = {
	.init = begin,
	.getattr = get_attributes,
	.readlink = read_link,
	.opendir = open_directory,
	.readdir = read_directory,
	.releasedir = release_directory,
	.open = open_file,
	.read = read_file,
	.release = release_file,
};

int main(int argc, char **argv)
{
	char *words[] = {argv[0], argc > 2 ? argv[2] : NULL, "-f", "-o",
			 "ro,default_permissions,fsname=sysvm-slow,subtype=sysvm-slow,max_threads=64", NULL};

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: slow_fs FOLDER MOUNTPOINT MICROSECONDS [TRACE]\n");
		return 2;
	}
	base = argv[1];
	delay_us = (unsigned int)strtoul(argv[3], NULL, 10);
	if (argc == 5)
		trace = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return fuse_main(5, words, &operations, NULL);
}
