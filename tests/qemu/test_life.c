// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts, pages and the module over their lives: fork, exec, threads, unmapping in mid-run, limits, bad
 * arguments, other address spaces, unloading.
 */
#include "harness.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void expect_run(struct machine *m)
{
	struct program p = { 0 };

	CALL(&p, getpid, 1);
	finish(&p);
	machine_complete(m, &p);
}

/* A program that ends at once, in a page of the caller's: what entering gives. */
static int try_to_enter(struct machine *m)
{
	return machine_enter(m, SYSVM_PROC_PAGE, 1000);
}

static bool is_mapped(const void *page)
{
	unsigned char in_core;

	return mincore((void *)page, SYSVM_PAGE_SIZE, &in_core) == 0;
}

static void a_child_has_no_page_and_no_right_to_the_context(void)
{
	struct machine m = machine_open();

	expect_run(&m);
	IN_CHILD({
		CHECK(!is_mapped(m.page));
		CHECK_EQ(try_to_enter(&m), -EPERM);
		CHECK_FAILS(mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0), EPERM);
		struct machine own = machine_open(); /* but may have a context of its own */
		expect_run(&own);
	});
	expect_run(&m);
}

static void a_vfork_child_has_no_page(void)
{
	struct machine m = machine_open();
	volatile int got = 0;
	int status;
	pid_t pid = vfork();

	if (!pid) {
		got = try_to_enter(&m);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(got, -ENXIO);
}

static void exec_closes_the_context(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct machine m = machine_open();

		expect_run(&m);
		execl("/bin/sh", "sh", "-c",
		      "! ls -l /proc/self/fd /proc/$$/fd | grep sysvm && ! grep sysvm /proc/$$/maps", NULL);
		_exit(127);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void a_context_kept_over_exec_is_of_no_use(void)
{
	struct machine m = machine_open();
	char fd[16];

	CHECK_EQ(fcntl(m.fd, F_SETFD, 0), 0);
	snprintf(fd, sizeof(fd), "%d", m.fd);
	setenv("SYSVM_TEST_FD", fd, 1);
	execl("/proc/self/exe", "test_life", "the_context_of_another_address_space_is_refused", NULL);
	FAIL("exec: %s", strerror(errno));
}

/* Run by the test above; run alone it passes the descriptor to itself by fork. */
static void the_context_of_another_address_space_is_refused(void)
{
	const char *fd = getenv("SYSVM_TEST_FD");
	struct machine m = { .fd = fd ? atoi(fd) : -1 };

	if (!fd) {
		m = machine_open();
		IN_CHILD(CHECK_EQ(try_to_enter(&m), -EPERM));
		return;
	}
	CHECK_EQ(try_to_enter(&m), -EPERM);
	CHECK_FAILS(mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ, MAP_SHARED, m.fd, 0), EPERM);
}

static void only_one_shared_page_that_is_not_executable(void)
{
	struct machine m = machine_open();
	int fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	const int rw = PROT_READ | PROT_WRITE;

	CHECK_FAILS(mmap(NULL, 2 * SYSVM_PAGE_SIZE, rw, MAP_SHARED, fd, 0), EINVAL);
	CHECK_FAILS(mmap(NULL, SYSVM_PAGE_SIZE, rw, MAP_SHARED, fd, SYSVM_PAGE_SIZE), EINVAL);
	CHECK_FAILS(mmap(NULL, SYSVM_PAGE_SIZE, rw, MAP_PRIVATE, fd, 0), EINVAL);
	CHECK_FAILS(mmap(NULL, SYSVM_PAGE_SIZE, rw | PROT_EXEC, MAP_SHARED, fd, 0), EACCES);
	CHECK_FAILS(mprotect(m.page, SYSVM_PAGE_SIZE, rw | PROT_EXEC), EACCES);
	CHECK_FAILS(mmap(NULL, SYSVM_PAGE_SIZE, rw, MAP_SHARED, m.fd, 0), EBUSY);
	CHECK_EQ(munmap(m.page, SYSVM_PAGE_SIZE), 0);
	CHECK_EQ(try_to_enter(&m), -ENXIO);
	m.page = mmap(NULL, SYSVM_PAGE_SIZE, rw, MAP_SHARED, m.fd, 0);
	CHECK(m.page != MAP_FAILED);
	expect_run(&m);
}

static void a_moved_page_still_works(void)
{
	struct machine m = machine_open();
	void *there = mmap(NULL, SYSVM_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	m.page = mremap(m.page, SYSVM_PAGE_SIZE, SYSVM_PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, there);
	CHECK_EQ((uintptr_t)m.page, (uintptr_t)there);
	expect_run(&m);
	CHECK_FAILS(mremap(m.page, SYSVM_PAGE_SIZE, 2 * SYSVM_PAGE_SIZE, MREMAP_MAYMOVE), EFAULT);
	expect_run(&m);
}

/* The run keeps its page, its procedure and the file, whatever the program does to them. */
static void a_program_may_unmap_its_own_page(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };

	set(&p, 1, (uintptr_t)m.page);
	set(&p, 2, SYSVM_PAGE_SIZE);
	CALL(&p, munmap, 3, 1, 2);
	CALL(&p, getpid, 4);
	EMIT(&p, SYSVM_OP_ADDI, 5, 4, 1, 0, 0, 0);
	finish(&p);
	CHECK_EQ(machine_run(&m, &p), 0);
	while (is_mapped(m.page)) { /* time ended the entry before its call */
		CHECK_EQ(m.page->status, SYSVM_YIELD);
		CHECK_EQ(machine_resume(&m), 0);
	}
	CHECK_EQ(try_to_enter(&m), -ENXIO);
}

struct closing {
	int fd;
	uint32_t proc;
	uint64_t started;
};

static void *close_and_undefine(void *arg)
{
	struct closing *c = arg;

	while (!__atomic_load_n(&c->started, __ATOMIC_ACQUIRE))
		usleep(1000);
	CHECK_EQ(ioctl(c->fd, SYSVM_IOC_UNDEFINE, &c->proc), 0);
	CHECK_EQ(close(c->fd), 0);
	return NULL;
}

static void another_thread_may_close_and_undefine_in_mid_run(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	struct closing c = { .fd = m.fd };
	struct sysvm_define define = { .code = (uintptr_t)p.code };
	pthread_t thread;
	int ends[2];
	char byte;

	CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
	set(&p, 1, ends[0]);
	set(&p, 2, (uintptr_t)&byte);
	set(&p, 3, 1);
	set(&p, 4, (uintptr_t)&c.started);
	EMIT(&p, SYSVM_OP_ST64, 4, 3, 0, 0);
	uint32_t loop = p.len;
	CALL_GO_ON(&p, read, 5, 1, 2, 3);
	jump_back(&p, loop);
	define.code_len = p.len;
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_DEFINE, &define), 0);
	c.proc = define.proc;
	CHECK_EQ(pthread_create(&thread, NULL, close_and_undefine, &c), 0);
	m.seq = 1;
	m.page->fuel = SYSVM_FUEL_MAX;
	int ret = machine_enter(&m, define.proc, m.seq);
	while (!ret) {
		m.page->fuel = SYSVM_FUEL_MAX;
		ret = machine_resume(&m);
	}
	CHECK(ret == -EBADF || ret == -ENOENT);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(is_mapped(m.page)); /* the mapping outlives the descriptor */
}

