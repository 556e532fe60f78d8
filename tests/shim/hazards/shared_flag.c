// SPDX-License-Identifier: MIT
/*
 * News without an entry: another process writes the file, then sets a flag in shared memory that the reader
 * spins on.
 */
#include "hazard.h"

int main(int argc, char **argv)
{
	char b[65536];
	volatile int *flag;
	int stale = 0;

	MUST(argc > 1 && chdir(argv[1]) == 0);
	flag = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	warm_up();
	make_text("data", "old");
	pid_t pid = fork();
	if (!pid) {
		int fd = open("data", O_WRONLY);

		for (int i = 1; i <= 200; i++) {
			while (*flag != 2 * i - 1)
				;
			pwrite(fd, i % 2 ? "new" : "old", 3, 0);
			*flag = 2 * i;
		}
		_exit(0);
	}
	for (int i = 1; i <= 200; i++) {
		int fd = open("data", O_RDONLY);

		*flag = 2 * i - 1;
		while (*flag != 2 * i)
			;
		long n = read(fd, b, sizeof(b));
		stale += n != 3 || memcmp(b, i % 2 ? "new" : "old", 3) != 0;
		close(fd);
	}
	waitpid(pid, NULL, 0);
	say("stale", stale);
	return 0;
}
