// SPDX-License-Identifier: MIT
/*
 * A broad set of C library calls, each printed with its result and errno: good ones and ones that must fail.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression)                                                     \
	do {                                                                 \
		errno = 0;                                                   \
		long value = (long)(expression);                             \
		printf("%-50s %ld errno %d\n", #expression, value, errno);   \
	} while (0)
#define GOOD(expression)                                                     \
	do {                                                                 \
		errno = 0;                                                   \
		long value = (long)(expression);                             \
		printf("%-50s %s errno %d\n", #expression, value < 0 ? "failed" : "ok", errno); \
	} while (0)

int main(int argc, char **argv)
{
	char b[4096], c[64] = "some bytes";
	struct stat st;
	struct statfs fs;
	struct utsname name;
	struct timespec ts = { 0, 1000 };
	struct timeval tv = { 0, 1000 };
	struct rlimit limit;
	struct rusage usage;
	struct iovec v[2] = { { b, 3 }, { b + 3, 4 } };
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd pfd;
	struct flock lock = { .l_type = F_WRLCK };
	sigset_t set;
	cpu_set_t cpus;
	void *volatile nowhere = (void *)1;
	int p[2], fd, fd2;

	if (argc < 2 || chdir(argv[1]) != 0)
		return 2;
	SHOW(mkdir("d", 0700));
	SHOW(mkdir("d", 0700));
	SHOW(fd = open("d/f", O_RDWR | O_CREAT | O_EXCL, 0640));
	SHOW(open("d/f", O_RDWR | O_CREAT | O_EXCL, 0640));
	SHOW(openat(AT_FDCWD, "none", O_RDONLY));
	SHOW(write(fd, c, 10));
	SHOW(pwrite(fd, c, 4, 20));
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(read(fd, b, 100));
	SHOW(read(fd, b, 100));
	SHOW(read(fd, nowhere, 100));
	SHOW(pread(fd, b, 5, 3));
	SHOW(lseek(fd, 1, SEEK_SET));
	SHOW(readv(fd, v, 2));
	SHOW(writev(fd, v, 2));
	SHOW(fstat(fd, &st));
	SHOW(st.st_size);
	SHOW(stat("d/f", &st));
	SHOW(lstat("none", &st));
	SHOW(fstatat(AT_FDCWD, "d", &st, 0));
	SHOW(access("d/f", R_OK));
	SHOW(ftruncate(fd, 5));
	SHOW(fsync(fd));
	SHOW(fdatasync(fd));
	SHOW(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
	SHOW(fchmod(fd, 0600));
	SHOW(flock(fd, LOCK_EX));
	SHOW(fcntl(fd, F_SETLK, &lock));
	SHOW(fcntl(fd, F_GETFL) & O_ACCMODE);
	SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
	SHOW(fcntl(fd, F_GETFD));
	SHOW(fd2 = dup(fd));
	SHOW(dup2(fd, 20));
	SHOW(dup3(fd, 21, O_CLOEXEC));
	SHOW(close(fd2));
	SHOW(close(fd2));
	SHOW(close(20));
	SHOW(link("d/f", "d/g"));
	SHOW(symlink("f", "d/s"));
	SHOW(readlink("d/s", b, sizeof(b)));
	SHOW(rename("d/g", "d/h"));
	SHOW(setxattr("d/f", "user.a", "b", 1, 0) < 0 && errno != ENOTSUP);
	SHOW(getxattr("d/none", "user.a", b, 10));
	SHOW(utimensat(AT_FDCWD, "d/f", NULL, 0));
	SHOW(chmod("d/f", 0644));
	GOOD(umask(022));
	SHOW(truncate("d/f", 3));
	SHOW(statfs("d", &fs));
	SHOW(unlink("d/h"));
	SHOW(unlink("d/h"));
	GOOD(getcwd(b, sizeof(b)) ? 0 : -1);
	DIR *dir = opendir("d");
	int entries = 0;
	while (readdir(dir))
		entries++;
	SHOW(entries);
	SHOW(closedir(dir));
	SHOW(pipe(p));
	SHOW(write(p[1], "x", 1));
	pfd = (struct pollfd){ p[0], POLLIN, 0 };
	SHOW(poll(&pfd, 1, 0));
	fd_set fds;
	FD_ZERO(&fds);
	FD_SET(p[0], &fds);
	SHOW(select(p[0] + 1, &fds, NULL, NULL, &tv));
	SHOW(read(p[0], b, 10));
	SHOW(fcntl(p[0], F_SETFL, O_NONBLOCK));
	SHOW(read(p[0], b, 10));
	SHOW(fd2 = epoll_create1(0));
	SHOW(epoll_ctl(fd2, EPOLL_CTL_ADD, p[0], &event));
	SHOW(epoll_wait(fd2, &event, 1, 0));
	SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	SHOW(send(p[0], "abc", 3, MSG_NOSIGNAL));
	SHOW(recv(p[1], b, 10, MSG_DONTWAIT));
	SHOW(shutdown(p[0], SHUT_RDWR));
	SHOW(eventfd(1, EFD_CLOEXEC));
	SHOW(timerfd_create(CLOCK_MONOTONIC, 0));
	SHOW(memfd_create("m", 0));
	SHOW(nanosleep(&ts, NULL));
	SHOW(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL));
	SHOW(sched_yield());
	SHOW(sched_getaffinity(0, sizeof(cpus), &cpus));
	SHOW(uname(&name));
	SHOW(getrlimit(RLIMIT_NOFILE, &limit));
	SHOW(getrusage(RUSAGE_SELF, &usage));
	SHOW(sigemptyset(&set) | sigaddset(&set, SIGUSR1) | sigprocmask(SIG_BLOCK, &set, NULL));
	SHOW(kill(getpid(), SIGUSR1));
	SHOW(sigpending(&set) | sigismember(&set, SIGUSR1));
	SHOW(sigtimedwait(&set, NULL, &ts));
	GOOD(getppid());
	SHOW(getpgid(0) == getpgrp());
	SHOW(getuid() == geteuid());
	SHOW(setpgid(999999, 1));
	SHOW(waitpid(-1, NULL, WNOHANG));
	void *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SHOW(m == MAP_FAILED);
	SHOW(mprotect(m, 4096, PROT_READ));
	SHOW(madvise(m, 4096, MADV_DONTNEED));
	SHOW(munmap(m, 8192));
	m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	SHOW(memcmp(m, "som", 3));
	SHOW(sbrk(4096) == (void *)-1);
	/* syscall(): six arguments, an error, a number that does not exist */
	SHOW(syscall(SYS_mmap, 0L, 4096L, (long)PROT_READ, (long)MAP_PRIVATE, (long)fd, 0L) < 0);
	SHOW(syscall(SYS_lseek, fd, 2L, (long)SEEK_SET));
	SHOW(syscall(SYS_read, fd, b, 1L));
	SHOW(syscall(SYS_close, 4000L));
	SHOW(syscall(499L));
	SHOW(syscall(5000L));
	SHOW(syscall(-1L));
	FILE *f = fopen("d/f", "r");
	SHOW(fgets(b, sizeof(b), f) != NULL);
	SHOW(fclose(f));
	SHOW(system("exit 7"));
	f = popen("echo from a child", "r");
	SHOW(fgets(b, sizeof(b), f) != NULL);
	SHOW(strcmp(b, "from a child\n"));
	SHOW(pclose(f));
	b[0] = 0;
	GOOD(realpath("d/s", b) ? 0 : -1);
	time_t now = 0;
	SHOW(localtime(&now)->tm_year);
	return 0;
}
