// SPDX-License-Identifier: MIT
/*
 * What happens around a vfork: a signal whose handler runs the moment that the parent returns, and what the
 * child does to the memory that is the parent's too. In either case the parent then passes memory that is not
 * there any more, which the kernel answers with EFAULT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *page;
static volatile int handled;

static void *new_page(void)
{
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(page, 0, 4096);
	return page;
}

static void handler(int signal)
{
	(void)signal;
	munmap(page, 4096);
	handled++;
}

static void nothing(int signal)
{
	(void)signal;
	handled++;
}

/* Passes the page as a struct sigaction. */
static void report(const char *name)
{
	long failed = syscall(SYS_rt_sigaction, SIGUSR2, page, NULL, 8);

	printf("%s: %ld, errno %d, handled %d\n", name, failed, failed ? errno : 0, handled);
	fflush(stdout);
}

static pid_t vfork_that(void (*act)(void))
{
	pid_t pid = vfork();

	if (pid == 0) {
		act();
		_exit(0);
	}
	return pid;
}

static void signals_parent(void)
{
	kill(getppid(), SIGUSR1);
}
static void unmaps(void)
{
	munmap(page, 4096);
}
static void protects(void)
{
	mprotect(page, 4096, PROT_NONE);
}
static void covers(void)
{
	mmap(page, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}
static void moves(void)
{
	mremap(page, 4096, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, page + (1 << 24));
}
static void shrinks(void)
{
	brk(page);
}
static void does_nothing(void)
{
}

int main(void)
{
	static const struct { const char *name; void (*act)(void);
	} acts[] = {
		{ "the child unmaps", unmaps }, { "it protects", protects }, { "it covers", covers },
		{ "it moves", moves },		{ "nothing", does_nothing },
	};
	struct sigaction action = { .sa_handler = handler }, old;
	sigset_t mask, now;

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 20; i++) {
		new_page();
		syscall(SYS_rt_sigaction, SIGUSR2, page, NULL, 8); /* it is there */
		waitpid(vfork_that(signals_parent), NULL, 0);
		report("a handler at the return");
	}
	for (unsigned int i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		new_page();
		waitpid(vfork_that(acts[i].act), NULL, 0);
		report(acts[i].name);
	}
	page = sbrk(1 << 16); /* alone at the end of the heap; nothing may allocate from here on */
	page = (char *)(((unsigned long)page + 8191) & ~4095ul);
	memset(page, 0, 4096);
	syscall(SYS_rt_sigaction, SIGUSR2, page, NULL, 8);
	waitpid(vfork_that(shrinks), NULL, 0);
	report("the child shrinks the heap");

	/* The mask is the caller's in both, and handlers are shown as they were set. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	action.sa_handler = nothing;
	sigaction(SIGUSR1, &action, NULL);
	pid_t pid = vfork();
	if (pid == 0) {
		int good = sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGTERM) &&
			   !sigismember(&now, SIGUSR1) && !sigismember(&now, SIGINT) &&
			   sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == nothing;

		handled = 0;
		raise(SIGUSR1);
		_exit(good * 2 + (handled == 1));
	}
	int status;
	waitpid(pid, &status, 0);
	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("child %x, parent %d%d%d\n", status, sigismember(&now, SIGTERM), sigismember(&now, SIGUSR1),
	       sigismember(&now, SIGINT));
	return 0;
}
