// SPDX-License-Identifier: MIT
/* Reading in every way that the application may choose after the prediction was made. */
#include "hazard.h"

static char big[200000];

int main(int argc, char **argv)
{
	char b[70000];
	struct stat st;
	int fd;

	enter(argc, argv);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 23);
	make_text("small", "hello, world\n");
	make_file("big", big, sizeof(big));
	make_text("empty", "");

	/* as predicted */
	fd = open("small", O_RDONLY);
	say("fstat", fstat(fd, &st));
	say("size", st.st_size);
	say("read", read(fd, b, 65536));
	printf("%.13s", b);
	say("eof", read(fd, b, 65536));
	say("close", close(fd));

	/* other sizes, in pieces */
	fd = open("small", O_RDONLY);
	say("read 5", read(fd, b, 5));
	say("at", lseek(fd, 0, SEEK_CUR));
	say("read 100", read(fd, b, 100));
	say("eof", read(fd, b, 1));
	say("read 0", read(fd, b, 0));
	close(fd);

	/* seek away from what was read ahead */
	fd = open("small", O_RDONLY);
	say("seek", lseek(fd, 7, SEEK_SET));
	say("read", read(fd, b, 65536));
	printf("%.6s", b);
	close(fd);

	/* position seen through a copy, and after pread */
	fd = open("small", O_RDONLY);
	say("pread", pread(fd, b, 5, 7));
	say("at", lseek(fd, 0, SEEK_CUR));
	int copy = dup(fd);
	say("copy at", lseek(copy, 0, SEEK_CUR));
	say("copy reads", read(copy, b, 5));
	say("first reads", read(fd, b, 5));
	printf("%.5s\n", b);
	close(fd);
	say("copy still reads", read(copy, b, 5));
	close(copy);

	/* larger than the prediction */
	fd = open("big", O_RDONLY);
	long total = 0, n;
	uint32_t sum = 0;
	while ((n = read(fd, b, 65536)) > 0) {
		total += n;
		for (long i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)b[i];
	}
	say("big", total);
	say("sum", sum & 0xffffff);
	say("at", lseek(fd, 0, SEEK_CUR));
	close(fd);

	/* empty, missing, a directory */
	fd = open("empty", O_RDONLY);
	say("empty", read(fd, b, 10));
	close(fd);
	fd = open("missing", O_RDONLY);
	say("missing", fd);
	fd = open(".", O_RDONLY);
	say("directory", read(fd, b, 10));
	close(fd);

	/* vectors, and /proc's idea of the position */
	fd = open("small", O_RDONLY);
	char p[64], info[256];
	snprintf(p, sizeof(p), "/proc/self/fdinfo/%d", fd);
	int f2 = open(p, O_RDONLY);
	n = read(f2, info, sizeof(info) - 1);
	info[n > 0 ? n : 0] = 0;
	printf("%.6s\n", info);
	close(f2);
	say("read", read(fd, b, 3));
	f2 = open(p, O_RDONLY);
	n = read(f2, info, sizeof(info) - 1);
	info[n > 0 ? n : 0] = 0;
	printf("%.6s\n", info);
	close(f2);
	close(fd);
	return 0;
}
