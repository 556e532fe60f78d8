/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of wide instructions share: names as dirents, a run of stat_entries over them, and how many
 * of its calls the module made by its short way.
 */
#ifndef SYSVM_TESTS_QEMU_ENTRIES_H
#define SYSVM_TESTS_QEMU_ENTRIES_H

#include "harness.h"

#include <sys/mount.h>
#include <sys/stat.h>

#define NAMES_MOST (8u << 20)
#define STRIDE 160
#define RECORDS_MOST 120000

/* Registers of the instruction, in its order. */
enum {
	R_RESULT = 10, R_DIR, R_FLAGS, R_ENTRY, R_END, R_WINDOW, R_RECORD, R_LIMIT, R_DEVICE, R_DEVICE2,
	R_MASK
};

struct record {
	uint64_t dirent;
	int64_t result;
	struct stat stat;
};
_Static_assert(sizeof(struct record) == STRIDE, "a record of one follower");

struct names {
	unsigned char *bytes; /* struct linux_dirent64 */
	size_t size, count;
};

static inline void *pages(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

static inline void names_add(struct names *n, const char *name)
{
	uint16_t length = (19 + strlen(name) + 1 + 7) / 8 * 8;

	if (!n->bytes)
		n->bytes = pages(NAMES_MOST);
	CHECK(n->size + length <= NAMES_MOST);
	memcpy(n->bytes + n->size + 16, &length, 2);
	strcpy((char *)n->bytes + n->size + 19, name);
	n->size += length;
	n->count++;
}

static inline uint16_t dirent_length(const void *dirent)
{
	return *(const uint16_t *)((const char *)dirent + 16);
}

static inline struct names names_of(int fd)
{
	struct names n = { .bytes = pages(NAMES_MOST) };
	long got;

	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	while ((got = syscall(SYS_getdents64, fd, n.bytes + n.size, NAMES_MOST - n.size)) > 0)
		n.size += got;
	CHECK_EQ(got, 0);
	for (size_t at = 0; at < n.size; at += dirent_length(n.bytes + at))
		n.count++;
	return n;
}

static inline const char *name_of(const struct record *record)
{
	return (const char *)(uintptr_t)record->dirent + 19;
}

/* All names, in one program: `stat_entries`, and end. */
static inline struct program entries_program(bool x, uint16_t kinds)
{
	uint16_t stride = x ? 272 : STRIDE;
	struct program p = { 0 };

	EMIT(&p, SYSVM_OP_EXTENDED, x ? 0xc1 : 0xc0);
	for (uint8_t reg = R_RESULT; reg <= (x ? R_MASK : R_DEVICE2); reg++)
		EMIT(&p, reg);
	emit(&p, &stride, 2);
	EMIT(&p, 1, 0);
	emit(&p, &kinds, 2);
	finish(&p);
	return p;
}

/* Where the run begins; the program is in the page. */
static inline void entries_set(struct machine *m, int fd, uint64_t flags, const struct names *n,
			       void *records, size_t room)
{
	uint64_t *r = (uint64_t *)m->page->reg;
	struct stat st = { 0 };

	if (fd == AT_FDCWD ? stat(".", &st) : fstat(fd, &st))
		st.st_dev = 0;
	r[R_DIR] = fd;
	r[R_FLAGS] = flags;
	r[R_ENTRY] = (uintptr_t)n->bytes;
	r[R_END] = (uintptr_t)n->bytes + n->size;
	r[R_WINDOW] = ~0ull;
	r[R_RECORD] = (uintptr_t)records;
	r[R_LIMIT] = (uintptr_t)records + room;
	r[R_DEVICE] = r[R_DEVICE2] = st.st_dev;
}

/* How many calls of this process's contexts were made by the short way. */
static inline uint64_t short_calls(void)
{
	FILE *view = fopen("/sys/kernel/debug/sysvm/contexts", "re");
	char line[512], mine[64];
	uint64_t sum = 0;

	CHECK(view);
	snprintf(mine, sizeof(mine), "context pid=%d ", getpid());
	while (fgets(line, sizeof(line), view)) {
		const char *names = strstr(line, " names=");

		if (!strncmp(line, mine, strlen(mine)) && names)
			sum += strtoull(names + 7, NULL, 10);
	}
	fclose(view);
	return sum;
}

/*
 * Runs over all names, through whatever stops it on the way; a name on another device is passed over as its
 * record is looked at. Returns the records.
 */
static inline struct record *entries_run(struct machine *m, int fd, uint64_t flags, const struct names *n)
{
	struct program p = entries_program(false, 0);
	struct record *records = pages(STRIDE * (n->count + 1));
	uint64_t *r = (uint64_t *)m->page->reg;
	size_t elsewhere = 0;

	machine_load(m, &p);
	entries_set(m, fd, flags, n, records, STRIDE * (n->count + 1));
	for (;;) {
		CHECK_EQ(machine_enter(m, SYSVM_PROC_PAGE, ++m->seq), 0);
		while (m->page->status == SYSVM_YIELD || m->page->status == SYSVM_SIGNAL)
			CHECK_EQ(machine_resume(m), 0);
		CHECK_EQ(m->page->status, SYSVM_DONE);
		if (r[R_RESULT] != SYSVM_ENTRIES_ELSEWHERE)
			break;
		CHECK(++elsewhere <= n->count);
		r[R_ENTRY] += dirent_length((void *)(uintptr_t)r[R_ENTRY]);
		r[R_RECORD] += STRIDE;
	}
	CHECK_EQ(r[R_RESULT], SYSVM_ENTRIES_ALL);
	CHECK_EQ(r[R_RECORD], (uintptr_t)(records + n->count));
	return records;
}

/*
 * Each record is what the separate call gives now, and so many of the calls were made by the short way.
 * Looked at first: a name that was not looked up before is not known to the kernel.
 */
static inline void entries_compare(int fd, uint64_t flags, const struct names *n, uint64_t by_short_way)
{
	struct machine m = machine_open();
	struct stat *expected = pages(n->count * sizeof(struct stat) + 1);
	int64_t *results = pages(n->count * sizeof(int64_t) + 1);
	struct record *records;
	size_t at = 0;

	for (size_t i = 0; i < n->count; i++, at += dirent_length(n->bytes + at))
		results[i] =
			syscall(SYS_newfstatat, fd, n->bytes + at + 19, &expected[i], flags) ? -errno : 0;
	records = entries_run(&m, fd, flags, n);
	for (size_t i = 0; i < n->count; i++) {
		if (records[i].result != results[i])
			FAIL("\"%s\" gave %lld, expected %lld", name_of(&records[i]),
			     (long long)records[i].result, (long long)results[i]);
		if (!results[i] && memcmp(&records[i].stat, &expected[i], sizeof(struct stat)))
			FAIL("\"%s\" has another struct stat than the separate call gave",
			     name_of(&records[i]));
	}
	CHECK_EQ(short_calls(), by_short_way);
	munmap(m.page, SYSVM_PAGE_SIZE);
	close(m.fd);
}

#define HERE "/tmp/entries-here"

/* A tmpfs of our own, with these files in it; its descriptor. */
static inline int fresh_directory(unsigned int files)
{
	int fd;

	umount2(HERE, MNT_DETACH);
	mkdir(HERE, 0755);
	CHECK_EQ(mount("none", HERE, "tmpfs", 0, NULL), 0);
	fd = open(HERE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	for (unsigned int i = 0; i < files; i++) {
		char name[16];
		int file;

		snprintf(name, sizeof(name), "f%u", i);
		file = openat(fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600 + i % 64);
		CHECK(file >= 0 && ftruncate(file, 1000 * i) == 0);
		close(file);
	}
	return fd;
}

#endif
