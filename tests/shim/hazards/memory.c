// SPDX-License-Identifier: MIT
/* Buffers and paths that are not, or not wholly, there. */
#include "hazard.h"

static void try(const char *what, void *buffer, size_t size)
{
	int fd = open("data", O_RDONLY);

	errno = 0;
	say(what, read(fd, buffer, size));
	say("  at", lseek(fd, 0, SEEK_CUR));
	close(fd);
}

int main(int argc, char **argv)
{
	char text[9000];
	struct stat st;

	enter(argc, argv);
	memset(text, 'x', sizeof(text));
	make_file("data", text, sizeof(text));
	make_text("tiny", "tiny\n");

	char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	try("whole", m, 3 * 4096);
	MUST(mprotect(m + 4096, 4096, PROT_NONE) == 0);
	try("half mapped", m, 65536);
	try("unmapped", m + 4096, 65536);
	MUST(mprotect(m, 4096, PROT_READ) == 0);
	try("read only", m, 65536);
	MUST(munmap(m, 3 * 4096) == 0);
	try("gone", m, 65536);
	try("null", NULL, 65536);
	try("kernel", (void *)0xffff888000000000ull, 65536);
	try("count into the kernel", text, (size_t)1 << 62);

	int fd = open("data", O_RDONLY);
	errno = 0;
	say("fstat to nowhere", fstat(fd, (struct stat *)8));
	say("fstat", fstat(fd, &st));
	close(fd);

	/* a buffer in a file mapping whose file is cut */
	int big = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
	MUST(ftruncate(big, 8192) == 0);
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, big, 0);
	MUST(ftruncate(big, 0) == 0);
	try("cut mapping", map, 65536);
	fd = open("data", O_RDONLY);
	errno = 0;
	say("fstat into it", fstat(fd, (struct stat *)map));
	close(fd);

	errno = 0;
	say("path at nowhere", open((const char *)16, O_RDONLY));
	errno = 0;
	say("path in cut mapping", open(map, O_RDONLY));
	errno = 0;
	say("stat path at nowhere", fstatat(AT_FDCWD, (const char *)16, &st, 0));

	/* the heap shrinks and grows under a buffer */
	char *top = sbrk(0);
	MUST(brk(top + 65536) == 0);
	try("new heap", top, 65536);
	MUST(brk(top) == 0);
	try("old heap", top + 4096, 65536);

	/* a page of the heap stays protected when the heap grows */
	char *page = (char *)(((uintptr_t)top + 4095) & ~4095ul);
	MUST(brk(page + 8192) == 0);
	MUST(mprotect(page, 4096, PROT_READ) == 0);
	MUST(brk(page + 65536) == 0);
	try("protected page of the heap", page, 65536);
	try("the page behind it", page + 4096, 65536);
	return 0;
}
