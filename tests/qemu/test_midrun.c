// SPDX-License-Identifier: GPL-2.0
/*
 * What others do to a program while it runs: they exit, exec, fork, unmap and move its page, put another file
 * over its descriptor, pass the descriptor away. The run goes on with what it holds, or ends with its task;
 * what it held is gone afterwards (the debugfs view, and the module can be removed).
 */
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

/* A program without end that says how far it is, in a thread of its own. */
struct runner {
	struct machine m;
	uint64_t *count; /* shared */
	int *stop;	 /* leave the loop of entries */
	bool page_stays; /* so its fuel can be renewed before each entry */
	volatile int result;
	pthread_t thread;
};

static void *shared_page(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(page != MAP_FAILED);
	return page;
}

static void count_in_page(struct machine *m, uint64_t *count)
{
	struct program p = { 0 };

	set(&p, 1, (uintptr_t)count);
	set(&p, 2, 0);
	uint32_t loop = p.len;
	for (int i = 0; i < 8; i++) /* one load of fuel lasts for seconds */
		CALL(&p, getppid, 10);
	EMIT(&p, SYSVM_OP_ADDI, 2, 2, 1, 0, 0, 0, SYSVM_OP_ST64, 1, 2, 0, 0);
	jump_back(&p, loop);
	machine_load(m, &p);
}

static void *run_without_end(void *arg)
{
	struct runner *r = arg;
	int ret;

	r->m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r->m.fd, 0);
	CHECK(r->m.page != MAP_FAILED);
	count_in_page(&r->m, r->count);
	/*
	 * The page may be gone, so nothing is read from it: each entry is a new run, by the one way, then by
	 * the other.
	 */
	do {
		if (r->page_stays)
			r->m.page->fuel = SYSVM_FUEL_MAX;
		ret = machine_enter(&r->m, SYSVM_PROC_PAGE, ++r->m.seq);
	} while (!ret && !__atomic_load_n(r->stop, __ATOMIC_ACQUIRE));
	r->result = ret;
	return NULL;
}

static void start_runner(struct runner *r)
{
	r->m.fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	CHECK(r->m.fd >= 0);
	r->count = shared_page();
	r->stop = (int *)(r->count + 8);
	CHECK_EQ(pthread_create(&r->thread, NULL, run_without_end, r), 0);
	while (!*(volatile uint64_t *)r->count)
		usleep(500);
}

static bool has_context(pid_t pid)
{
	FILE *view = fopen("/sys/kernel/debug/sysvm/contexts", "re");
	char line[512], mine[64];
	bool found = false;

	CHECK(view);
	snprintf(mine, sizeof(mine), "context pid=%d ", pid);
	while (fgets(line, sizeof(line), view))
		found |= !strncmp(line, mine, strlen(mine));
	fclose(view);
	return found;
}

/* Behind the end of a task its last reference may still be on its way. */
static void expect_no_context(pid_t pid)
{
	for (int i = 0; has_context(pid); i++) {
		if (i == 3000)
			FAIL("process %d is gone and its context is not", pid);
		usleep(1000);
	}
}

/* ---- the process ends ---- */

enum end { EXIT_GROUP, EXEC, KILL, ENDS };

