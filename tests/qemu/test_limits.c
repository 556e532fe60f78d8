// SPDX-License-Identifier: GPL-2.0
/*
 * Bounds: what the module's parameters limit, also when they are set to nonsense, and that what a user makes
 * the module allocate is charged to his memory control group, and given back. Parameters that are read when
 * the module is loaded are parameters.sh's.
 */
#include "harness.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("%s: %s: %s", path, text, strerror(errno));
	close(fd);
}

static unsigned long long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long long n;

	if (!file || fscanf(file, "%llu", &n) != 1)
		FAIL("%s: no number", path);
	fclose(file);
	return n;
}

static char parameter_path[128];
static char before[32];

static void put_back(void)
{
	write_file(parameter_path, before);
}

/* Until the test ends. */
static void set_parameter(const char *name, const char *value)
{
	snprintf(parameter_path, sizeof(parameter_path), "/sys/module/sysvm/parameters/%s", name);
	if (!*before) {
		snprintf(before, sizeof(before), "%llu", read_number(parameter_path));
		atexit(put_back);
	}
	write_file(parameter_path, value);
}

/* Until it is refused, and with what; at most `most`. */
static unsigned int define_many(struct machine *m, uint32_t len, unsigned int most)
{
	struct program *p = calloc(1, sizeof(*p));
	struct sysvm_define d = { .code = (uintptr_t)p->code, .code_len = len };
	unsigned int n = 0;

	memset(p->code, SYSVM_OP_END, len);
	errno = 0;
	while (n < most && !ioctl(m->fd, SYSVM_IOC_DEFINE, &d))
		n++;
	free(p);
	return n;
}

static struct sysvm_query query(const struct machine *m)
{
	struct sysvm_query q;

	CHECK_EQ(ioctl(m->fd, SYSVM_IOC_QUERY, &q), 0);
	return q;
}

static void max_procs_bounds_contexts_opened_later(void)
{
	struct machine earlier = machine_open();
	static const struct {
		const char *value;
		unsigned int procs;
	} rows[] = { { "3", 3 }, { "0", 1 }, { "4096", 4096 }, { "4097", 4096 }, { "4294967295", 4096 } };
	unsigned int as_ever = query(&earlier).max_procs;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_parameter("max_procs", rows[i].value);
		struct machine m = machine_open();

		CHECK_EQ(query(&m).max_procs, rows[i].procs);
		CHECK_EQ(define_many(&m, 1, 5000), rows[i].procs);
		CHECK_EQ(errno, ENOSPC);
		/* One past the last, and far past it: no procedure, whatever the processor guesses. */
		CHECK_EQ(machine_enter(&m, rows[i].procs, 1), -ENOENT);
		CHECK_EQ(machine_enter(&m, 0x7fffffff, 1), -ENOENT);
		CHECK_EQ(close(m.fd), 0);
		CHECK_EQ(munmap(m.page, SYSVM_PAGE_SIZE), 0);
	}
	CHECK_EQ(query(&earlier).max_procs, as_ever);
	CHECK_EQ(define_many(&earlier, 1, 5000), as_ever);
}

static void max_proc_bytes_bounds_the_sum(void)
{
	struct machine m = machine_open();

	set_parameter("max_proc_bytes", "1000");
	CHECK_EQ(define_many(&m, 300, 100), 3);
	CHECK_EQ(errno, ENOSPC);
	CHECK_EQ(define_many(&m, 100, 100), 1); /* up to the last byte */
	CHECK_EQ(define_many(&m, 1, 100), 0);
	CHECK_EQ(errno, ENOSPC);
	uint32_t number = 1;
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_UNDEFINE, &number), 0);
	CHECK_EQ(define_many(&m, 300, 100), 1); /* given back */
	set_parameter("max_proc_bytes", "0");
	struct machine n = machine_open();
	CHECK_EQ(define_many(&n, 1, 100), 0);
	set_parameter("max_proc_bytes", "4294967295");
	CHECK_EQ(define_many(&n, SYSVM_PROC_CODE_MAX, 5000), query(&n).max_procs);
	CHECK_EQ(errno, ENOSPC);
}

static pthread_barrier_t all_are_there;

static void *take_a_page(void *fd)
{
	void *page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, *(int *)fd, 0);
	int error = page == MAP_FAILED ? errno : 0;

	pthread_barrier_wait(&all_are_there);
	return (void *)(intptr_t)error;
}

static void max_pages_bounds_the_threads_of_a_context(void)
{
	int fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	pthread_t threads[6];
	unsigned int refused = 0;
	void *error;

	set_parameter("max_pages", "4");
	CHECK_EQ(pthread_barrier_init(&all_are_there, NULL, 6), 0);
	for (int i = 0; i < 6; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, take_a_page, &fd), 0);
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(pthread_join(threads[i], &error), 0);
		if (error)
			CHECK_EQ((intptr_t)error, ENOSPC);
		refused += error != NULL;
	}
	CHECK_EQ(refused, 2);
}

/* ---- control group ---- */

#define GROUP "/sys/fs/cgroup/sysvm_test"

static unsigned long long charged(void)
{
	return read_number(GROUP "/memory.current");
}

static void enter_group(void)
{
	char pid[32];

	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(GROUP, 0755);
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(GROUP "/cgroup.procs", pid);
}

static void leave_group(void)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file("/sys/fs/cgroup/cgroup.procs", pid);
	for (int i = 0; rmdir(GROUP) && i < 1000; i++)
		usleep(1000);
}

/* Room for what each processor keeps in stock, and for what freeing leaves for a grace period. */
#define STOCK (512 << 10)

