// SPDX-License-Identifier: MIT
/* Uses the libraries `number` and `early`, and maps a page of a file as code, if asked to. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

long number_room(void);
int early(void);

static int map_code(const char *path, unsigned long offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, (long)offset);

	close(fd);
	return map != MAP_FAILED;
}

int main(int argc, char **argv)
{
	unsigned long offset = 0;

	if (argc > 2 && sscanf(argv[2], "%lu", &offset) == 1)
		printf("mapped %d\n", map_code(argv[1], offset));
	for (int i = 0; i < 20; i++)
		(void)!access("/", F_OK);
	printf("%d %d\n", early(), number_room() > 0);
	return 0;
}
