// SPDX-License-Identifier: GPL-2.0
/*
 * The branch history is cleared wherever the kernel's own code follows branches that a program chose.
 * Emulation has no history, but that the clearing happens, and how often, a probe on it counts; the module is
 * loaded with clear_history=1 (CMakeLists.txt). Each program differs from the next by one thing, and so does
 * its count.
 */
#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define TRACING "/sys/kernel/tracing/"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("%s: %s: %s", path, text, strerror(errno));
	close(fd);
}

static void stop_counting(void)
{
	write_file(TRACING "events/sysvm_test/enable", "0");
	write_file(TRACING "kprobe_events", "\n"); /* empties it */
}

static void start_counting(void)
{
	write_file(TRACING "kprobe_events", "p:sysvm_test/cleared sysvm:sysvm_clear_branch_history");
	atexit(stop_counting);
	write_file(TRACING "events/sysvm_test/enable", "1");
}

static unsigned int cleared(void)
{
	static char text[1 << 20];
	int fd = open(TRACING "trace", O_RDONLY | O_CLOEXEC);
	ssize_t n, have = 0;
	unsigned int times = 0;
	char who[32];

	CHECK(fd >= 0);
	while ((n = read(fd, text + have, sizeof(text) - 1 - have)) > 0)
		have += n;
	close(fd);
	text[have] = 0;
	snprintf(who, sizeof(who), "-%d ", getpid());
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		times += *line != '#' && strstr(line, who) && strstr(line, " cleared: ");
	return times;
}

/* The fewest of some rounds: an interrupt in between makes for one more. */
#define EXPECT_CLEARED(expected, statement) \
	do { \
		unsigned int fewest_ = ~0u; \
		for (int round_ = 0; round_ < 8; round_++) { \
			write_file(TRACING "trace", "\n"); \
			statement; \
			unsigned int times_ = cleared(); \
			if (times_ < fewest_) \
				fewest_ = times_; \
		} \
		if (fewest_ != (expected)) \
			FAIL("cleared %u times, expected %u: %s", fewest_, (unsigned int)(expected), \
			     #statement); \
	} while (0)

static uint32_t define(struct machine *m, const struct program *p)
{
	struct sysvm_define d = { .code = (uintptr_t)p->code, .code_len = p->len };

	CHECK_EQ(ioctl(m->fd, SYSVM_IOC_DEFINE, &d), 0);
	return d.proc;
}

static void run(struct machine *m, uint32_t proc)
{
	m->page->fuel = 1000;
	CHECK_EQ(machine_enter(m, proc, ++m->seq), 0);
}

static void the_branch_history_is_cleared_before_kernel_code_follows(void)
{
	struct machine m = machine_open();
	struct program empty = { 0 }, load = { 0 }, store = { 0 }, call = { 0 }, bad = { 0 };
	uint64_t word = 0;
	uint32_t nothing, loads, stores, calls;

	finish(&empty);
	EMIT(&load, SYSVM_OP_LD64, 4, 3, 0, 0);
	finish(&load);
	EMIT(&store, SYSVM_OP_ST64, 3, 4, 0, 0);
	finish(&store);
	CALL(&call, getpid, 1);
	finish(&call);
	EMIT(&bad, 0);
	m.page->reg[3] = (uintptr_t)&word;
	nothing = define(&m, &empty);
	loads = define(&m, &load);
	stores = define(&m, &store);
	calls = define(&m, &call);
	start_counting();
	EXPECT_CLEARED(1, run(&m, nothing)); /* behind the end */
	EXPECT_CLEARED(2, run(&m, loads));
	EXPECT_CLEARED(2, run(&m, stores));
	EXPECT_CLEARED(2, run(&m, calls));
	machine_load(&m, &empty);
	EXPECT_CLEARED(2, run(&m, SYSVM_PROC_PAGE)); /* the verifier's branches, too */
	machine_load(&m, &bad);
	EXPECT_CLEARED(1, run(&m, SYSVM_PROC_PAGE));
	CHECK_EQ(m.page->status, SYSVM_INVALID);
	EXPECT_CLEARED(1, define(&m, &empty));
	struct sysvm_define refused = { .code = (uintptr_t)bad.code, .code_len = bad.len };
	EXPECT_CLEARED(1, CHECK_FAILS(ioctl(m.fd, SYSVM_IOC_DEFINE, &refused), EINVAL));
}

/* Before the look, in which others may run; the filters' programs; the call; and behind the end. */
static void so_it_is_before_a_filter_is_asked(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog filter = { 1, code };
	struct machine m = machine_open();
	struct program call = { 0 };
	uint32_t calls;

	CALL(&call, getpid, 1);
	finish(&call);
	calls = define(&m, &call);
	start_counting();
	CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	CHECK_EQ(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter), 0);
	EXPECT_CLEARED(4, run(&m, calls));
	CHECK_EQ(m.page->status, SYSVM_DONE);
}

static const struct test tests[] = {
	TEST(the_branch_history_is_cleared_before_kernel_code_follows),
	TEST(so_it_is_before_a_filter_is_asked),
};
TEST_MAIN(tests)
