// SPDX-License-Identifier: MIT
/*
 * A handler that interrupts a change of SIGUSR1's handler and changes the same one: at every third
 * instruction of the call, each in a child of its own. One of the two changes is the last, and all that can
 * be asked must agree on which: what each call returned as the old handler, what a query returns, and what a
 * signal runs.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static void base(int s) { (void)s; }

static volatile sig_atomic_t ran;

static void of_main(int s)
{
	(void)s;
	ran = 1;
}

static void of_handler(int s)
{
	(void)s;
	ran = 2;
}

static volatile long left;
static volatile sig_atomic_t over, acted, lost;

static void set(void (*handler)(int), struct sigaction *old)
{
	struct sigaction a = { .sa_handler = handler };

	sigaction(SIGUSR1, &a, old);
}

static void trap(int s, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	struct sigaction now;

	(void)s;
	(void)info;
	if (left-- > 0 && !over)
		return;
	u->uc_mcontext.gregs[REG_EFL] &= ~0x100;
	if (over)
		return;
	acted = 1;
	set(of_handler, NULL);
	sigaction(SIGUSR1, NULL, &now);
	raise(SIGUSR1);
	lost = now.sa_handler != of_handler || ran != 2;
}

/* 0: as it must be; 1: not; 2: the call has no such instruction. */
static int change_at(long instruction)
{
	struct sigaction a = { .sa_sigaction = trap, .sa_flags = SA_SIGINFO }, old, now;
	int last;

	sigaction(SIGTRAP, &a, NULL);
	set(base, NULL);
	left = instruction;
	__asm__ volatile("subq $128, %%rsp; pushf; orq $0x100, (%%rsp); popf; addq $128, %%rsp"
			 :
			 :
			 : "cc", "memory");
	set(of_main, &old);
	over = 1;
	__asm__ volatile("nop; nop" : : : "memory");
	if (!acted)
		return 2;
	sigaction(SIGUSR1, NULL, &now);
	ran = 0;
	raise(SIGUSR1);
	/* main's change came after the handler's, or before it */
	last = old.sa_handler == of_handler ? 1 : 2;
	if (old.sa_handler != of_handler && old.sa_handler != base)
		return 1;
	return lost || ran != last || now.sa_handler != (last == 1 ? of_main : of_handler);
}

int main(void)
{
	int wrong = 0, status = 0, tried = 0;

	for (long instruction = 0; !WIFEXITED(status) || WEXITSTATUS(status) != 2;
	     instruction += 3, tried++) {
		pid_t child = fork();

		if (!child)
			_exit(change_at(instruction));
		waitpid(child, &status, 0);
		wrong += !WIFEXITED(status) || WEXITSTATUS(status) == 1;
	}
	if (tried < 4)
		wrong++;
	printf("%d wrong\n", wrong);
	return wrong != 0;
}
