// SPDX-License-Identifier: MIT
/* A process that watches a directory counts the accesses: each must be one that it made. */
#include "hazard.h"
#include <sys/inotify.h>

int main(int argc, char **argv)
{
	char b[4096] __attribute__((aligned(8)));
	int accesses = 0, opens = 0;
	long n;

	enter(argc, argv);
	make_text("data", "0123456789\n");
	int in = inotify_init1(IN_NONBLOCK);
	MUST(inotify_add_watch(in, ".", IN_ACCESS | IN_OPEN) >= 0);
	for (int i = 0; i < 5; i++) {
		int fd = open("data", O_RDONLY);

		if (i == 2)
			read(fd, b, 3);
		close(fd);
	}
	while ((n = read(in, b, sizeof(b))) > 0)
		for (char *p = b; p < b + n;) {
			struct inotify_event *e = (struct inotify_event *)p;

			accesses += (e->mask & IN_ACCESS) != 0;
			opens += (e->mask & IN_OPEN) != 0;
			p += sizeof(*e) + e->len;
		}
	say("opens", opens);
	say("accesses", accesses);
	return 0;
}
