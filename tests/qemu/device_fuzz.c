// SPDX-License-Identifier: GPL-2.0
/*
 * Everybody does anything with the device: ioctl, mmap, munmap, mremap, madvise, mprotect, mlock, fadvise64,
 * fcntl, dup, read, write, pages and code rewritten, with random and boundary arguments, by processes that
 * come and go - threads, children that inherited the descriptor, other credentials, programs that were exec'd
 * with it, calls by the 32-bit entry. No result is expected but that the limits hold meanwhile, that
 * everything is given back at the end, and that the kernel says nothing (run.py).
 *
 *   guest_device_fuzz SECONDS [SEED]     prints the seed; the same seed gives each worker the same acts
 *
 * What the module makes of its arguments alone, with a sanitizer: tests/fuzz/ioctl_fuzz.c.
 */
#include "harness.h"
#include "lives.h"

#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#define WORKERS 6
#define MEMLOCK (2u << 20)
#define VIEW "/sys/kernel/debug/sysvm/contexts"

struct worker {
	uint64_t random;
	int fds[8];
	char *pages[8];
};

static uint64_t next(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static unsigned int below(struct worker *w, unsigned int n)
{
	return next(w) % n;
}

/* A number that something may be compared with, or anything. */
static uint64_t number(struct worker *w)
{
	static const uint64_t edges[] = { 0, 1, 2, 3, 255, 256, 1919, 1920, 1921, 4095, 4096, 4097, 8192,
					  16383, 16384, 16385, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
					  0x100000000, 0x7ffffffff000, 0x800000000000, 0xffff800000000000,
					  -4096ull, -1ull, SYSVM_ADVICE_RUN, SYSVM_PROC_PAGE };

	return below(w, 4) ? edges[below(w, sizeof(edges) / sizeof(edges[0]))] : next(w);
}

static char memory[65536]; /* where structures are handed in */

static void *address(struct worker *w)
{
	switch (below(w, 6)) {
	case 0:
		return (void *)number(w);
	case 1:
		return w->pages[below(w, 8)];
	case 2:
		return memory + sizeof(memory) - below(w, 64);
	}
	return memory + below(w, sizeof(memory) / 2);
}

/* Code of which most is instructions. */
static unsigned int write_code(struct worker *w, uint8_t *code, unsigned int room)
{
	unsigned int n = 1 + below(w, room - 1);

	for (unsigned int i = 0; i < n; i++)
		code[i] = below(w, 3) ? below(w, 64) : next(w);
	code[n - 1] = below(w, 8) ? SYSVM_OP_END : next(w);
	return n;
}

static unsigned long some_ioctl(struct worker *w)
{
	static const unsigned long commands[] = { SYSVM_IOC_QUERY, SYSVM_IOC_RUN, SYSVM_IOC_DEFINE,
						  SYSVM_IOC_UNDEFINE, SYSVM_IOC_CONTEXT };

	switch (below(w, 8)) {
	case 0:
		return number(w);
	case 1:
		return _IOC(below(w, 4), below(w, 2) ? SYSVM_IOC_MAGIC : 0xB7, below(w, 256),
			    below(w, 16384));
	}
	return commands[below(w, 5)];
}

static void do_ioctl(struct worker *w, int fd)
{
	unsigned long command = some_ioctl(w);
	void *argument = address(w);

	if (command == SYSVM_IOC_DEFINE && below(w, 4)) {
		struct sysvm_define *d = argument = memory;

		memset(d, 0, sizeof(*d));
		d->code = (uintptr_t)memory + 4096;
		d->code_len = below(w, 4) ? write_code(w, (uint8_t *)memory + 4096, below(w, 4) ? 200 : 16384)
					  : number(w);
		d->message = (uintptr_t)address(w);
		d->message_len = number(w);
		d->data_base = number(w);
	} else if (command == SYSVM_IOC_RUN && below(w, 4)) {
		struct sysvm_run *r = argument = memory + 1024;

		*r = (struct sysvm_run){ .proc = below(w, 2) ? SYSVM_PROC_PAGE : below(w, 8),
					 .seq = 1 + below(w, 4) };
	}
	if (below(w, 16)) {
		ioctl(fd, command, argument);
	} else {
		long ret; /* the 32-bit entry */

		__asm__ volatile("int $0x80"
				 : "=a"(ret)
				 : "a"(54), "b"(fd), "c"(command), "d"(argument)
				 : "memory", "r8", "r9", "r10", "r11");
	}
}

static void do_mapping(struct worker *w, int fd)
{
	unsigned int i = below(w, 8);
	char *at = below(w, 4) ? w->pages[i] : address(w);
	size_t size = below(w, 4) ? 4096 : number(w);

	/* Not our own memory: the test is to go on. */
	if (at != w->pages[i] && (uintptr_t)at < 0x7f0000000000)
		at = w->pages[i];
	switch (below(w, 8)) {
	case 0:
	case 1:
		if (!w->pages[i]) {
			at = mmap(NULL, size, below(w, 8), below(w, 8) ? MAP_SHARED : MAP_PRIVATE, fd,
				  below(w, 8) ? 0 : number(w) & ~4095ull);
			w->pages[i] = at == MAP_FAILED ? NULL : at;
			break;
		}
		break;
	case 2:
		if (w->pages[i])
			munmap(w->pages[i], 4096);
		w->pages[i] = NULL;
		break;
	case 3:
		if (w->pages[i]) {
			at = mremap(w->pages[i], below(w, 2) ? 4096 : 0, below(w, 2) ? 4096 : size,
				    below(w, 8) & ~MREMAP_FIXED);
			if (at != MAP_FAILED)
				w->pages[i] = at;
		}
		break;
	case 4:
		if (w->pages[i])
			madvise(w->pages[i], 4096, below(w, 128));
		break;
	case 5:
		if (w->pages[i])
			mprotect(w->pages[i], 4096, below(w, 8));
		break;
	case 6:
		if (w->pages[i] && below(w, 2))
			mlock(w->pages[i], 4096);
		else if (w->pages[i])
			msync(w->pages[i], 4096, below(w, 8));
		break;
	case 7:
		if (w->pages[i]) {
			struct iovec here = { memory, 64 }, there = { w->pages[i], 64 };

			syscall(below(w, 2) ? SYS_process_vm_readv : SYS_process_vm_writev, getpid(), &here,
				1, &there, 1, 0);
		}
		break;
	}
}

/* By the kernel's copies: a page may be away or read-only. */
static void do_page(struct worker *w)
{
	char *page = w->pages[below(w, 8)];
	static struct sysvm_page image;
	int pipes[2];

	if (!page)
		return;
	image.abi = number(w);
	image.status = below(w, 12);
	image.pc = below(w, 2) ? below(w, 64) : number(w);
	image.fuel = below(w, 4) ? 1000 : number(w);
	image.run_seq = 1 + below(w, 4);
	image.proc = below(w, 2) ? SYSVM_PROC_PAGE : below(w, 8);
	image.code_len = below(w, 8) ? write_code(w, image.code, 200) : number(w);
	for (int i = 0; i < 16; i++)
		image.reg[i] = below(w, 2) ? number(w) : (uintptr_t)memory;
	image.reg[0] = 1000 + below(w, 64); /* descriptors: seldom one that is open */
	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return;
	if (write(pipes[1], &image, sizeof(image)) == sizeof(image))
		(void)!read(pipes[0], page, sizeof(image));
	close(pipes[0]);
	close(pipes[1]);
}

static void do_descriptor(struct worker *w, unsigned int i)
{
	int fd = w->fds[i];

	switch (below(w, 8)) {
	case 0:
		fcntl(fd, F_SETFL, number(w));
		break;
	case 1:
		fcntl(fd, below(w, 2) ? below(w, 64) : 1024 + below(w, 40), below(w, 2) ? number(w) % 64 : 0);
		break;
	case 2:
		(void)!read(fd, memory, 64);
		break;
	case 3:
		(void)!write(fd, memory, 64);
		break;
	case 4:
		if (w->fds[i] >= 0)
			close(w->fds[i]);
		w->fds[i] = -1;
		break;
	case 5:
		if (w->fds[i] < 0)
			w->fds[i] = dup(w->fds[below(w, 8)]);
		break;
	default:
		if (w->fds[i] < 0)
			w->fds[i] = open("/dev/sysvm", below(w, 3) | (below(w, 2) ? O_CLOEXEC : 0));
		break;
	}
}

static void act(struct worker *w)
{
	unsigned int i = below(w, 8);

	switch (below(w, 8)) {
	case 0:
	case 1:
	case 2:
		do_ioctl(w, w->fds[i]);
		break;
	case 3:
		do_mapping(w, w->fds[i]);
		break;
	case 4:
	case 5:
		do_page(w);
		break;
	case 6:
		syscall(SYS_fadvise64, w->fds[i], number(w) % 5, below(w, 2) ? SYSVM_PROC_PAGE : number(w),
			below(w, 4) ? SYSVM_ADVICE_RUN : number(w));
		break;
	case 7:
		do_descriptor(w, i);
		break;
	}
}

static void *be_thread(void *worker)
{
	struct worker w = *(struct worker *)worker;

	w.random = w.random * 31 + 7;
	memset(w.pages, 0, sizeof(w.pages));
	for (int i = 0; i < 300; i++)
		act(&w);
	return NULL;
}

/* One life: acts, with a thread or a child or an exec in between, and the end by exit or by a signal. */
static void live(struct worker *w, const char *self)
{
	char seed[32];
	pthread_t thread;

	alarm(20); /* whatever waits */
	if (below(w, 3) == 0) {
		if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(1);
	}
	for (int i = 0; i < 400; i++)
		act(w);
	if (below(w, 2) && !pthread_create(&thread, NULL, be_thread, w)) {
		for (int i = 0; i < 200; i++)
			act(w);
		if (below(w, 2))
			pthread_join(thread, NULL);
	}
	switch (below(w, 3)) {
	case 0:
		if (!fork()) {
			for (int i = 0; i < 200; i++)
				act(w);
			_exit(0);
		}
		for (int i = 0; i < 200; i++)
			act(w);
		break;
	case 1:
		snprintf(seed, sizeof(seed), "%llu", (unsigned long long)next(w));
		execl(self, self, "exec", seed, NULL);
		break;
	}
	if (below(w, 4) == 0)
		kill(getpid(), SIGKILL);
	_exit(0);
}

static void start(struct worker *w, uint64_t seed, bool exec)
{
	struct rlimit memlock = { MEMLOCK, MEMLOCK };

	*w = (struct worker){ .random = seed * 0x9e3779b97f4a7c15ull | 1 };
	for (int i = 0; i < 8; i++)
		/* 3 and so on: whatever was kept */
		w->fds[i] = exec ? 3 + i : i < 3 ? open("/dev/sysvm", O_RDWR) : -1;
	setrlimit(RLIMIT_MEMLOCK, &memlock);
}

/* Whoever has a limit is within it. */
static void check_limits(void)
{
	static char text[1 << 20];
	int fd = open(VIEW, O_RDONLY | O_CLOEXEC);
	ssize_t n, have = 0;

	CHECK(fd >= 0);
	while ((n = read(fd, text + have, sizeof(text) - 1 - have)) > 0)
		have += n;
	close(fd);
	text[have] = 0;
	for (char *line = strstr(text, "user uid="); line; line = strstr(line + 1, "user uid=")) {
		unsigned int uid, contexts;
		size_t bytes, limited;

		CHECK_EQ(sscanf(line, "user uid=%u contexts=%u bytes=%zu limited=%zu", &uid, &contexts,
				&bytes, &limited),
			 4);
		if (uid && limited > MEMLOCK)
			FAIL("user %u has %zu bytes, limit %u", uid, limited, MEMLOCK);
	}
}

static void expect_nothing_left(void)
{
	static char text[1 << 16];
	struct timespec pause = { 0, 50000000 };

	for (int i = 0; i < 200; i++) {
		int fd = open(VIEW, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof(text) - 1);

		close(fd);
		CHECK(n >= 0);
		text[n] = 0;
		if (!strstr(text, "\nuser ") && !strstr(text, "\ncontext "))
			return;
		nanosleep(&pause, NULL);
	}
	FAIL("left behind:\n%s", text);
}

int main(int argc, char **argv)
{
	struct worker w;
	uint64_t seed, lives = 0;
	time_t end;

	if (argc == 3 && !strcmp(argv[1], "exec")) {
		start(&w, strtoull(argv[2], NULL, 10), true);
		alarm(20);
		for (int i = 0; i < 300; i++)
			act(&w);
		return 0;
	}
	if (argc < 2) {
		printf("usage: %s SECONDS [SEED]\n", argv[0]);
		return 2;
	}
	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL) * 1000003 + getpid();
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	CHECK_EQ(chmod("/dev/sysvm", 0666), 0);
	CHECK_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	end = time(NULL) + atoi(argv[1]);
	for (unsigned int alive = 0; time(NULL) < end;) {
		if (alive < WORKERS) {
			pid_t pid = fork();

			if (!pid) {
				start(&w, seed + lives, false);
				live(&w, argv[0]);
			}
			CHECK(pid > 0);
			alive++;
			lives++;
			continue;
		}
		if (waitpid(-1, NULL, WNOHANG) > 0)
			alive -= alive > 0; /* grandchildren count as well: some more lives at once */
		else
			usleep(1000);
		if (lives % 16 == 0)
			check_limits();
	}
	end_all_lives();
	chmod("/dev/sysvm", 0600);
	printf("%llu lives\n", (unsigned long long)lives);
	CHECK(lives > 0);
	expect_nothing_left();
	return 0;
}
