// SPDX-License-Identifier: MIT
/*
 * Handlers at 10 kHz that open, read and close files of their own on a small alternate stack, now and then
 * leaving by siglongjmp, while the main program reads files. Every byte is checked.
 */
#include "hazard.h"
#include <setjmp.h>
#include <sys/time.h>

static sigjmp_buf away;
static volatile sig_atomic_t may_jump, jumping, handled, jumped, wrong;

static void handler(int sig)
{
	int saved = errno, fd;
	char b[32];

	(void)sig;
	handled++;
	fd = open("inner", O_RDONLY);
	if (fd < 0 || read(fd, b, sizeof(b)) != 6 || memcmp(b, "inner\n", 6) || read(fd, b, sizeof(b)) != 0)
		wrong++;
	if (close(fd))
		wrong++;
	errno = saved;
	/*
	 * siglongjmp lets the next signal in while it is still on this stack. On a machine so slow that there
	 * always is one, a jump out of each of these handlers would take the stack to its end.
	 */
	if (may_jump && !jumping && handled % 50 == 0) {
		jumping = 1;
		jumped++;
		siglongjmp(away, 1);
	}
}

int main(int argc, char **argv)
{
	static char stack[16384];
	char b[65536], name[32], expected[64];
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART | SA_ONSTACK };
	struct itimerval fast = { { 0, 100 }, { 0, 100 } }, off = { { 0, 0 }, { 0, 0 } };
	volatile int bad = 0;
	volatile long rounds = 0;

	enter(argc, argv);
	make_text("inner", "inner\n");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		snprintf(expected, sizeof(expected), "this is file %d\n", i);
		make_text(name, expected);
	}
	MUST(sigaltstack(&alt, NULL) == 0);
	MUST(sigaction(SIGALRM, &sa, NULL) == 0);
	MUST(setitimer(ITIMER_REAL, &fast, NULL) == 0);
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	sigsetjmp(away, 1);
	jumping = 0;
	for (;;) {
		struct stat st;

		clock_gettime(CLOCK_MONOTONIC, &now);
		/* Two seconds; longer where a handler takes most of the time that there is. */
		if (now.tv_sec - start.tv_sec >= (rounds > 100 ? 2 : 60))
			break;
		may_jump = 1;
		int i = (int)(rounds % 20);
		snprintf(name, sizeof(name), "f%d", i);
		int n = snprintf(expected, sizeof(expected), "this is file %d\n", i);
		rounds++;
		int fd = open(name, O_RDONLY);
		may_jump = 0; /* a jump now would leak the descriptor in any run */
		bad += fd < 0 || fstat(fd, &st) || st.st_size != n;
		bad += read(fd, b, sizeof(b)) != n || memcmp(b, expected, (size_t)n);
		bad += read(fd, b, sizeof(b)) != 0;
		bad += close(fd) != 0;
	}
	MUST(setitimer(ITIMER_REAL, &off, NULL) == 0);
	say("bad", bad);
	say("wrong in the handler", wrong);
	say("handled", handled > 20);
	say("enough rounds", rounds > 100);
	return 0;
}