static void expect_given_back(unsigned long long at_first)
{
	for (int i = 0; charged() > at_first + STOCK; i++) {
		if (i == 5000)
			FAIL("%llu bytes are charged, expected %llu as at first", charged(), at_first);
		usleep(1000);
	}
}

static void expect_charged(unsigned long long at_first, unsigned long long bytes, const char *what)
{
	unsigned long long now = charged();

	printf("%s: %lld bytes charged, expected %llu at least\n", what, (long long)(now - at_first), bytes);
	if (now < at_first + bytes)
		exit(1);
}

#define CONTEXTS 800

static int contexts[CONTEXTS];

static void open_contexts(void)
{
	for (int i = 0; i < CONTEXTS; i++) {
		contexts[i] = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
		CHECK(contexts[i] >= 0);
	}
}

static void close_contexts(void)
{
	for (int i = 0; i < CONTEXTS; i++)
		CHECK_EQ(close(contexts[i]), 0);
}

/* Each kind of memory by itself, with what it has at least: so none of them can be forgotten. */
static void what_a_user_allocates_is_charged_to_him_and_given_back(void)
{
	static void *pages[CONTEXTS];
	unsigned long long at_first, with_contexts;

	enter_group();
	open_contexts(); /* the file table grows once */
	close_contexts();
	usleep(300000); /* files are freed a grace period later */
	at_first = charged();

	open_contexts();
	/* The context, 700 bytes, its 256 pointers; the open file itself is the kernel's and charged too. */
	expect_charged(at_first, CONTEXTS * 2800ull, "contexts");
	with_contexts = charged();
	for (int i = 0; i < CONTEXTS; i++) {
		pages[i] = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, contexts[i], 0);
		CHECK(pages[i] != MAP_FAILED);
	}
	/* The page, and the kernel's copy of its code. */
	expect_charged(with_contexts, CONTEXTS * 7500ull, "pages");
	for (int i = 0; i < CONTEXTS; i++)
		CHECK_EQ(munmap(pages[i], SYSVM_PAGE_SIZE), 0);
	expect_given_back(with_contexts);

	for (int i = 0; i < 20; i++) {
		struct machine m = { .fd = contexts[i] };

		CHECK_EQ(define_many(&m, SYSVM_PROC_CODE_MAX, 64), 64);
	}
	expect_charged(with_contexts, 20ull << 20, "procedures");
	close_contexts(); /* procedures go with their context */
	expect_given_back(at_first);
	leave_group();
}

static bool is_mapped(const void *page)
{
	unsigned char in_core;

	return mincore((void *)page, SYSVM_PAGE_SIZE, &in_core) == 0;
}

/* The run that used a page frees it when it is gone. */
static void pages_unmapped_in_mid_run_are_given_back(void)
{
	struct machine m = { .fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC) };
	unsigned long long at_first;

	enter_group();
	at_first = charged();
	for (int i = 0; i < 1000; i++) {
		struct program p = { 0 };

		m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
		CHECK(m.page != MAP_FAILED);
		set(&p, 1, (uintptr_t)m.page);
		set(&p, 2, SYSVM_PAGE_SIZE);
		CALL(&p, munmap, 3, 1, 2);
		finish(&p);
		CHECK_EQ(machine_run(&m, &p), 0);
		while (is_mapped(m.page)) /* time ended the entry before its call */
			CHECK_EQ(machine_resume(&m), 0);
	}
	expect_given_back(at_first);
	leave_group();
}

/* ---- no tests by themselves: parameters.sh asks them of a module loaded with parameters ---- */

/* One entry of a program without end takes at most this fuel. */
static void print_fuel_of_an_entry(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	uint64_t most = 0;

	CHECK(query(&m).max_fuel <= SYSVM_FUEL_MAX);
	jump_back(&p, 0);
	machine_load(&m, &p);
	m.page->fuel = ~0ull;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 1), 0);
	most = m.page->insns + (m.page->status == SYSVM_FUEL ? 0 : m.page->fuel);
	printf("%llu %llu\n", (unsigned long long)query(&m).max_fuel, (unsigned long long)most);
}

/*
 * The shortest and the longest of some entries, in milliseconds: time sharing and emulation make one longer,
 * and work that the kernel has for the return to user space ends it early (since 6.3 the scheduler has some
 * every 100 ms).
 */
static void print_ms_of_an_entry(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	long shortest = 1 << 30, longest = 0;

	for (int i = 0; i < 2; i++)
		CALL(&p, getpid, 1);
	jump_back(&p, 0);
	for (int i = 0; i < 5; i++) {
		struct timespec a, b;
		long ms;

		clock_gettime(CLOCK_MONOTONIC, &a);
		CHECK_EQ(machine_run(&m, &p), 0);
		clock_gettime(CLOCK_MONOTONIC, &b);
		ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
		if (m.page->status != SYSVM_YIELD)
			continue;
		if (ms < shortest)
			shortest = ms;
		if (ms > longest)
			longest = ms;
	}
	printf("%ld %ld\n", shortest, longest);
}

static const struct test tests[] = {
	{ "print_fuel_of_an_entry", print_fuel_of_an_entry },
	{ "print_ms_of_an_entry", print_ms_of_an_entry },
	TEST(max_procs_bounds_contexts_opened_later),
	TEST(max_proc_bytes_bounds_the_sum),
	TEST(max_pages_bounds_the_threads_of_a_context),
	TEST(what_a_user_allocates_is_charged_to_him_and_given_back),
	TEST(pages_unmapped_in_mid_run_are_given_back),
};
TEST_MAIN(tests)
