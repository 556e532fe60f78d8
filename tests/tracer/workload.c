// SPDX-License-Identifier: MIT
/*
 * Programs that know how many calls they make. Each mode makes a given number of getppid calls, which nothing
 * else makes, in a situation that tracers get wrong. Usage: workload MODE [N].
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *self;
static int count;

static void mark(int n)
{
	while (n-- > 0)
		syscall(SYS_getppid);
}

static int calls(void)
{
	mark(count);
	return 0;
}

/* count children, one mark in each. */
static int forks(void)
{
	for (int i = 0; i < count; i++) {
		pid_t child = fork();

		if (child == 0) {
			mark(1);
			_exit(i & 1);
		}
		waitpid(child, NULL, 0);
	}
	return 0;
}

static void *mark_in_thread(void *unused)
{
	mark(count);
	return unused;
}

/* 8 threads, count marks in each. */
static int threads(void)
{
	pthread_t thread[8];

	for (int i = 0; i < 8; i++)
		if (pthread_create(&thread[i], NULL, mark_in_thread, NULL))
			return 1;
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	return 0;
}

static void *exec_in_thread(void *unused)
{
	char n[16];

	mark(3);
	snprintf(n, sizeof(n), "%d", count);
	execl(self, self, "calls", n, NULL);
	return unused;
}

/* 2 marks in the first thread, 3 in another, which then replaces the process; count in the new image. */
static int exec_thread(void)
{
	pthread_t thread;

	mark(2);
	if (pthread_create(&thread, NULL, exec_in_thread, NULL))
		return 1;
	pause();
	return 1;
}

static volatile pid_t blocked[16];

static void *block(void *number)
{
	blocked[(long)number] = (pid_t)syscall(SYS_gettid);
	pause();
	return NULL;
}

/* Until the kernel says that it is in pause(). */
static int wait_for_pause(int number)
{
	char path[64], text[16] = "";

	while (!blocked[number])
		usleep(1000);
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", blocked[number]);
	for (;;) {
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		if (n <= 0)
			return -1;
		close(fd);
		text[n] = 0;
		if (atoi(text) == SYS_pause)
			return 0;
		usleep(1000);
	}
}

/* 16 threads blocked in pause when the process ends. */
static int exit_threads(void)
{
	pthread_t thread;

	for (long i = 0; i < 16; i++)
		if (pthread_create(&thread, NULL, block, (void *)i))
			return 1;
	mark(count);
	for (int i = 0; i < 16; i++)
		if (wait_for_pause(i))
			return 1;
	exit(5);
}

/* getppid answered by a filter: no entry is traced, the call returns EPERM. */
static int seccomp(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 1;
	mark(count);
	return 0;
}

/* A child is killed while it blocks in pause. */
static int sigkill(void)
{
	int ready[2];
	char c;

	if (pipe(ready))
		return 1;
	pid_t child = fork();

	if (child == 0) {
		mark(count);
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	if (read(ready[0], &c, 1) != 1)
		return 1;
	usleep(20000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}

/* count times vfork and exec of ourselves with one mark. */
static int vforks(void)
{
	for (volatile int i = 0; i < count; i++) {
		pid_t child = vfork();

		if (child == 0) {
			execl(self, self, "calls", "1", NULL);
			_exit(1);
		}
		int status;

		if (waitpid(child, &status, 0) != child || status)
			return 1;
	}
	return 0;
}

static void on_signal(int sig)
{
	(void)sig;
	mark(1);
}

/* count signals to ourselves, one mark in the handler of each. */
static int sigreturns(void)
{
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < count; i++)
		kill(getpid(), SIGUSR1);
	return 0;
}

/* Opens a path whose closing 0 is the last byte before an unmapped page, and one that is not mapped. */
static int page_end(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char path[] = "/page/end/path";

	if (page == MAP_FAILED || munmap(page + 4096, 4096))
		return 1;
	char *at = page + 4096 - sizeof(path);

	memcpy(at, path, sizeof(path));
	if (open(at, O_RDONLY) >= 0 || errno != ENOENT)
		return 1;
	if (syscall(SYS_openat, AT_FDCWD, page + 4096, O_RDONLY) >= 0 || errno != EFAULT)
		return 1;
	mark(count);
	return 0;
}

/* count calls through the 32-bit gate: number 20 is getpid there and writev here. */
static int compat(void)
{
	for (int i = 0; i < count; i++) {
		int ret = 20;

		__asm__ volatile("int $0x80" : "+a"(ret) : : "memory", "r8", "r9", "r10", "r11");
		if (ret != getpid())
			return 1;
	}
	mark(count);
	return 0;
}

/* A fork, then the parent ends with 7 while the child is still there. */
static int orphan(void)
{
	if (fork() == 0) {
		usleep(300000);
		mark(1);
		_exit(0);
	}
	mark(count);
	return 7;
}

/* stat facts: count stats of a file of known size and mode. */
static int stats(void)
{
	struct stat st;
	struct statx stx;

	for (int i = 0; i < count; i++)
		if (stat(self, &st) || syscall(SYS_statx, AT_FDCWD, self, 0, STATX_BASIC_STATS, &stx))
			return 1;
	mark(count);
	return 0;
}

/* A sleep that is stopped and continued by a child: the kernel restarts it under another number. */
static int restart(void)
{
	pid_t us = getpid(), child = fork();
	struct timespec rest = {1, 0};

	if (child == 0) {
		usleep(100000);
		kill(us, SIGSTOP);
		usleep(50000);
		kill(us, SIGCONT);
		_exit(0);
	}
	if (syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &rest, NULL))
		return 1;
	waitpid(child, NULL, 0);
	mark(count);
	return 0;
}

