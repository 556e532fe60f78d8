// SPDX-License-Identifier: MIT
/*
 * Signal handlers: queries show the application's own, resets and errors are the kernel's, and a 10 kHz timer
 * whose handler makes calls on a minimal alternate stack, and sometimes jumps out, does no harm.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t ticks, may_jump;
static sigjmp_buf out;

static void one(int s) { (void)s; }
static void two(int s) { (void)s; }

static void tick(int s)
{
	char c;
	int saved = errno, fd = open("/etc/hostname", O_RDONLY);

	(void)s;
	(void)!read(fd, &c, 1);
	close(fd);
	errno = saved;
	if (++ticks % 16 == 0 && may_jump)
		siglongjmp(out, 1);
}

static const char *name(void (*h)(int))
{
	return h == SIG_DFL   ? "default"
	       : h == SIG_IGN ? "ignore"
	       : h == one     ? "one"
	       : h == two     ? "two"
			      : "foreign";
}

int main(void)
{
	struct sigaction a = { .sa_handler = one, .sa_flags = SA_RESTART }, old;
	struct itimerval timer = { { 0, 100 }, { 0, 100 } }, stop = { { 0, 0 }, { 0, 0 } };
	/* First what the kernel's frame needs here and 2 KiB for the handler, from the low end of this. */
	static char stack[1 << 17];
	stack_t alternate = { .ss_sp = stack };
	static volatile unsigned long wrong;
	static volatile int jumping;

	sigaction(SIGUSR1, NULL, &old);
	printf("%s\n", name(old.sa_handler));
	sigaction(SIGUSR1, &a, NULL);
	a.sa_handler = two;
	sigaction(SIGUSR1, &a, &old);
	printf("%s %#x\n", name(old.sa_handler), old.sa_flags & SA_RESTART);
	a.sa_handler = one;
	sigaction(SIGUSR1, &a, &old);
	printf("%s\n", name(old.sa_handler));
	printf("%s\n", name(signal(SIGUSR1, SIG_IGN)));
	printf("%s\n", name(signal(SIGUSR1, SIG_DFL)));
	a.sa_flags = SA_RESETHAND;
	sigaction(SIGUSR2, &a, NULL);
	raise(SIGUSR2);
	sigaction(SIGUSR2, NULL, &old);
	printf("%s\n", name(old.sa_handler));
	errno = 0;
	printf("%d", sigaction(SIGKILL, &a, NULL));
	printf(" %d\n", errno);
	errno = 0;
	printf("%ld", syscall(SYS_rt_sigaction, SIGUSR1, 1L, NULL, 8L));
	printf(" %d\n", errno);
	errno = 0;
	printf("%ld", syscall(SYS_rt_sigaction, SIGUSR1, NULL, 1L, 8L));
	printf(" %d\n", errno);

	a = (struct sigaction){ .sa_handler = tick, .sa_flags = SA_RESTART | SA_ONSTACK };
	sigaction(SIGALRM, &a, NULL);
	for (jumping = 0; jumping < 2; jumping++) {
		/* siglongjmp unblocks the signal before it leaves the stack: handlers nest then. */
		alternate.ss_size = jumping ? sizeof(stack) : (size_t)sysconf(_SC_MINSIGSTKSZ) + 2048;
		sigaltstack(&alternate, NULL);
		ticks = 0;
		setitimer(ITIMER_REAL, &timer, NULL);
		sigsetjmp(out, 1);
		while (ticks < 2000) {
			char b[8] = "";
			int fd;

			/* a jump between open and close would leak the descriptor, with or without us */
			may_jump = 0;
			fd = open("/etc/passwd", O_RDONLY);
			if (fd < 0 || read(fd, b, 4) != 4 || memcmp(b, "root", 4))
				wrong++;
			close(fd);
			if (syscall(SYS_getppid) != getppid())
				wrong++;
			may_jump = jumping;
			getppid();
			may_jump = 0;
		}
		setitimer(ITIMER_REAL, &stop, NULL);
	}
	printf("%lu wrong\n", wrong);
	return wrong != 0;
}
