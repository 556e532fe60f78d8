// SPDX-License-Identifier: MIT
/*
 * A small strace: tries whether it can seize, starts a program, and says how many words and variables its
 * exec has.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static int length(pid_t pid, unsigned long list)
{
	int n = 0;

	while (ptrace(PTRACE_PEEKDATA, pid, list + 8ul * (unsigned long)n, NULL))
		n++;
	return n;
}

int main(int argc, char **argv)
{
	struct user_regs_struct regs;
	int status, seize = argc > 1 && !strcmp(argv[1], "seize");
	pid_t pid;

	if (seize) {
		if ((pid = fork()) == 0) {
			pause();
			_exit(0);
		}
		ptrace(PTRACE_SEIZE, pid, NULL, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	pid = fork();
	if (pid == 0) {
		if (!seize)
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		execv(argv[2], argv + 2);
		_exit(127);
	}
	if (seize) {
		waitpid(pid, &status, WUNTRACED);
		if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD))
			return 3;
		kill(pid, SIGCONT);
	} else {
		waitpid(pid, &status, 0);
		ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD);
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	}
	for (int calls = 0; waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);) {
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			ptrace(PTRACE_GETREGS, pid, NULL, &regs);
			if (regs.orig_rax == SYS_execve && regs.rax == (unsigned long)-38)
				printf("execve of %d words, %d variables\n", length(pid, regs.rsi),
				       length(pid, regs.rdx));
			calls++;
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	}
	printf("status %x\n", status);
	return 0;
}