/* Calls that pass structures, with contents that the test knows. */
static int structures(void)
{
	int fds[2], pair[2], epoll = epoll_create1(0);
	char a[3] = "ab", b[5] = "cdef", names[1024];
	struct iovec iov[2] = {{a, 3}, {b, 5}};
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, ready[4];
	char folder[] = "/tmp/sysvm-workload-XXXXXX", path[64];
	int dir;

	if (pipe(fds) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || !mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/a file with a name", folder);
	dir = open(folder, O_RDONLY | O_DIRECTORY);
	close(creat(path, 0600));
	if (writev(fds[1], iov, 2) != 8 || readv(fds[0], iov, 2) != 8 || sendmsg(pair[0], &message, 0) != 8)
		return 2;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, pair[1], &event) || epoll_wait(epoll, ready, 4, 1000) != 1)
		return 3;
	struct pollfd polled = {pair[1], POLLIN, 0};

	if (poll(&polled, 1, 1000) != 1 || syscall(SYS_getdents64, dir, names, sizeof(names)) <= 0)
		return 4;
	unlink(path);
	rmdir(folder);
	mark(count);
	return 0;
}

/* Writes a known text and reads it again. */
static int contents(void)
{
	char text[] = "the password is swordfish", back[64];
	int fds[2];

	if (pipe(fds) || write(fds[1], text, sizeof(text)) != sizeof(text) ||
		    read(fds[0], back, 64) != sizeof(text))
		return 1;
	mark(count);
	return 0;
}

/* The least time of one mark, in ns, over rounds of count of them: what bench/trace_overhead compares. */
static int pace(void)
{
	double best = 1e18;

	for (int round = 0; round < 15; round++) {
		struct timespec a, b;

		clock_gettime(CLOCK_MONOTONIC, &a);
		mark(count);
		clock_gettime(CLOCK_MONOTONIC, &b);
		double ns = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / count;

		best = ns < best ? ns : best;
	}
	printf("%.1f\n", best);
	return 0;
}

static int raw_thread(void *unused)
{
	(void)unused;
	for (int i = 0; i < count; i++) {
		long ret = SYS_getppid;

		__asm__ volatile("syscall" : "+a"(ret) : : "rcx", "r11", "memory");
	}
	__asm__ volatile("syscall" : : "a"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
	return 0;
}

/* 4 threads that make count marks and exit, and not one call more. */
static int raw_threads(void)
{
	static char stacks[4][16384] __attribute__((aligned(16)));
	static pid_t tids[4];

	for (int i = 0; i < 4; i++)
		if (clone(raw_thread, stacks[i] + sizeof(stacks[i]),
			  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
				  CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID,
			  NULL, &tids[i], NULL, &tids[i]) < 0)
			return 1;
	for (int i = 0; i < 4; i++)
		while (__atomic_load_n(&tids[i], __ATOMIC_ACQUIRE))
			usleep(1000);
	return 0;
}

static volatile sig_atomic_t noticed;

static void notice(int sig)
{
	(void)sig;
	noticed++;
}

/*
 * One child makes count calls as fast as it can, another sleeps in epoll_wait, we wait for either to stop, to
 * go on or to end. 0 if nobody saw anything but the ends.
 */
static int unnoticed(void)
{
	struct sigaction action = {.sa_handler = notice};
	int ready[2], status;
	pid_t busy, asleep;

	if (pipe(ready))
		return 2;
	asleep = fork();
	if (asleep == 0) {
		int epoll = epoll_create1(0);
		struct epoll_event event = {.events = EPOLLIN};

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, ready[0], &event))
			_exit(3);
		_exit(epoll_wait(epoll, &event, 1, 60000) == 1 ? 0 : 4);
	}
	sigaction(SIGCONT, &action, NULL);
	busy = fork();
	if (busy == 0) {
		mark(count);
		_exit(noticed ? 5 : 0);
	}
	if (waitpid(busy, &status, WUNTRACED | WCONTINUED) != busy || !WIFEXITED(status) ||
		    WEXITSTATUS(status))
		return 6;
	if (write(ready[1], "r", 1) != 1)
		return 7;
	if (waitpid(asleep, &status, WUNTRACED | WCONTINUED) != asleep || !WIFEXITED(status))
		return 8;
	return WEXITSTATUS(status) ? WEXITSTATUS(status) : noticed;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} modes[] = {
		{"calls", calls}, {"forks", forks}, {"threads", threads},
		{"exec_thread", exec_thread}, {"seccomp", seccomp}, {"exit_threads", exit_threads},
		{"sigkill", sigkill}, {"vforks", vforks}, {"sigreturn", sigreturns},
		{"page_end", page_end}, {"compat", compat}, {"orphan", orphan},
		{"stats", stats}, {"raw_threads", raw_threads}, {"unnoticed", unnoticed},
		{"restart", restart}, {"structures", structures}, {"contents", contents},
		{"pace", pace},
	};

	self = argv[0];
	count = argc > 2 ? atoi(argv[2]) : 1;
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			return modes[i].run();
	fprintf(stderr, "workload: unknown mode\n");
	return 99;
}
