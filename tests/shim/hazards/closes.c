// SPDX-License-Identifier: MIT
/* Late close: the number, its reuse, and who else could hold the description. */
#include "hazard.h"
#include <sys/file.h>

int main(int argc, char **argv)
{
	char b[100];
	int fd, fd2, p[2];

	enter(argc, argv);
	make_text("a", "aaaa\n");
	make_text("b", "bb\n");

	fd = open("a", O_RDONLY);
	read(fd, b, 65536 > sizeof(b) ? sizeof(b) : 0);
	say("close", close(fd));
	say("read after close", read(fd, b, 10));
	say("close twice", close(fd));
	say("fstat after close", fstat(fd, &(struct stat){ 0 }));
	say("fcntl after close", fcntl(fd, F_GETFD));

	/* the lowest number is free again for every kind of descriptor */
	fd = open("a", O_RDONLY);
	close(fd);
	fd2 = open("b", O_RDONLY);
	say("same number", fd == fd2);
	say("reads b", read(fd2, b, sizeof(b)));
	close(fd2);
	MUST(pipe(p) == 0);
	say("pipe takes it", p[0] == fd);
	close(p[0]);
	close(p[1]);
	fd = open("a", O_RDONLY);
	close(fd);
	fd2 = dup(1);
	say("dup takes it", fd2 == fd);
	close(fd2);
	fd = open("a", O_RDONLY);
	read(fd, b, 10);
	close(fd);
	say("dup2 onto it", dup2(1, fd) == fd);
	say("it is open", fcntl(fd, F_GETFD));
	close(fd);

	/* two closes in a row, then a count of what is open */
	fd = open("a", O_RDONLY);
	fd2 = open("b", O_RDONLY);
	close(fd2);
	close(fd);
	int open_count = 0;
	for (int i = 0; i < 200; i++)
		open_count += fcntl(i, F_GETFD) >= 0;
	say("open descriptors", open_count);

	/* a child must not inherit what was closed */
	fd = open("a", O_RDONLY);
	read(fd, b, 4);
	close(fd);
	pid_t pid = fork();
	if (!pid)
		_exit(fcntl(fd, F_GETFD) >= 0);
	int status;
	waitpid(pid, &status, 0);
	say("child sees it", WEXITSTATUS(status));

	/* what is read before a fork is not read again in the child, and the position is shared */
	fd = open("a", O_RDONLY);
	read(fd, b, 2);
	pid = fork();
	if (!pid) {
		int n = (int)read(fd, b, 1);

		_exit(n == 1 && b[0] == 'a' ? 7 : 8);
	}
	waitpid(pid, &status, 0);
	say("child", WEXITSTATUS(status));
	say("parent reads the rest", read(fd, b, 100));
	close(fd);

	/* closing any descriptor of a file drops the process's record locks on it */
	fd = open("a", O_RDWR);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	say("lock", fcntl(fd, F_SETLK, &lock));
	fd2 = open("a", O_RDONLY);
	read(fd2, b, 10);
	close(fd2);
	pid = fork();
	if (!pid) {
		struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		_exit(fcntl(fd, F_SETLK, &l) == 0);
	}
	waitpid(pid, &status, 0);
	say("lock is gone", WEXITSTATUS(status));
	close(fd);
	return 0;
}
