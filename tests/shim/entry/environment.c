// SPDX-License-Identifier: MIT
/* Closes every descriptor as a daemon does, or enters a chroot, or forbids new code, then runs a program. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

int main(int argc, char **argv)
{
	struct stat st;

	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "daemon")) {
		int out = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC, 0600), status;
		for (int fd = 0; fd < 1024; fd++)
			if (fd != out)
				close(fd);
		dup2(out, 1);
		if (out != 1)
			close(out);
		setsid();
		if (fork() == 0) {
			for (int fd = 0; fd < 1024; fd++)
				if (fstat(fd, &st) == 0)
					dprintf(1, "descriptor %d\n", fd);
			execl("/bin/echo", "echo", "a daemon's child", (char *)NULL);
			_exit(1);
		}
		wait(&status);
		dprintf(1, "status %d, next descriptor %d\n", status, open("/dev/null", O_RDONLY));
		return 0;
	}
	if (!strcmp(argv[1], "chroot") && (chroot(argv[2]) || chdir("/"))) {
		perror("chroot");
		return 3;
	}
	if (!strcmp(argv[1], "mdwe") && prctl(PR_SET_MDWE, 1L, 0L, 0L, 0L)) {
		perror("PR_SET_MDWE");
		return 4;
	}
	execv(argv[3], argv + 3);
	perror(argv[3]);
	return 1;
}