static void a_process_that_ends_in_mid_run_leaves_nothing(void)
{
	for (int i = 0; i < 10 * ENDS; i++) {
		enum end how = i % ENDS;
		int status;
		pid_t pid = fork();

		if (!pid) {
			static struct runner r;

			start_runner(&r);
			usleep(i * 173 % 6000);
			if (how == KILL)
				kill(getpid(), SIGKILL);
			if (how == EXEC) /* of the other threads' machines nothing is left */
				execl("/bin/sh", "sh", "-c",
				      "! grep sysvm /proc/$$/maps && ! ls -l /proc/$$/fd | grep sysvm", NULL);
			syscall(SYS_exit_group, 0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK_EQ(status, how == KILL ? SIGKILL : 0);
		expect_no_context(pid);
	}
}

/* The thread that runs waits inside a call, holding nothing that its process needs to end. */
static void a_process_that_ends_while_a_call_waits_leaves_nothing(void)
{
	for (int i = 0; i < 10; i++) {
		int ends[2], status;
		pid_t pid;

		CHECK_EQ(pipe(ends), 0);
		pid = fork();
		if (!pid) {
			struct machine m = machine_open();
			struct program p = { 0 };
			char byte;

			set(&p, 1, ends[0]);
			set(&p, 2, (uintptr_t)&byte);
			set(&p, 3, 1);
			set(&p, 4, (uintptr_t)m.page);
			set(&p, 5, SYSVM_PAGE_SIZE);
			CALL(&p, munmap, 10, 4, 5); /* even without its page */
			CALL(&p, read, 10, 1, 2, 3);
			finish(&p);
			machine_run(&m, &p);
			pause(); /* time ended the entry behind munmap: there is no page to go on from */
		}
		usleep(5000 + i * 1000);
		CHECK_EQ(kill(pid, SIGKILL), 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		expect_no_context(pid);
		close(ends[0]);
		close(ends[1]);
	}
}

static void *run_and_leave(void *arg)
{
	struct machine m = *(struct machine *)arg;
	struct program p = { 0 };

	m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	CHECK(m.page != MAP_FAILED);
	CALL(&p, gettid, 1);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ(m.page->reg[1], gettid());
	return m.page;
}

/*
 * A page is its thread's: another thread may unmap it when that has ended, and can do nothing else with it.
 */
static void a_page_outlives_its_thread_and_is_nobodys(void)
{
	struct machine m = machine_open();
	pthread_t thread;
	void *page;

	for (int i = 0; i < 50; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, run_and_leave, &m), 0);
		CHECK_EQ(pthread_join(thread, &page), 0);
		if (i % 2)
			CHECK_EQ(munmap(page, SYSVM_PAGE_SIZE), 0);
		else
			CHECK_EQ(((struct sysvm_page *)page)->status, SYSVM_DONE);
	}
	CHECK_EQ(close(m.fd), 0);
	CHECK(has_context(getpid())); /* mapped still */
}

/* ---- fork ---- */

static void a_fork_in_mid_run_gives_the_child_nothing(void)
{
	static struct runner r = { .page_stays = true };
	unsigned char in_core;

	start_runner(&r);
	for (int i = 0; i < 20; i++)
		IN_CHILD({
			uint64_t there = *r.count;

			CHECK(mincore(r.m.page, SYSVM_PAGE_SIZE, &in_core) != 0);
			CHECK_EQ(machine_enter(&r.m, SYSVM_PROC_PAGE, 9), -EPERM);
			CHECK_EQ(machine_enter(&r.m, SYSVM_PROC_PAGE, 10), -EPERM);
			/* the parent's run goes on meanwhile */
			while (*(volatile uint64_t *)r.count == there)
				usleep(100);
		});
	__atomic_store_n(r.stop, 1, __ATOMIC_RELEASE);
	CHECK_EQ(pthread_join(r.thread, NULL), 0);
	CHECK_EQ(r.result, 0);
}

/* ---- the page ---- */

/* page: where it is, if this thread can tell: its fuel may be spent after a second or two. */
static void expect_progress(const struct runner *r, struct sysvm_page *page)
{
	uint64_t before = *(volatile uint64_t *)r->count;

	for (int i = 0; *(volatile uint64_t *)r->count == before; i++) {
		if (i == 5000)
			FAIL("the run stands at %llu", (unsigned long long)before);
		if (page)
			page->fuel = SYSVM_FUEL_MAX;
		usleep(1000);
	}
}

static void another_thread_may_move_the_page_in_mid_run(void)
{
	static struct runner r;
	void *page, *places[2];

	start_runner(&r);
	page = r.m.page;
	for (int i = 0; i < 2; i++)
		places[i] = mmap(NULL, SYSVM_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 200; i++) {
		page = mremap(page, SYSVM_PAGE_SIZE, SYSVM_PAGE_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			      places[i % 2]);
		CHECK_EQ((uintptr_t)page, (uintptr_t)places[i % 2]);
		if (i % 50 == 0)
			expect_progress(&r, page);
	}
	__atomic_store_n(r.stop, 1, __ATOMIC_RELEASE);
	CHECK_EQ(pthread_join(r.thread, NULL), 0);
	CHECK_EQ(r.result, 0);
}

static void another_thread_may_unmap_the_page_in_mid_run(void)
{
	for (int i = 0; i < 20; i++) {
		static struct runner r;

		start_runner(&r);
		usleep(i * 331 % 5000);
		CHECK_EQ(munmap(r.m.page, SYSVM_PAGE_SIZE), 0);
		CHECK_EQ(pthread_join(r.thread, NULL), 0); /* at its next entry at the latest */
		CHECK_EQ(r.result, -ENXIO);
		CHECK_EQ(close(r.m.fd), 0);
		expect_no_context(getpid());
	}
}

/* Something else over the page is an unmap, and the something else is left alone. */
static void another_thread_may_map_over_the_page_in_mid_run(void)
{
	static struct runner r;
	unsigned char *over;

	start_runner(&r);
	over = mmap(r.m.page, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(over == (void *)r.m.page);
	CHECK_EQ(pthread_join(r.thread, NULL), 0);
	CHECK_EQ(r.result, -ENXIO);
	for (int i = 0; i < SYSVM_PAGE_SIZE; i++)
		CHECK_EQ(over[i], 0);
}

static void the_page_may_lose_its_protection_in_mid_run(void)
{
	static struct runner r;

	start_runner(&r);
	CHECK_EQ(mprotect(r.m.page, SYSVM_PAGE_SIZE, PROT_NONE), 0);
	expect_progress(&r, NULL); /* the kernel has its own way to it */
	CHECK_EQ(mprotect(r.m.page, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	__atomic_store_n(r.stop, 1, __ATOMIC_RELEASE);
	CHECK_EQ(pthread_join(r.thread, NULL), 0);
	CHECK_EQ(r.result, 0);
}

/* ---- the descriptor ---- */

static void another_thread_may_put_a_file_over_the_descriptor_in_mid_run(void)
{
	for (int i = 0; i < 20; i++) {
		static struct runner r;
		int other = open("/dev/null", O_RDWR | O_CLOEXEC);

		start_runner(&r);
		usleep(i * 331 % 5000);
		CHECK_EQ(dup2(other, r.m.fd), r.m.fd);
		CHECK_EQ(pthread_join(r.thread, NULL), 0);
		/* Asked of another file: by ioctl ENOTTY; advice it takes none of. */
		CHECK(r.result == -ENOTTY || r.result == -EINVAL || r.result == -ESPIPE);
		CHECK(has_context(getpid())); /* the mapping holds it */
		CHECK_EQ(munmap(r.m.page, SYSVM_PAGE_SIZE), 0);
		expect_no_context(getpid());
		close(r.m.fd);
		close(other);
	}
}

static void send_descriptor(int channel, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	*head = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(head), &fd, sizeof(int));
	CHECK_EQ(sendmsg(channel, &message, 0), 1);
}

static int receive_descriptor(int channel)
{
	char space[CMSG_SPACE(sizeof(int))], byte;
	struct iovec data = { &byte, 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)
	};
	int fd;

	CHECK_EQ(recvmsg(channel, &message, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
	return fd;
}

/* Whoever gets it has a context of another address space: nothing can be run, mapped or defined with it. */
static void a_descriptor_that_is_passed_away_is_of_no_use_there(void)
{
	static struct runner r;
	int channel[2], status;
	pid_t pid;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), 0);
	pid = fork();
	if (!pid) {
		struct machine m = { .fd = receive_descriptor(channel[1]) };
		struct sysvm_define d = { .code = (uintptr_t) "\x01", .code_len = 1 };
		uint32_t number = 0;

		CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 1), -EPERM);
		CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 2), -EPERM);
		CHECK_FAILS(mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ, MAP_SHARED, m.fd, 0), EPERM);
		CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &d), EPERM);
		CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_UNDEFINE, &number), EPERM);
		CHECK_EQ(read(channel[1], &status, 1), 1); /* holds it until the sender has none any more */
		CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 1), -EPERM);
		_exit(0);
	}
	start_runner(&r);
	send_descriptor(channel[0], r.m.fd);
	usleep(20000);
	CHECK_EQ(close(r.m.fd), 0); /* in mid-run */
	CHECK_EQ(pthread_join(r.thread, NULL), 0);
	CHECK_EQ(r.result, -EBADF);
	CHECK_EQ(munmap(r.m.page, SYSVM_PAGE_SIZE), 0);
	CHECK(has_context(getpid())); /* the other process holds it */
	CHECK_EQ(write(channel[0], "", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	expect_no_context(getpid());
}

/* One that comes back is the sender's own again. */
static void a_descriptor_that_comes_back_works(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };
	int channel[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), 0);
	send_descriptor(channel[0], m.fd);
	CHECK_EQ(close(m.fd), 0);
	m.fd = receive_descriptor(channel[1]);
	CALL(&p, getpid, 1);
	finish(&p);
	machine_complete(&m, &p);
	CHECK_EQ(m.page->reg[1], getpid());
}

