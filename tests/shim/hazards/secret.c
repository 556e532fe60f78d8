// SPDX-License-Identifier: MIT
/* A key that the application has read and wiped must not be anywhere in its memory. */
#include "hazard.h"
#include <sys/uio.h>

#define KEY_SIZE 48
static unsigned char mask = 0x5a;

static long copies(const char *key)
{
	char line[512];
	long found = 0;

	FILE *maps = fopen("/proc/self/maps", "r");
	static char page[1 << 20];
	while (fgets(line, sizeof(line), maps)) {
		unsigned long low, high;
		char r, w;

		if (sscanf(line, "%lx-%lx %c%c", &low, &high, &r, &w) != 4 || w != 'w')
			continue;
		for (; low < high; low += sizeof(page) / 2) {
			unsigned long want = high - low < sizeof(page) ? high - low : sizeof(page);
			struct iovec l = { page, want }, rm = { (void *)low, want };
			long n = process_vm_readv(getpid(), &l, 1, &rm, 1, 0);

			for (long i = 0; i + KEY_SIZE <= n; i++) {
				int j = 0;

				while (j < KEY_SIZE && (char)(page[i + j] ^ mask) == key[j])
					j++;
				found += j == KEY_SIZE &&
					 !((unsigned long)page <= low + (unsigned long)i &&
					   low + (unsigned long)i < (unsigned long)page + sizeof(page));
			}
		}
	}
	fclose(maps);
	return found;
}

int main(int argc, char **argv)
{
	static char b[65536];
	char key[KEY_SIZE];

	enter(argc, argv);
	for (int i = 0; i < KEY_SIZE; i++)
		key[i] = (char)((i * 37 + 11) % 251);
	make_file("key", key, KEY_SIZE);
	for (int i = 0; i < KEY_SIZE; i++)
		key[i] ^= (char)mask; /* what we look for is not in our own memory */

	int fd = open("key", O_RDONLY);
	say("read", read(fd, b, sizeof(b)));
	explicit_bzero(b, sizeof(b));
	say("copies of the key", copies(key));
	close(fd);

	fd = open("key", O_RDONLY); /* and once without reading what was read ahead */
	say("at", lseek(fd, 0, SEEK_SET));
	say("copies of the key", copies(key));
	close(fd);
	return 0;
}