static void *run_many(void *arg)
{
	struct machine m = *(struct machine *)arg;
	struct program p = { 0 };
	long rounds = 0;

	m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	CHECK(m.page != MAP_FAILED);
	CALL(&p, gettid, 1);
	EMIT(&p, SYSVM_OP_ADDI, 2, 2, 1, 0, 0, 0);
	finish(&p);
	for (; rounds < 2000; rounds++) {
		machine_complete(&m, &p);
		CHECK_EQ(m.page->reg[1], gettid());
	}
	CHECK_EQ(m.page->reg[2], rounds);
	return NULL;
}

static void threads_have_pages_of_their_own(void)
{
	struct machine m = { .fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC) };
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, run_many, &m), 0);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void *enter_anothers_page(void *arg)
{
	CHECK_EQ(try_to_enter(arg), -ENXIO);
	return NULL;
}

static void a_thread_without_a_page_cannot_use_anothers(void)
{
	struct machine m = machine_open();
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, enter_anothers_page, &m), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	expect_run(&m);
}

static void bad_arguments_are_refused(void)
{
	struct machine m = machine_open();
	struct sysvm_run run = { .seq = 1, .proc = SYSVM_PROC_PAGE };
	struct sysvm_define define = { .code = (uintptr_t) "\x01", .code_len = 1 };
	void *bad = (void *)0xffffffff81000000, *null = NULL;
	const unsigned int commands[] = { SYSVM_IOC_RUN, SYSVM_IOC_DEFINE, SYSVM_IOC_UNDEFINE,
					  SYSVM_IOC_QUERY };

	for (int i = 0; i < 4; i++) {
		CHECK_FAILS(ioctl(m.fd, commands[i], bad), EFAULT);
		CHECK_FAILS(ioctl(m.fd, commands[i], null), EFAULT);
	}
	for (unsigned int i = 0; i < 256; i++)
		if (i > 3)
			CHECK_FAILS(ioctl(m.fd, _IO(SYSVM_IOC_MAGIC, i), &run), ENOTTY);
	/* The right number with the wrong size is another command. */
	CHECK_FAILS(ioctl(m.fd, _IOW(SYSVM_IOC_MAGIC, 0x01, char[8]), &run), ENOTTY);

	run.flags = 1;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_RUN, &run), EINVAL);
	run.flags = 0;
	run.reserved[1] = 1;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_RUN, &run), EINVAL);
	run.reserved[1] = 0;
	run.seq = 0;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_RUN, &run), EINVAL);
	run.seq = 1;
	for (uint32_t proc = 0; proc < 1000; proc += 37) {
		run.proc = proc;
		CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_RUN, &run), ENOENT);
		CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_UNDEFINE, &proc), ENOENT);
	}
	run.proc = 0xfffffffe;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_RUN, &run), ENOENT);

	define.flags = 1;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &define), EINVAL);
	define.flags = 0;
	define.reserved0 = 1;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &define), EINVAL);
	define.reserved0 = 0;
	define.code_len = 0;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &define), EINVAL);
	define.code_len = 0xffffffff;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &define), E2BIG);
	define.code_len = 1;
	define.code = (uintptr_t)bad;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &define), EFAULT);
	define.code = (uintptr_t) "\xff";
	define.message = (uintptr_t)bad;
	define.message_len = 50;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &define), EFAULT);

	/* code_len and pc come from the page: anybody's numbers */
	m.page->code_len = 0xffffffff;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 5), 0);
	CHECK_EQ(m.page->status, SYSVM_INVALID);
	m.page->code[0] = SYSVM_OP_MOVI64;
	memset(m.page->code + 1, SYSVM_OP_END, 20);
	m.page->code_len = 20;
	m.page->fuel = 10;
	m.page->status = SYSVM_FUEL;
	m.page->run_seq = 6;
	for (uint32_t pc = 1; pc < 10; pc++) { /* inside the first instruction */
		m.page->pc = pc;
		m.page->status = SYSVM_FUEL;
		m.page->run_seq = 6;
		m.page->proc = SYSVM_PROC_PAGE;
		CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 6), 0);
		CHECK_EQ(m.page->status, SYSVM_INVALID);
	}
	expect_run(&m);
}

