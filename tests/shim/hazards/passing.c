// SPDX-License-Identifier: MIT
/* A descriptor handed to another process in a message: its position is no longer private. */
#include "hazard.h"
#include <sys/socket.h>

int main(int argc, char **argv)
{
	int pair[2], status;
	char b[65536];

	MUST(argc > 1 && chdir(argv[1]) == 0);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	make_text("data", "0123456789");
	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	pid_t pid = fork();
	if (!pid) {
		char data, control[CMSG_SPACE(sizeof(int))];
		struct iovec v = { &data, 1 };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };
		int fd;

		MUST(recvmsg(pair[1], &m, 0) == 1);
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		int n = (int)read(fd, b, 4);
		write(pair[1], "k", 1);
		_exit(n == 4 && !memcmp(b, "0123", 4) ? 1 : 2);
	}
	warm_up();
	int fd = open("data", O_RDONLY);
	char data = 'x', control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &data, 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	MUST(sendmsg(pair[0], &m, 0) == 1);
	MUST(read(pair[0], b, 1) == 1);
	long n = read(fd, b, sizeof(b));
	printf("%.*s\n", (int)n, b);
	close(fd);
	waitpid(pid, &status, 0);
	say("child", WEXITSTATUS(status));
	return 0;
}
