// SPDX-License-Identifier: MIT
/* Two threads hand news over by an atomic, with a delay between the write and the flag. */
#include "hazard.h"
#include <pthread.h>
#include <stdatomic.h>

static atomic_int turn;

static void *writer(void *unused)
{
	int fd = open("data", O_WRONLY);

	(void)unused;
	for (int i = 1; i <= 100; i++) {
		while (atomic_load(&turn) != 2 * i - 1)
			;
		pwrite(fd, i % 2 ? "new" : "old", 3, 0);
		for (volatile int k = 0; k < 2000; k++)
			;
		atomic_store(&turn, 2 * i);
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	char b[65536];
	int stale = 0;

	enter(argc, argv);
	make_text("data", "old");
	int early = open("data", O_RDONLY); /* something may be outstanding when the thread is made */
	pthread_create(&t, NULL, writer, NULL);
	for (int i = 1; i <= 100; i++) {
		int fd = open("data", O_RDONLY);

		atomic_store(&turn, 2 * i - 1);
		while (atomic_load(&turn) != 2 * i)
			;
		read(fd, b, sizeof(b));
		stale += memcmp(b, i % 2 ? "new" : "old", 3) != 0;
		close(fd);
	}
	pthread_join(t, NULL);
	read(early, b, sizeof(b));
	stale += memcmp(b, "old", 3) != 0;
	close(early);
	say("stale", stale);
	return 0;
}