static void limits_of_the_caller_hold_inside(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	struct rlimit limit = { 10, 10 };

	for (int i = m.fd + 1; i < 10; i++)
		dup2(2, i);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	set(&p, 1, 2);
	CALL_GO_ON(&p, dup, 2, 1);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ((int64_t)m.page->reg[2], -EMFILE);
}

static void rights_of_the_caller_hold_inside(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };

	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	set(&p, 1, AT_FDCWD);
	set(&p, 2, (uintptr_t)"/etc/shadow");
	set(&p, 3, O_RDONLY);
	CALL_GO_ON(&p, openat, 5, 1, 2, 3, 4);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ((int64_t)m.page->reg[5], -EACCES);
	CHECK_FAILS(open("/dev/sysvm", O_RDWR), EACCES); /* the device is root's */
}

static void the_module_stays_while_it_is_used(void)
{
	struct machine m = machine_open();

	CHECK_FAILS(syscall(SYS_delete_module, "sysvm", O_NONBLOCK), EAGAIN);
	CHECK_EQ(close(m.fd), 0);
	CHECK_FAILS(syscall(SYS_delete_module, "sysvm", O_NONBLOCK), EAGAIN); /* the page is still mapped */
	CHECK_EQ(munmap(m.page, SYSVM_PAGE_SIZE), 0);
}

/* No test by itself: observe.sh looks at it from outside. */
/* For observe.sh. Its name tries to look like fields, and lines, of the view. */
static void hold_a_context(void)
{
	int named = prctl(PR_SET_NAME, "x pages=9\nuser");
	struct machine m = machine_open();
	struct program p = { 0 }, bad = { .len = 1 };
	struct sysvm_define d = { 0 };

	CHECK_EQ(named, 0);
	CALL(&p, getpid, 1);
	finish(&p);
	d.code = (uintptr_t)bad.code;
	d.code_len = bad.len;
	CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &d), EINVAL);
	d.code = (uintptr_t)p.code;
	d.code_len = p.len;
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_DEFINE, &d), 0);
	for (uint64_t seq = 1; seq <= 2; seq++) {
		m.page->fuel = 100;
		CHECK_EQ(machine_enter(&m, d.proc, seq), 0);
		CHECK_EQ(m.page->status, SYSVM_DONE);
	}
	pause();
}