/* ---- the module ---- */

static void the_module_stays_while_a_program_runs(void)
{
	static struct runner r = { .page_stays = true };

	start_runner(&r);
	for (int i = 0; i < 20; i++) {
		CHECK_FAILS(syscall(SYS_delete_module, "sysvm", O_NONBLOCK), EAGAIN);
		expect_progress(&r, NULL);
	}
	CHECK_EQ(close(r.m.fd), 0);
	CHECK_FAILS(syscall(SYS_delete_module, "sysvm", O_NONBLOCK), EAGAIN); /* the mapping */
	CHECK_EQ(pthread_join(r.thread, NULL), 0);
	CHECK_EQ(r.result, -EBADF);
}

static const struct test tests[] = {
	TEST(a_process_that_ends_in_mid_run_leaves_nothing),
	TEST(a_process_that_ends_while_a_call_waits_leaves_nothing),
	TEST(a_page_outlives_its_thread_and_is_nobodys),
	TEST(a_fork_in_mid_run_gives_the_child_nothing),
	TEST(another_thread_may_move_the_page_in_mid_run),
	TEST(another_thread_may_unmap_the_page_in_mid_run),
	TEST(another_thread_may_map_over_the_page_in_mid_run),
	TEST(the_page_may_lose_its_protection_in_mid_run),
	TEST(another_thread_may_put_a_file_over_the_descriptor_in_mid_run),
	TEST(a_descriptor_that_is_passed_away_is_of_no_use_there),
	TEST(a_descriptor_that_comes_back_works),
	TEST(the_module_stays_while_a_program_runs),
};
TEST_MAIN(tests)
