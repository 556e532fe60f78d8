// SPDX-License-Identifier: MIT
/* News of other processes and of our own: a result made before the news must not be used after it. */
#include "hazard.h"

static void write_at(const char *name, const char *text, int flags)
{
	int fd = open(name, O_WRONLY | flags);

	MUST(fd >= 0);
	MUST(write(fd, text, strlen(text)) > 0);
	close(fd);
}

/* A process that has forked before any procedure ran, and does one thing for each byte in its pipe. */
static int in[2], out[2];
static void helper(void)
{
	char what;

	close(in[1]);
	while (read(in[0], &what, 1) == 1) {
		if (what == 'w')
			write_at("data", "NEW", 0);
		if (what == 'a')
			write_at("data", "appended", O_APPEND);
		if (what == 't')
			MUST(truncate("data", 1) == 0);
		MUST(write(out[1], "k", 1) == 1);
	}
	_exit(0);
}

static void ask(char what)
{
	char k;

	MUST(write(in[1], &what, 1) == 1);
	MUST(read(out[0], &k, 1) == 1);
}

int main(int argc, char **argv)
{
	char b[65536];
	struct stat st;
	long n;
	int fd;

	MUST(argc > 1 && chdir(argv[1]) == 0);
	MUST(pipe(in) == 0 && pipe(out) == 0);
	pid_t pid = fork();
	if (!pid)
		helper();
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	warm_up();

	make_text("data", "old old\n");
	fd = open("data", O_RDONLY);
	ask('w'); /* between the open and the first read */
	n = read(fd, b, sizeof(b));
	printf("%.*s", (int)n, b);
	close(fd);

	make_text("data", "old old\n");
	fd = open("data", O_RDONLY);
	n = read(fd, b, sizeof(b));
	ask('a'); /* between the data and the end of file */
	n = read(fd, b, sizeof(b));
	printf("%ld %.*s\n", n, (int)n, b);
	close(fd);

	make_text("data", "old old\n");
	fd = open("data", O_RDONLY);
	ask('t');
	fstat(fd, &st);
	say("size", st.st_size);
	say("read", read(fd, b, sizeof(b)));
	close(fd);

	/* our own write, through another descriptor */
	make_text("data", "old old\n");
	int w = open("data", O_WRONLY);
	fd = open("data", O_RDONLY);
	MUST(write(w, "own", 3) == 3);
	n = read(fd, b, sizeof(b));
	printf("%.*s", (int)n, b);
	MUST(pwrite(w, "more than that\n", 15, 8) == 15);
	n = read(fd, b, sizeof(b));
	printf("%.*s", (int)n, b);
	close(fd);
	close(w);

	/* rename over it: the descriptor stays with the old file */
	make_text("data", "first\n");
	make_text("data2", "second\n");
	fd = open("data", O_RDONLY);
	MUST(rename("data2", "data") == 0);
	n = read(fd, b, sizeof(b));
	printf("%.*s", (int)n, b);
	fstat(fd, &st);
	say("links", (long)st.st_nlink);
	close(fd);

	close(in[1]);
	waitpid(pid, NULL, 0);
	return 0;
}
