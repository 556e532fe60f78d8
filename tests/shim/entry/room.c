// SPDX-License-Identifier: MIT
/*
 * Calls on a stack with the room that the shim says it needs, and not a byte more: below it lies a page that
 * is not there.
 *
 * room          "fits" for each path
 * room measure  how many bytes each takes, the 128 that no function may touch included
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM 512
#define OWN 16 /* syscall() itself: its return address, aligned */

long call_on(char *top, long (*function)(long, ...), long nr, long a, long b, long c, long d);
int vfork_exec_on(char *top, const char *path, char **argv, char **envp);
__asm__(".text\n"
	"call_on:\n"
	"	push %rbx\n"
	"	mov %rsp, %rbx\n"
	"	mov %rdi, %rsp\n"
	"	mov %rsi, %rax\n"
	"	mov %rdx, %rdi\n"
	"	mov %rcx, %rsi\n"
	"	mov %r8, %rdx\n"
	"	mov %r9, %rcx\n"
	"	mov 16(%rbx), %r8\n"
	"	call *%rax\n"
	"	mov %rbx, %rsp\n"
	"	pop %rbx\n"
	"	ret\n"
	"vfork_exec_on:\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	mov %rsp, %rbx\n"
	"	mov %rsi, %r12\n"
	"	mov %rdx, %r13\n"
	"	mov %rcx, %r14\n"
	"	mov %rdi, %rsp\n"
	"	call vfork@PLT\n"
	"	test %eax, %eax\n"
	"	jnz 1f\n"
	"	mov %r12, %rdi\n"
	"	mov %r13, %rsi\n"
	"	mov %r14, %rdx\n"
	"	call execve@PLT\n"
	"	mov $9, %edi\n"
	"	call _exit@PLT\n"
	"1:	mov %rbx, %rsp\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	ret\n");

static char *base, *top;
static int measuring;

static void report(const char *name)
{
	char *p = base + 4096;

	if (!measuring) {
		printf("%s fits\n", name);
	} else {
		while (p < top && *p == 0x5a)
			p++;
		printf("%5ld %s\n", (long)(top - OWN - p), name);
	}
	fflush(stdout);
	if (measuring)
		memset(base + 4096, 0x5a, (size_t)(top - base - 4096));
}

static long on(const char *name, long nr, long a, long b, long c, long d)
{
	long result = call_on(top, (long (*)(long, ...))syscall, nr, a, b, c, d);

	report(name);
	return result;
}

/* In a process of its own, which it changes. */
static void apart(const char *name, long nr, long a, long b, long c, long d, char **words)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		on(name, nr, a, b, c, d);
		if (words)
			on("exec after it", SYS_execve, (long)words[0], (long)words, (long)(char *[]){ NULL },
			   0);
		_exit(7);
	}
	waitpid(pid, &status, 0);
	printf("%s: %x\n", name, status);
	fflush(stdout);
}

static void handler(int signal)
{
	(void)signal;
}

int main(int argc, char **argv)
{
	static char *many[901], text[900][24], *words[] = { "/bin/echo", "ran", NULL };
	struct kernel_sigaction {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} action = { handler, 0, NULL, 0 };
	aio_context_t context = 0;
	size_t room = ROOM + OWN;
	int fd, status;
	char buffer[16];
	void *memory;
	pid_t pid;

	measuring = argc > 1 && !strcmp(argv[1], "measure");
	if (measuring)
		room = 16384;
	base = mmap(NULL, 32768, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(base, 4096, PROT_NONE);
	top = base + 4096 + (room + 15) / 16 * 16;
	if (!measuring)
		munmap(base, 4096);
	else
		memset(base + 4096, 0x5a, room);
	for (int i = 0; i < 900; i++) {
		snprintf(text[i], sizeof(text[i]), "VARIABLE%d=1", i);
		many[i] = text[i];
	}
	printf("start\n");
	fflush(stdout);

	on("getppid", SYS_getppid, 0, 0, 0, 0);
	fd = (int)on("open", SYS_open, (long)"/etc/passwd", O_RDONLY, 0, 0);
	on("read", SYS_read, fd, (long)buffer, 16, 0);
	on("lseek", SYS_lseek, fd, 0, SEEK_CUR, 0);
	on("F_GETFL", SYS_fcntl, fd, F_GETFL, 0, 0);
	on("F_GETFD", SYS_fcntl, fd, F_GETFD, 0, 0);
	on("TCGETS", SYS_ioctl, fd, 0x5401, (long)base, 0);
	on("dup", SYS_dup, fd, 0, 0, 0);
	on("close", SYS_close, fd, 0, 0, 0);
	on("open after close", SYS_openat, AT_FDCWD, (long)"/etc/passwd", O_RDONLY, 0);
	on("open of a folder", SYS_openat, AT_FDCWD, (long)"/etc", O_RDONLY | O_DIRECTORY, 0);
	memory = (void *)on("brk", SYS_brk, 0, 0, 0, 0);
	memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	on("mprotect", SYS_mprotect, (long)memory, 4096, PROT_READ, 0);
	on("munmap", SYS_munmap, (long)memory, 8192, 0, 0);
	on("setting a handler", SYS_rt_sigaction, SIGUSR1, (long)&action, (long)&action, 8);
	on("setting one from nowhere", SYS_rt_sigaction, SIGUSR1, (long)memory, (long)memory, 8);
	if ((pid = (pid_t)on("fork", SYS_fork, 0, 0, 0, 0)) == 0)
		_exit(3);
	waitpid(pid, &status, 0);
	if ((pid = (pid_t)on("clone", SYS_clone, SIGCHLD, 0, 0, 0)) == 0)
		_exit(3);
	waitpid(pid, &status, 0);
	waitpid(vfork_exec_on(top, words[0], words, many), &status, 0);
	report("vfork and exec");
	waitpid(vfork_exec_on(top, "/nonexistent", words, many), &status, 0);
	report("vfork and an exec that fails");
	on("an exec that fails", SYS_execve, (long)"/nonexistent", (long)words, (long)many, 0);
	on("an exec that fails late", SYS_execve, (long)"/etc/passwd", (long)words, (long)many, 0);
	apart("exec", SYS_execve, (long)words[0], (long)words, (long)many, 0, NULL);
	apart("execveat", SYS_execveat, AT_FDCWD, (long)words[0], (long)words, (long)many, NULL);
	apart("exit", SYS_exit_group, 5, 0, 0, 0, NULL);
	apart("a reason to stop", SYS_io_setup, 1, (long)&context, 0, 0, words);
	apart("chroot", SYS_chroot, (long)"/nonexistent", 0, 0, 0, words);
	apart("a filter", SYS_prctl, PR_SET_SECCOMP, 99, 0, 0, words);
	apart("unshare", SYS_unshare, CLONE_FILES, 0, 0, 0, words);
	/* EFAULT, yet a thread to us */
	apart("a thread", SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_PIDFD, 0, 0, 0, words);
	return 0;
}