static void expect_it_runs(struct machine *m)
{
	struct program p = { 0 };

	CALL(&p, getpid, 1);
	finish(&p);
	machine_complete(m, &p);
	CHECK_EQ(m->page->reg[1], getpid());
}

/*
 * What VM_DONTCOPY and VM_DONTEXPAND keep from a child and from a second mapping cannot be undone by the
 * program itself.
 */
static void nothing_undoes_what_the_mapping_is(void)
{
	struct machine m = machine_open();
	char *page = (char *)m.page;
	unsigned char there;

	CHECK_FAILS(madvise(page, SYSVM_PAGE_SIZE, MADV_DOFORK), EINVAL);
	CHECK_FAILS(madvise(page, SYSVM_PAGE_SIZE, MADV_DODUMP), EINVAL);
	CHECK_FAILS(mprotect(page, SYSVM_PAGE_SIZE, PROT_READ | PROT_EXEC), EACCES);
	/* a second mapping of a shared one */
	CHECK(mremap(page, 0, SYSVM_PAGE_SIZE, MREMAP_MAYMOVE) == MAP_FAILED);
	CHECK(mremap(page, SYSVM_PAGE_SIZE, SYSVM_PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP) ==
	      MAP_FAILED);
	CHECK(madvise(page, SYSVM_PAGE_SIZE, MADV_DONTFORK) == 0);
	CHECK_FAILS(madvise(page, SYSVM_PAGE_SIZE, MADV_DOFORK), EINVAL);
	m.page->reg[7] = 1;
	IN_CHILD(CHECK_FAILS(mincore(page, SYSVM_PAGE_SIZE, &there), ENOMEM)); /* nothing is mapped there */
	CHECK_EQ(m.page->reg[7], 1);
	expect_it_runs(&m);
}

/* The numbers of device ABI 1, which are nsfs's, and nsfs's own are no longer ours. */
static void the_old_ioctl_numbers_are_refused(void)
{
	struct machine m = machine_open();
	struct sysvm_run run = { .seq = 1, .proc = SYSVM_PROC_PAGE };
	struct sysvm_query query = { 0 };

	CHECK_FAILS(ioctl(m.fd, _IOR(0xB7, 0, struct sysvm_query), &query), ENOTTY);
	CHECK_FAILS(ioctl(m.fd, _IOW(0xB7, 1, struct sysvm_run), &run), ENOTTY);
	for (unsigned int nr = 0; nr < 16; nr++)
		CHECK_FAILS(ioctl(m.fd, _IO(0xB7, nr), 0), ENOTTY);
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_QUERY, &query), 0);
	CHECK_EQ(query.device_abi, SYSVM_DEVICE_ABI_VERSION);
}

/* Run with the module as it is loaded when nobody says anything. */
static void fadvise_is_no_way_in_by_default(void)
{
	struct machine m = machine_open();
	struct sysvm_query query;
	struct program p = { 0 };

	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_QUERY, &query), 0);
	CHECK(!(query.features & SYSVM_FEATURE_FADVISE));
	finish(&p);
	machine_load(&m, &p);
	CHECK_EQ(syscall(SYS_fadvise64, m.fd, 1, SYSVM_PROC_PAGE, SYSVM_ADVICE_RUN), -1);
	CHECK_EQ(m.page->status, SYSVM_IDLE);
	expect_it_runs(&m);
}

static const struct test tests[] = {
	/* not a line of its own in the list: CMakeLists.txt runs it with the module loaded anew */
	{ "fadvise_is_no_way_in_by_default", fadvise_is_no_way_in_by_default },
	{ "hold_a_context", hold_a_context },
	TEST(a_child_has_no_page_and_no_right_to_the_context),
	TEST(a_vfork_child_has_no_page),
	TEST(exec_closes_the_context),
	TEST(a_context_kept_over_exec_is_of_no_use),
	TEST(the_context_of_another_address_space_is_refused),
	TEST(only_one_shared_page_that_is_not_executable),
	TEST(a_moved_page_still_works),
	TEST(a_program_may_unmap_its_own_page),
	TEST(another_thread_may_close_and_undefine_in_mid_run),
	TEST(threads_have_pages_of_their_own),
	TEST(a_thread_without_a_page_cannot_use_anothers),
	TEST(bad_arguments_are_refused),
	TEST(limits_of_the_caller_hold_inside),
	TEST(rights_of_the_caller_hold_inside),
	TEST(the_module_stays_while_it_is_used),
	TEST(nothing_undoes_what_the_mapping_is),
	TEST(the_old_ioctl_numbers_are_refused),
};
TEST_MAIN(tests)
