// SPDX-License-Identifier: MIT
/* A mailbox is opened and looked at, not read: its atime must stay older than its mtime. */
#include "hazard.h"

int main(int argc, char **argv)
{
	struct stat before, after;

	enter(argc, argv);
	make_text("mailbox", "From somebody\n");
	struct timespec t[2] = { { 1000000000, 0 }, { 1600000000, 0 } };
	MUST(utimensat(AT_FDCWD, "mailbox", t, 0) == 0);
	MUST(stat("mailbox", &before) == 0);
	for (int i = 0; i < 5; i++) {
		int fd = open("mailbox", O_RDONLY);
		struct stat st;

		fstat(fd, &st);
		close(fd);
	}
	usleep(20000);
	MUST(stat("mailbox", &after) == 0);
	say("atime moved", before.st_atim.tv_sec != after.st_atim.tv_sec ||
				   before.st_atim.tv_nsec != after.st_atim.tv_nsec);

	/*
	 * relatime: older than a day, though newer than mtime and ctime cannot be made; a directory is read
	 * the same
	 */
	MUST(mkdir("dir", 0755) == 0);
	MUST(utimensat(AT_FDCWD, "dir", t, 0) == 0);
	MUST(stat("dir", &before) == 0);
	int fd = open("dir", O_RDONLY | O_DIRECTORY);
	struct stat st;
	fstat(fd, &st);
	close(fd);
	MUST(stat("dir", &after) == 0);
	say("directory's atime moved", before.st_atim.tv_sec != after.st_atim.tv_sec);
	return 0;
}
