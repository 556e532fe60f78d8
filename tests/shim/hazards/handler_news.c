// SPDX-License-Identifier: MIT
/* A handler that makes no call but carries news: what was read before it must not be used after it. */
#include "hazard.h"

static volatile sig_atomic_t told;
static void handler(int sig)
{
	(void)sig;
	told = 1;
}

int main(int argc, char **argv)
{
	char b[65536];
	int stale = 0, go[2];
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

	MUST(argc > 1 && chdir(argv[1]) == 0);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
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
			kill(parent, SIGUSR1);
		}
		_exit(0);
	}
	warm_up();
	MUST(sigaction(SIGUSR1, &sa, NULL) == 0);
	MUST(sigaction(SIGUSR1, NULL, &old) == 0);
	say("own handler", old.sa_handler == handler);
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
	say("stale", stale);
	close(go[1]);
	waitpid(pid, NULL, 0);
	return 0;
}
