// SPDX-License-Identifier: MIT
/* The descriptor table at its edge: every number up to the limit is the application's. */
#include "hazard.h"
#include <sys/resource.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct rlimit r = { 40, 40 };
	char b[100];
	int opened = 0, fd, last = -1;

	/* The limit stands before the program starts, so that a descriptor of ours would lie below it. */
	MUST(setrlimit(RLIMIT_NOFILE, &r) == 0);
	if (argc == 2)
		execl("/proc/self/exe", argv[0], argv[1], "again", NULL);
	enter(argc, argv);
	make_text("data", "data\n");
	while ((fd = open("data", O_RDONLY)) >= 0) {
		opened += read(fd, b, sizeof(b)) == 5;
		last = fd;
	}
	printf("stopped: %s, last %d, all read %d\n", strerrorname_np(errno), last, opened == last - 2);
	close(last);
	fd = open("data", O_RDONLY);
	say("one more", fd == last);
	say("no socket", socket(1, 1, 0));
	close(last);
	say("a socket", socket(1, 1, 0) == last);
	for (int i = 3; i < 40; i++)
		close(i);
	int open_count = 0;
	for (int i = 0; i < 1024; i++)
		open_count += fcntl(i, F_GETFD) >= 0;
	say("open", open_count);
	say("close_range", close_range(3, ~0U, 0));
	fd = open("data", O_RDONLY);
	say("first", fd);
	say("read", read(fd, b, sizeof(b)));
	return 0;
}
