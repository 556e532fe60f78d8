// SPDX-License-Identifier: GPL-2.0
/*
 * Who pays for what the module allocates: a user without rights gets no more contexts than max_contexts and
 * no more memory than RLIMIT_MEMLOCK, all of his processes together and counted as the allocator counts; and
 * everything is given back. Limits of one context are test_limits.c's.
 */
#include "harness.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define NOBODY 65534u
#define VIEW "/sys/kernel/debug/sysvm/contexts"

static int view = -1;

/* The view is root's: opened before rights are given up. */
static void become_nobody(rlim_t memlock)
{
	struct rlimit limit = { memlock, memlock };

	CHECK_EQ(chmod("/dev/sysvm", 0666), 0);
	view = open(VIEW, O_RDONLY | O_CLOEXEC);
	CHECK(view >= 0);
	CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	CHECK_EQ(setgroups(0, NULL), 0);
	CHECK_EQ(setresgid(NOBODY, NOBODY, NOBODY), 0);
	CHECK_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
}

static void close_to_others(void)
{
	chmod("/dev/sysvm", 0600);
}

/* What the module says that this user has: false if it has nothing of him. */
static bool look(unsigned int *contexts, size_t *bytes, size_t *limited)
{
	static char text[65536];
	ssize_t n, have = 0;
	const char *line;
	char start[32];

	*contexts = *bytes = *limited = 0;
	CHECK_EQ(lseek(view, 0, SEEK_SET), 0);
	while ((n = read(view, text + have, sizeof(text) - 1 - have)) > 0)
		have += n;
	text[have] = 0;
	snprintf(start, sizeof(start), "user uid=%u ", NOBODY);
	line = strstr(text, start);
	if (!line)
		return false;
	CHECK_EQ(sscanf(line + strlen(start), "contexts=%u bytes=%zu limited=%zu", contexts, bytes, limited),
		 3);
	return true;
}

/* Memory is given back a grace period after it was let go. */
static void expect_nothing_left(void)
{
	struct timespec pause = { 0, 20000000 };
	unsigned int contexts;
	size_t bytes, limited;

	for (int i = 0; i < 500; i++) {
		if (!look(&contexts, &bytes, &limited))
			return;
		nanosleep(&pause, NULL);
	}
	FAIL("%u contexts, %zu bytes are left of user %u", contexts, bytes, NOBODY);
}

