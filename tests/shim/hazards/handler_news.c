// SPDX-License-Identifier: MIT
/*
 * A handler that makes no call but carries news: what was read before it must not be used after it. Once it
 * is set as ever, once from memory that is mapped for writing only, which the kernel reads like any other.
 */
#include "hazard.h"

static volatile sig_atomic_t told;
static void handler(int sig)
{
	(void)sig;
	told = 1;
}

struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags, restorer, mask;
};

/* Of a file, which is memory that the shim does not touch itself. */
static void set_from_write_only_memory(int to, int like)
{
	int fd = open("action", O_CREAT | O_RDWR, 0600);
	struct kernel_sigaction *action;

	MUST(ftruncate(fd, 4096) == 0);
	action = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	MUST(action != MAP_FAILED);
	close(fd);
	MUST(syscall(SYS_rt_sigaction, like, NULL, action, 8) == 0);
	MUST(mprotect(action, 4096, PROT_WRITE) == 0);
	say("set from memory for writing only", (int)syscall(SYS_rt_sigaction, to, action, NULL, 8));
}

static int stale_reads(int signal)
{
	char b[65536];
	int stale = 0, go[2];

	MUST(pipe(go) == 0);
	make_text("data", "old");
	pid_t parent = getpid(), pid = fork();
	if (!pid) {
		char c;

		close(go[1]);
		while (read(go[0], &c, 1) == 1) {
			int fd = open("data", O_WRONLY);

			usleep(300);
			pwrite(fd, &c, 1, 0);
			close(fd);
			kill(parent, signal);
		}
		_exit(0);
	}
	close(go[0]);
	for (int i = 0; i < 100; i++) {
		char c = (char)('A' + i % 26);

		told = 0;
		write(go[1], &c, 1);
		int fd = open("data", O_RDONLY);
		while (!told)
			;
		read(fd, b, sizeof(b));
		stale += b[0] != c;
		close(fd);
	}
	close(go[1]);
	waitpid(pid, NULL, 0);
	return stale;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

	MUST(argc > 1 && chdir(argv[1]) == 0);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	make_text("data", "old");
	warm_up();
	MUST(sigaction(SIGUSR1, &sa, NULL) == 0);
	MUST(sigaction(SIGUSR1, NULL, &old) == 0);
	say("own handler", old.sa_handler == handler);
	set_from_write_only_memory(SIGUSR2, SIGUSR1);
	say("stale", stale_reads(SIGUSR2)); /* first: what is of no use is soon read ahead no more */
	say("stale", stale_reads(SIGUSR1));
	return 0;
}
