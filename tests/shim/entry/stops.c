// SPDX-License-Identifier: MIT
/*
 * Does one thing after which a process is not closed any more, or may be judged; run.py looks for the reason.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void fault(int s)
{
	_exit(s);
}

static int sleeper(void *unused)
{
	(void)unused;
	return 0;
}

int main(int argc, char **argv)
{
	static char stack[65536] __attribute__((aligned(16)));
	const char *what = argc > 1 ? argv[1] : "";
	const char *folder = argc > 2 ? argv[2] : ".";
	char path[4096];
	struct sock_filter allow[] = { { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW } };
	struct sock_fprog program = { 1, allow };
	uint64_t context = 0;
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	if (fd >= 0 && ftruncate(fd, 4096))
		return 2;
	if (!strcmp(what, "nothing")) {
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		signal(SIGUSR1, fault);
		prctl(PR_SET_NAME, "x");
		if (fork() == 0)
			_exit(0);
		wait(NULL);
	} else if (!strcmp(what, "filter")) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	} else if (!strcmp(what, "seccomp")) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	} else if (!strcmp(what, "thread")) {
		clone(sleeper, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, NULL);
		wait(NULL);
	} else if (!strcmp(what, "handlers")) {
		clone(sleeper, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_SIGHAND | SIGCHLD, NULL);
		wait(NULL);
	} else if (!strcmp(what, "left")) { /* the child of a vfork leaves somebody in this memory */
		if (vfork() == 0) {
			clone(sleeper, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
			_exit(0);
		}
		wait(NULL);
	} else if (!strcmp(what, "files")) {
		if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0L, 0L, 0L, 0L) == 0)
			_exit(0);
		wait(NULL);
	} else if (!strcmp(what, "unshare")) {
		unshare(CLONE_FILES);
	} else if (!strcmp(what, "io_uring")) {
		char params[128] = { 0 };
		syscall(SYS_io_uring_setup, 1, params);
	} else if (!strcmp(what, "aio")) {
		syscall(SYS_io_setup, 1, &context);
	} else if (!strcmp(what, "perf")) {
		struct perf_event_attr attr = { .size = sizeof(attr) };
		syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	} else if (!strcmp(what, "userfaultfd")) {
		syscall(SYS_userfaultfd, 0);
	} else if (!strcmp(what, "pkey")) {
		pkey_alloc(0, 0);
	} else if (!strcmp(what, "segv")) {
		signal(SIGSEGV, fault);
	} else if (!strcmp(what, "bus")) {
		signal(SIGBUS, fault);
	} else if (!strcmp(what, "shared")) {
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	} else if (!strcmp(what, "shared_file")) {
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	} else if (!strcmp(what, "shared_read")) {
		mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	} else if (!strcmp(what, "shm")) {
		int id = shmget(IPC_PRIVATE, 4096, 0600);
		shmat(id, NULL, 0);
		shmctl(id, IPC_RMID, NULL);
	} else if (!strcmp(what, "code")) {
		mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	} else if (!strcmp(what, "make_code")) {
		void *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		mprotect(m, 4096, PROT_READ | PROT_EXEC);
	} else if (!strcmp(what, "personality")) {
		personality(READ_IMPLIES_EXEC);
	} else if (!strcmp(what, "ldt")) {
		syscall(SYS_modify_ldt, 0, NULL, 0);
	} else if (!strcmp(what, "traced")) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	} else if (!strcmp(what, "inotify")) {
		inotify_init1(0);
	} else if (!strcmp(what, "fanotify")) {
		fanotify_init(0, 0);
	} else if (!strcmp(what, "dnotify")) {
		fcntl(open("/tmp", O_RDONLY), F_NOTIFY, DN_CREATE);
	} else if (!strcmp(what, "dlopen_own")) {
		snprintf(path, sizeof(path), "%s/libown_syscall.so", folder);
		printf("%s\n", dlopen(path, RTLD_NOW) ? "loaded" : dlerror());
	} else if (!strcmp(what, "dlopen_clean")) {
		snprintf(path, sizeof(path), "%s/libplain_library.so", folder);
		void *library = dlopen(path, RTLD_NOW);
		int (*twice)(int) = library ? (int (*)(int))dlsym(library, "twice") : NULL;
		printf("%d\n", twice ? twice(21) : -1);
	} else if (!strcmp(what, "dlmopen")) {
		printf("%s\n", dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW) ? "loaded" : dlerror());
	} else {
		return 2;
	}
	printf("%d\n", getppid() > 1);
	return 0;
}