static unsigned long pinned_kib(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	unsigned long kib = 0;

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmPin: %lu kB", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

/* Of the longest code, until it is refused with *error. */
static unsigned int define_until_refused(int fd, int *error)
{
	static uint8_t code[SYSVM_PROC_CODE_MAX];
	struct sysvm_define d = { .code = (uintptr_t)code, .code_len = sizeof(code) };
	unsigned int n = 0;

	memset(code, SYSVM_OP_END, sizeof(code));
	while (n < 5000 && !ioctl(fd, SYSVM_IOC_DEFINE, &d))
		n++;
	*error = errno;
	return n;
}

static void set_max_contexts(const char *value)
{
	int fd = open("/sys/module/sysvm/parameters/max_contexts", O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

static void open_until_refused(void)
{
	int fds[5];

	become_nobody(RLIM_INFINITY);
	for (int i = 0; i < 5; i++) {
		fds[i] = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
		CHECK(fds[i] >= 0);
	}
	CHECK_FAILS(open("/dev/sysvm", O_RDWR | O_CLOEXEC), EMFILE);
	/* His other processes have none left either. */
	IN_CHILD(CHECK_FAILS(open("/dev/sysvm", O_RDWR | O_CLOEXEC), EMFILE));
	CHECK_EQ(close(fds[2]), 0);
	fds[2] = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	CHECK(fds[2] >= 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(close(fds[i]), 0);
	expect_nothing_left();
}

static void max_contexts_is_the_users_over_all_his_processes(void)
{
	atexit(close_to_others);
	set_max_contexts("5");
	/* Whoever may exceed limits does. */
	for (int i = 0; i < 7; i++)
		CHECK(open("/dev/sysvm", O_RDWR | O_CLOEXEC) >= 0);
	int status;
	pid_t pid = fork();

	if (!pid) {
		open_until_refused();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	set_max_contexts("1024");
	CHECK_EQ(status, 0);
}

/*
 * 16 KiB of code and its bitmap take 32 KiB of the allocator, or 20 where it has no such piece and gives
 * whole pages.
 */
static void memory_is_bounded_by_RLIMIT_MEMLOCK(void)
{
	enum { LIMIT = 1 << 20 };
	unsigned int contexts, n = 0, again = 0, opened = 0;
	size_t bytes, limited;
	int fds[64], error = 0;

	atexit(close_to_others);
	become_nobody(LIMIT);
	for (; opened < 64; opened++) {
		fds[opened] = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
		if (fds[opened] < 0)
			break;
		n += define_until_refused(fds[opened], &error);
		CHECK_EQ(error, ENOMEM);
	}
	CHECK(n > 0);
	CHECK(look(&contexts, &bytes, &limited));
	printf("%u procedures of 16 KiB in %u contexts: %zu bytes, VmPin %lu kB\n", n, contexts, bytes,
	       pinned_kib());
	CHECK_EQ(contexts, opened);
	CHECK_EQ(bytes, limited);
	CHECK(limited <= LIMIT);
	CHECK(limited + 40960 > LIMIT); /* and not refused before it is reached */
	/* what the allocator gave is counted, not the 18.5 KiB that were asked for */
	CHECK(limited >= n * 20480ul);
	CHECK(pinned_kib() * 1024 >= limited && pinned_kib() * 1024 < limited + opened * 4096 + 4096);
	/* A page costs as well, and there is no room for one; nor has another process of his room. */
	CHECK(mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0) == MAP_FAILED ||
	      limited + 8192 <= LIMIT);
	IN_CHILD({
		int fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);

		if (fd >= 0)
			CHECK_EQ(define_until_refused(fd, &error), 0);
	});
	for (unsigned int i = 0; i < opened; i++)
		CHECK_EQ(close(fds[i]), 0);
	expect_nothing_left();
	CHECK_EQ(pinned_kib(), 0);
	fds[0] = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	CHECK(fds[0] >= 0);
	again = define_until_refused(fds[0], &error);
	CHECK(again > 0 && again + 3 >= n);
}

/* A page, and what goes with it for each thread: more than one page of memory. */
static void a_page_is_charged(void)
{
	enum { LIMIT = 256 << 10 };
	unsigned int contexts, n = 0;
	size_t bytes, limited, before;
	void *pages[64];
	int fds[64];

	atexit(close_to_others);
	become_nobody(LIMIT);
	for (; n < 64; n++) {
		fds[n] = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
		if (fds[n] < 0)
			break;
		look(&contexts, &before, &limited);
		pages[n] = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[n], 0);
		if (pages[n] == MAP_FAILED)
			break;
		CHECK(look(&contexts, &bytes, &limited));
		CHECK(bytes >= before + SYSVM_PAGE_SIZE + SYSVM_PAGE_CODE_MAX);
	}
	CHECK_EQ(errno, ENOMEM);
	CHECK(n > 5 && n * 8192 <= LIMIT);
	for (unsigned int i = 0; i < n; i++) {
		CHECK_EQ(munmap(pages[i], SYSVM_PAGE_SIZE), 0);
		CHECK_EQ(close(fds[i]), 0);
	}
	if (fds[n] >= 0)
		close(fds[n]);
	expect_nothing_left();
	CHECK_EQ(pinned_kib(), 0);
}

/* 300 contexts with all they may have took 600 MB of nobody's. */
static void many_opens_take_no_more_than_one_may(void)
{
	enum { LIMIT = 8 << 20 };
	struct rlimit files = { 1024, 1024 };
	unsigned int contexts, opened = 0;
	size_t bytes, limited;
	int error;

	atexit(close_to_others);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
	become_nobody(LIMIT);
	for (; opened < 300; opened++) {
		int fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);

		if (fd < 0)
			break;
		define_until_refused(fd, &error);
	}
	CHECK(look(&contexts, &bytes, &limited));
	printf("%u opens: %zu bytes\n", contexts, bytes);
	CHECK(bytes <= LIMIT);
}

/*
 * A program that defines and forgets cannot run ahead of what is given back: what waits to be freed is
 * charged too.
 */
static void what_waits_to_be_freed_is_charged(void)
{
	static uint8_t code[SYSVM_PROC_CODE_MAX];
	struct sysvm_define d = { .code = (uintptr_t)code, .code_len = sizeof(code) };
	unsigned int contexts, refused = 0;
	size_t bytes, limited, most = 0;
	int fd;

	memset(code, SYSVM_OP_END, sizeof(code));
	atexit(close_to_others);
	become_nobody(1 << 20);
	fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	for (int i = 0; i < 3000; i++) {
		if (ioctl(fd, SYSVM_IOC_DEFINE, &d)) {
			CHECK_EQ(errno, ENOMEM);
			refused++;
			usleep(1000);
			continue;
		}
		CHECK_EQ(ioctl(fd, SYSVM_IOC_UNDEFINE, &d.proc), 0);
		if (i % 50 == 0 && look(&contexts, &bytes, &limited) && limited > most)
			most = limited;
	}
	printf("at most %zu bytes, refused %u times\n", most, refused);
	CHECK(most <= 1 << 20);
	CHECK(most > 40960); /* something did wait */
	CHECK_EQ(close(fd), 0);
	expect_nothing_left();
}

static const struct test tests[] = {
	TEST(max_contexts_is_the_users_over_all_his_processes),
	TEST(memory_is_bounded_by_RLIMIT_MEMLOCK),
	TEST(a_page_is_charged),
	TEST(many_opens_take_no_more_than_one_may),
	TEST(what_waits_to_be_freed_is_charged),
};
TEST_MAIN(tests)
