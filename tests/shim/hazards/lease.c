// SPDX-License-Identifier: MIT
/* Another process holds a write lease: an open that the application makes without waiting must not wait. */
#include "hazard.h"

int main(int argc, char **argv)
{
	char b[65536];
	int ready[2], status;

	MUST(argc > 1 && chdir(argv[1]) == 0);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	make_text("data", "leased\n");
	MUST(pipe(ready) == 0);
	pid_t pid = fork();
	if (!pid) {
		int fd = open("data", O_RDWR);

		signal(SIGIO, SIG_IGN);
		int ok = fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
		write(ready[1], ok ? "y" : "n", 1);
		pause();
		_exit(0);
	}
	warm_up();
	read(ready[0], b, 1);
	for (int i = 0; i < 3; i++) {
		errno = 0;
		int fd = open("data", O_RDONLY | O_NONBLOCK);
		say("open", fd < 0 ? -1 : 1);
		if (fd >= 0)
			close(fd);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	int fd = open("data", O_RDONLY);
	say("read", read(fd, b, sizeof(b)));
	close(fd);
	return 0;
}
