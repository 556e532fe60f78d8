// SPDX-License-Identifier: MIT
/*
 * What entry.S serves by itself, without the C code: registers, where the result goes, its age, and a string
 * that is compared by address alone.
 */
#include "hazard.h"
#include <stdbool.h>

static char at_rest[65536];

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* no entry: the vDSO's */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The C library's fstat, with all vector registers full before it; they must be so behind it. */
static long fstat_keeps_vectors(int fd, struct stat *st, bool *kept)
{
	static unsigned char before[16 * 16] __attribute__((aligned(16))),
		after[16 * 16] __attribute__((aligned(16)));
	int (*volatile call)(int, struct stat *) = fstat;
	long result;

	for (unsigned int i = 0; i < sizeof(before); i++)
		before[i] = (unsigned char)(i * 7 + 1);
	__asm__ volatile(
		".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\tmovaps 16*\\n(%[before]), "
		"%%xmm\\n\n\t.endr\n\t"
		"mov %%rsp, %%r12\n\tand $-16, %%rsp\n\tsub $128, %%rsp\n\tcall *%[call]\n\tmov %%r12, "
		"%%rsp\n\t"
		".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n\tmovaps %%xmm\\n, 16*\\n(%[after])\n\t.endr"
		: "=&a"(result)
		: [before] "b"(before), [after] "r"((uint64_t)after), [call] "r"(call), "D"((long)fd), "S"(st)
		: "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "memory", "cc", "xmm0", "xmm1", "xmm2",
		  "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
		  "xmm14", "xmm15");
	*kept = !memcmp(before, after, sizeof(before));
	return (int)result;
}

static void vectors(void)
{
	struct stat st;

	for (int i = 0; i < 4; i++) {
		bool kept;
		int fd = open("data", O_RDONLY);
		long result = fstat_keeps_vectors(fd, &st, &kept);

		say("fstat", result);
		printf("size %ld, vector registers kept: %d\n", (long)st.st_size, kept);
		close(fd);
	}
}

/* Reads of every size class, to the stack, to static memory and to a mapping, with guards around them. */
static void places(void)
{
	volatile size_t asked = 65536; /* as much as the procedure asked for; no file here fills it */
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 31, 32, 33, 143, 144, 255, 256, 257, 4096, 20000 };
	char here[20000 + 64];
	char *mapped = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *place[] = { here, at_rest, mapped };

	for (unsigned int s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		char content[20000];

		for (size_t i = 0; i < sizes[s]; i++)
			content[i] = (char)(i * 13 + s);
		make_file("sized", content, sizes[s]);
		for (unsigned int p = 0; p < 3; p++) {
			unsigned long sum = 0;
			struct stat st;

			memset(place[p], 0x55, sizeof(here));
			int fd = open("sized", O_RDONLY);
			fstat(fd, &st);
			long n = read(fd, place[p] + 7, asked);
			long at = lseek(fd, 0, SEEK_CUR);
			close(fd);
			for (size_t i = 0; i < sizeof(here); i++)
				sum = sum * 31 + (unsigned char)place[p][i];
			printf("%zu bytes: %ld, at %ld, %s, sum %lx\n", sizes[s], n, at,
			       n == (long)sizes[s] && !memcmp(place[p] + 7, content, sizes[s]) ? "right"
											       : "WRONG",
			       sum);
		}
	}
	munmap(mapped, 65536);
}

/* Unmapped while a result for it is outstanding, by a call that leaves the log alone. */
static void gone(void)
{
	char *m = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat st;

	for (int i = 0; i < 3; i++) {
		int fd = open("data", O_RDONLY);

		fstat(fd, &st);
		if (i == 2)
			MUST(munmap(m, 65536) == 0);
		errno = 0;
		say("read into a mapping", read(fd, m, 65536));
		close(fd);
	}
}

/* The next results are the newest descriptor's: another one must not get them. */
static void another(void)
{
	struct stat st;

	make_text("tiny", "tiny\n");
	for (int i = 0; i < 3; i++) {
		int tiny = open("tiny", O_RDONLY), data = open("data", O_RDONLY);

		fstat(i == 2 ? tiny : data, &st);
		printf("size %ld\n", (long)st.st_size);
		close(data);
		close(tiny);
	}
}

/* At the end of a file the buffer is not written to, but the kernel looks where it lies. */
static void nowhere(void)
{
	struct stat st;

	for (int i = 0; i < 3; i++) {
		int fd = open("data", O_RDONLY);

		fstat(fd, &st);
		say("read", read(fd, at_rest, sizeof(at_rest)));
		errno = 0;
		say("read at the end", read(fd, i == 2 ? (void *)0xffff888000000000ull : at_rest, 64));
		close(fd);
	}
}

/* Another process rewrites the file while this one waits without an entry: it sees that in a mapping. */
static void age(double wait)
{
	struct stat st;
	int go[2];

	make_text("aged", "old\n");
	for (int i = 0; i < 3; i++) {
		int fd = open("aged", O_RDONLY);

		fstat(fd, &st);
		close(fd);
	}
	int map_fd = open("aged", O_RDONLY);
	volatile char *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, map_fd, 0);
	MUST(pipe(go) == 0);
	pid_t child = fork();
	if (!child) {
		char b;

		read(go[0], &b, 1);
		usleep(20000);
		int fd = open("aged", O_WRONLY);
		MUST(write(fd, "new and longer\n", 15) == 15);
		close(fd);
		_exit(0);
	}
	MUST(write(go[1], "g", 1) == 1);
	int fd = open("aged", O_RDONLY);
	double start = seconds();
	while (map[0] == 'o' || seconds() < start + wait)
		;
	MUST(fstat(fd, &st) == 0);
	printf("size after the change: %ld\n", (long)st.st_size);
	close(fd);
	MUST(waitpid(child, NULL, 0) == child);
	close(map_fd);
}

/* "" in memory that cannot be written is known by its address, until it can be written. */
static void string(void)
{
	char *name = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct stat st;

	for (int i = 0; i < 4; i++) {
		int fd = open("data", O_RDONLY);

		if (i == 3) {
			MUST(mprotect(name, 4096, PROT_READ | PROT_WRITE) == 0);
			name[0] = 'x';
		}
		errno = 0;
		say("fstatat", fstatat(fd, name, &st, AT_EMPTY_PATH));
		close(fd);
	}
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	memset(at_rest, 'x', 9000);
	make_file("data", at_rest, 9000);
	vectors();
	places();
	gone();
	string();
	another();
	nowhere();
	age(0.05);
	age(1.002); /* as many nanoseconds into the second as before, nearly */
	return 0;
}
