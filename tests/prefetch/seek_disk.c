// SPDX-License-Identifier: MIT
/*
 * One rotating disk, for figures of the prefetcher: a file system with one file, `disk`, that shows an
 * image and reads it with one head. A request that does not go on where the latest one ended costs a seek,
 * or, a little further on, the time for what lies between to pass below the head; each byte costs its time.
 * Of those that wait, the next one by offset is served, as disks do. A loop device on `disk` is then a disk
 * to the kernel. Read only.
 *
 *     seek_disk IMAGE MOUNTPOINT SEEK_MICROSECONDS MEGABYTES_PER_SECOND     ends when it is unmounted
 */
#define FUSE_USE_VERSION 35
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME "/disk"

static int image;
static double seek_ns, byte_ns;

struct request {
	off_t offset;
	struct request *next;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct request *waiting;
	off_t at;
	bool busy;
} head = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0, false };

/* The first from where the head is, else the first of all. */
static struct request *next_request(void)
{
	struct request *best = NULL;

	for (struct request *r = head.waiting; r; r = r->next) {
		bool ahead = r->offset >= head.at;

		if (!best || (ahead && best->offset < head.at) ||
		    (ahead == (best->offset >= head.at) && r->offset < best->offset))
			best = r;
	}
	return best;
}

static void sleep_ns(double ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / 1e9), .tv_nsec = (long)ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &t, &t) == EINTR)
		;
}

static void wait_for_head(off_t offset, size_t size)
{
	struct request r = {.offset = offset}, **at;
	double moves;

	pthread_mutex_lock(&head.lock);
	r.next = head.waiting;
	head.waiting = &r;
	while (head.busy || next_request() != &r)
		pthread_cond_wait(&head.moved, &head.lock);
	for (at = &head.waiting; *at != &r; at = &(*at)->next)
		;
	*at = r.next;
	head.busy = true;
	moves = offset >= head.at ? byte_ns * (double)(offset - head.at) : seek_ns;
	head.at = offset + (off_t)size;
	pthread_mutex_unlock(&head.lock);
	sleep_ns((moves < seek_ns ? moves : seek_ns) + byte_ns * (double)size);
	pthread_mutex_lock(&head.lock);
	head.busy = false;
	pthread_cond_broadcast(&head.moved);
	pthread_mutex_unlock(&head.lock);
}

static int get_attributes(const char *path, struct stat *st, struct fuse_file_info *fi)
{
	(void)fi;
	memset(st, 0, sizeof(*st));
	if (!strcmp(path, "/")) {
		st->st_mode = S_IFDIR | 0755;
		st->st_nlink = 2;
		return 0;
	}
	if (strcmp(path, NAME))
		return -ENOENT;
	if (fstat(image, st))
		return -errno;
	st->st_mode = S_IFREG | 0444;
	return 0;
}

static int open_file(const char *path, struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	return strcmp(path, NAME) ? -ENOENT : 0;
}

static int read_file(const char *path, char *to, size_t size, off_t offset, struct fuse_file_info *fi)
{
	ssize_t n;

	(void)path;
	(void)fi;
	wait_for_head(offset, size);
	n = pread(image, to, size, offset);
	return n < 0 ? -errno : (int)n;
}

static void *begin(struct fuse_conn_info *connection, struct fuse_config *config)
{
	connection->max_background = 64;
	config->kernel_cache = 0;
	return NULL;
}

static const struct fuse_operations operations = {
	.init = begin,
	.getattr = get_attributes,
	.open = open_file,
	.read = read_file,
};

int main(int argc, char **argv)
{
	char *words[] = {argv[0], argc > 2 ? argv[2] : NULL, "-f", "-o",
			 "ro,fsname=sysvm-disk,subtype=sysvm-disk,max_threads=64", NULL};

	if (argc != 5) {
		fprintf(stderr, "usage: seek_disk IMAGE MOUNTPOINT SEEK_MICROSECONDS MEGABYTES_PER_SECOND\n");
		return 2;
	}
	image = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (image < 0) {
		perror(argv[1]);
		return 1;
	}
	seek_ns = strtod(argv[3], NULL) * 1e3;
	byte_ns = 1e3 / strtod(argv[4], NULL);
	return fuse_main(5, words, &operations, NULL);
}
