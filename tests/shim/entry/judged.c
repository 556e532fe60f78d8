// SPDX-License-Identifier: MIT
/*
 * judged HOW PROGRAM WORD...: sets a filter that kills whatever the program and its start do not need (or a
 * rule set, or becomes something else that watches), asks about its handlers, and runs the program. judged
 * born-HOW: the same before the first library of the process is initialised, as if the filter had been
 * inherited.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#if __has_include(<linux/landlock.h>)
#include <linux/landlock.h>
#endif

/*
 * What a program of the C library needs to start, write and end. None of it is what only the shim would call.
 */
static const int needed[] = { SYS_execve, SYS_brk, SYS_arch_prctl, SYS_access, SYS_openat, SYS_newfstatat,
			      SYS_mmap, SYS_close, SYS_read, SYS_pread64, SYS_set_tid_address,
			      SYS_set_robust_list, SYS_mprotect, SYS_prlimit64, SYS_munmap, SYS_getrandom,
			      SYS_write, SYS_exit_group, SYS_fstat, SYS_ioctl, 334 /* rseq */,
			      SYS_rt_sigaction, SYS_rt_sigreturn, SYS_kill, SYS_futex, SYS_exit, SYS_wait4 };

static int filter(int by)
{
	struct sock_filter f[64];
	unsigned short n = 0, count = sizeof(needed) / sizeof(needed[0]);

	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < count; i++) /* to what allows it, openat to its check */
		f[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)needed[i],
			(unsigned char)(count - i + (needed[i] == SYS_openat ? 0 : 3)), 0);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	/* openat: in the forms of the loader and the C library only */
	f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					      offsetof(struct seccomp_data, args[2]));
	f[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~(unsigned int)O_CLOEXEC);
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, O_RDONLY, 0, 1);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	struct sock_fprog program = { n, f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	if (by == SYS_prctl)
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int landlock(void)
{
#ifdef LANDLOCK_ACCESS_FS_EXECUTE
	static const char *paths[] = { "/usr", "/lib", "/lib64", "/bin", "/etc" };
	const unsigned long long all =
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
	struct landlock_ruleset_attr set = { .handled_access_fs = all };
	int rules = (int)syscall(SYS_landlock_create_ruleset, &set, sizeof(set), 0);

	if (rules < 0)
		return -1;
	for (unsigned int i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct landlock_path_beneath_attr under = { .allowed_access = all,
							    .parent_fd = open(paths[i], O_PATH | O_CLOEXEC) };

		syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &under, 0);
		close(under.parent_fd);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_landlock_restrict_self, rules, 0);
#else
	errno = ENOSYS;
	return -1;
#endif
}

static volatile int handled;
static void first(int signal)
{
	(void)signal;
	handled++;
}
static void second(int signal)
{
	(void)signal;
	handled += 10;
}

static int set(const char *how)
{
	if (!strcmp(how, "prctl"))
		return filter(SYS_prctl);
	if (!strcmp(how, "seccomp"))
		return filter(SYS_seccomp);
	if (!strcmp(how, "landlock"))
		return landlock();
	if (!strcmp(how, "mdwe"))
		return prctl(65 /* PR_SET_MDWE */, 1, 0, 0, 0);
	return -1;
}

static void born(int argc, char **argv, char **envp)
{
	(void)envp;
	if (argc > 1 && !strncmp(argv[1], "born-", 5) && set(argv[1] + 5))
		_exit(5);
}
__attribute__((section(".preinit_array"), used)) static void (*const before_all)(int, char **,
										 char **) = born;

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = first }, old = { 0 };
	char text[64];
	pid_t self, pid;
	int n;

	if (argc < 3)
		return 2;
	if (!strncmp(argv[1], "born-", 5)) {
		write(1, "born\n", 5);
		return 0;
	}
	self = getpid();
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR1, &action, NULL); /* the other stub */
	sigaction(SIGUSR2, &action, NULL);
	action.sa_flags = (int)SA_RESETHAND;
	sigaction(SIGTERM, &action, NULL);
	if (!strcmp(argv[1], "vfork")) { /* the child sets it, and stays in the parent's memory */
		pid = vfork();
		if (pid == 0) {
			if (filter(SYS_prctl))
				_exit(5);
			sigaction(SIGUSR1, NULL, NULL);
			execv(argv[2], argv + 2);
			_exit(8);
		}
		waitpid(pid, &n, 0);
		printf("child %x\n", n);
	} else if (set(argv[1])) {
		perror(argv[1]);
		return errno == ENOSYS || errno == EOPNOTSUPP ? 4 : 3;
	}
	action = (struct sigaction){ .sa_handler = second };
	sigaction(SIGUSR1, NULL, &old);
	n = old.sa_handler == first;
	sigaction(SIGUSR2, &action, &old);
	n = n * 10 + (old.sa_handler == first);
	sigaction(SIGUSR2, NULL, &old);
	n = n * 10 + (old.sa_handler == second);
	sigaction(SIGTERM, NULL, &old);
	n = n * 10 + (old.sa_handler == first && (old.sa_flags & (int)SA_RESETHAND));
	kill(self, SIGUSR1);
	kill(self, SIGUSR2);
	kill(self, SIGTERM);
	sigaction(SIGTERM, NULL, &old);
	n = n * 10 + (old.sa_handler == SIG_DFL);
	n = snprintf(text, sizeof(text), "handlers %d, handled %d\n", n, handled);
	if (write(1, text, (size_t)n) != n)
		return 1;
	execv(argv[2], argv + 2);
	return 8;
}
