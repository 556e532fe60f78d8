// SPDX-License-Identifier: GPL-2.0
/*
 * Who watches a process sees its calls: a tracer that attaches in the middle of a run, auditd, system call
 * tracepoints, a dispatcher in user space (PR_SET_SYSCALL_USER_DISPATCH). Each is counted against what the
 * program says that it did. And who comes with another convention of arguments (32-bit, x32) does not get in.
 *
 * The programs run by SYSVM_ENGINE_BEST, as the library's users have it: what the module leaves to user space
 * is made there.
 */
#include "ways.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/user.h>

static struct sysvm_vm *best_machine(void)
{
	struct sysvm_vm *vm = aligned_alloc(64, sysvm_size());

	CHECK_EQ(sysvm_init(vm, SYSVM_ENGINE_BEST), 0);
	CHECK_EQ(sysvm_engine(vm), SYSVM_ENGINE_KERNEL);
	return vm;
}

/* rounds times: getppid, then one more at *count. */
static void load_counting(struct sysvm_vm *vm, volatile uint64_t *count, uint64_t rounds)
{
	struct program p = { 0 };

	set(&p, 1, (uintptr_t)count);
	set(&p, 2, 0);
	set(&p, 3, rounds);
	uint32_t loop = p.len;
	CALL(&p, getppid, 10);
	EMIT(&p, SYSVM_OP_ADDI, 2, 2, 1, 0, 0, 0, SYSVM_OP_ST64, 1, 2, 0, 0, SYSVM_OP_JB, 2, 3);
	int16_t distance = (int16_t)(loop - (p.len + 2));
	emit(&p, &distance, 2);
	finish(&p);
	load_into_page(vm, &p);
}

static void until_above(const volatile uint64_t *count, uint64_t n)
{
	for (int i = 0; *count <= n; i++) {
		if (i == 20000)
			FAIL("the program counted to %llu, expected more than %llu",
			     (unsigned long long)*count, (unsigned long long)n);
		usleep(1000);
	}
}

/* ---- ptrace ---- */

/* At the next entry of getppid; how many other calls were seen on the way is added to *others. */
static void to_next_getppid(pid_t pid, unsigned int *others)
{
	static bool inside;
	struct user_regs_struct regs;
	int status;

	for (;;) {
		CHECK_EQ(ptrace(PTRACE_SYSCALL, pid, 0, 0), 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			FAIL("wait status %#x, expected a stop", status);
		if (WSTOPSIG(status) != (SIGTRAP | 0x80)) { /* the stop by PTRACE_INTERRUPT */
			inside = false;
			continue;
		}
		inside = !inside;
		if (!inside)
			continue;
		CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
		if (regs.orig_rax == SYS_getppid)
			return;
		++*others;
	}
}

static void a_tracer_that_attaches_in_mid_run_sees_every_call(void)
{
	volatile uint64_t *count = shared_memory(4096);
	unsigned int others = 0;
	uint64_t at_first, inside;
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct sysvm_vm *vm = best_machine();

		load_counting(vm, count, ~0ull);
		sysvm_run_through(vm, SYSVM_PROC_PAGE, ~0ull);
		_exit(1);
	}
	until_above(count, 100);
	CHECK_EQ(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
	CHECK_EQ(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	to_next_getppid(pid, &others);
	at_first = *count;
	for (int i = 1; i <= 100; i++) {
		to_next_getppid(pid, &others);
		CHECK_EQ(*count, at_first + i); /* neither more nor fewer than were seen */
	}
	/* Left alone it runs in the module again: many a call that nobody is told of. */
	CHECK_EQ(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	inside = *count;
	until_above(count, inside + 1000);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

/* Attached is enough: it need not have asked for system calls, nor have stopped anything. */
static void a_tracer_that_only_attached_makes_it_fall_back(void)
{
	volatile uint64_t *shared = shared_memory(4096);
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct machine m = machine_open();
		struct program p = { 0 };

		CALL(&p, getppid, 10);
		finish(&p);
		machine_complete(&m, &p);
		shared[0] = 1;
		while (!shared[1])
			usleep(1000);
		for (int i = 0; i < 20; i++) {
			CHECK_EQ(machine_run_on(&m, &p), 0);
			CHECK_EQ(m.page->status, SYSVM_FALLBACK);
		}
		CHECK_EQ(m.page->calls, 1);
		_exit(0);
	}
	until_above(&shared[0], 0);
	CHECK_EQ(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	shared[1] = 1;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

/* ---- tracepoints ---- */

#define TRACING "/sys/kernel/tracing/instances/sysvm_test"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("%s: %s", path, strerror(errno));
	close(fd);
}

static unsigned int events(void)
{
	FILE *trace = fopen(TRACING "/trace", "re");
	char line[512], me[32];
	unsigned int n = 0;

	snprintf(me, sizeof(me), "-%d ", gettid());
	while (fgets(line, sizeof(line), trace))
		n += line[0] != '#' && strstr(line, me) && strstr(line, "sys_enter: NR 110 ");
	fclose(trace);
	return n;
}

static volatile uint64_t counted, counted_when_on;

static void *switch_on(void *unused)
{
	(void)unused;
	until_above(&counted, 50);
	write_file(TRACING "/events/raw_syscalls/sys_enter/enable", "1");
	counted_when_on = counted;
	return NULL;
}

static void the_tracepoint_fires_for_each_call_once_it_is_on(void)
{
	struct sysvm_vm *vm = best_machine();
	pthread_t thread;
	uint64_t rounds;
	unsigned int seen;

	mkdir(TRACING, 0755);
	write_file(TRACING "/events/raw_syscalls/sys_enter/filter", "id == 110");
	CHECK_EQ(pthread_create(&thread, NULL, switch_on, NULL), 0);
	/* On and on until it is on, then 300 more. */
	for (rounds = 0; !counted_when_on; rounds += 1000) {
		load_counting(vm, &counted, 1000);
		CHECK_EQ(sysvm_run_through(vm, SYSVM_PROC_PAGE, 1 << 20), 0);
		CHECK_EQ(sysvm_page(vm)->status, SYSVM_DONE);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(sysvm_page(vm)->calls >= rounds);
	write_file(TRACING "/trace", " ");
	load_counting(vm, &counted, 300);
	CHECK_EQ(sysvm_run_through(vm, SYSVM_PROC_PAGE, 1 << 20), 0);
	CHECK_EQ(sysvm_page(vm)->status, SYSVM_DONE);
	seen = events();
	write_file(TRACING "/events/raw_syscalls/sys_enter/enable", "0");
	rmdir(TRACING);
	CHECK_EQ(seen, 300);
	CHECK(sysvm_page(vm)->fallbacks > 0);
}

/* ---- audit ---- */

static int audit_socket;

/* One request; its acknowledgement's errno. Records are on another socket. */
static int ask_audit(int type, const void *data, size_t size)
{
	struct {
		struct nlmsghdr head;
		char data[NLMSG_ALIGN(sizeof(struct audit_rule_data) + 64)];
	} request = { .head = { .nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK, .nlmsg_seq = 1 } };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[8192];
	} reply;

	memcpy(request.data, data, size);
	CHECK(send(audit_socket, &request, request.head.nlmsg_len, 0) > 0);
	do {
		CHECK(recv(audit_socket, &reply, sizeof(reply), 0) > 0);
	} while (reply.head.nlmsg_type != NLMSG_ERROR);
	return reply.error.error;
}

static void audit_enabled(uint32_t enabled)
{
	struct audit_status status = { .mask = AUDIT_STATUS_ENABLED, .enabled = enabled };

	CHECK_EQ(ask_audit(AUDIT_SET, &status, sizeof(status)), 0);
}

static struct audit_rule_data getppid_rule(void)
{
	struct audit_rule_data rule = { .flags = AUDIT_FILTER_EXIT, .action = AUDIT_ALWAYS };

	rule.mask[AUDIT_WORD(SYS_getppid)] |= AUDIT_BIT(SYS_getppid);
	return rule;
}

/* Nobody's calls: what a machine without auditd looks like again. New tasks only. */
static struct audit_rule_data no_task_rule(void)
{
	struct audit_rule_data rule = { .flags = AUDIT_FILTER_TASK, .action = AUDIT_NEVER };

	memset(rule.mask, 0xff, sizeof(rule.mask));
	return rule;
}

static unsigned int records_of(int fd, pid_t pid)
{
	char expected[64], buffer[16384];
	struct timeval limit = { 3, 0 };
	unsigned int n = 0;
	ssize_t len;

	snprintf(expected, sizeof(expected), " pid=%d ", pid);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	while ((len = recv(fd, buffer, sizeof(buffer) - 1, 0)) > 0) {
		struct nlmsghdr *head = (struct nlmsghdr *)buffer;

		buffer[len] = 0;
		if (head->nlmsg_type == AUDIT_SYSCALL && strstr(NLMSG_DATA(head), "syscall=110 ") &&
		    strstr(NLMSG_DATA(head), expected) && ++n == 20)
			break;
	}
	return n;
}

static void run_20_getppid(uint64_t expected_fallbacks)
{
	struct sysvm_vm *vm = best_machine();
	uint64_t here;

	load_counting(vm, &here, 20);
	CHECK_EQ(sysvm_run_through(vm, SYSVM_PROC_PAGE, 1000), 0);
	CHECK_EQ(sysvm_page(vm)->status, SYSVM_DONE);
	CHECK_EQ(sysvm_page(vm)->fallbacks > 0, expected_fallbacks > 0);
}

/*
 * Auditing is on and has no rule, as auditd leaves it that nobody has told what to watch. Then too a denial
 * is recorded with its call, by what the kernel noted when that entered: so the call must be the one that
 * enters.
 */
static void audit_without_rules_makes_it_fall_back_too(void)
{
	struct audit_rule_data none = no_task_rule();

	audit_socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	CHECK(audit_socket >= 0);
	ask_audit(AUDIT_DEL_RULE, &none, sizeof(none)); /* of another test */
	audit_enabled(1);
	IN_CHILD(run_20_getppid(1));
	CHECK_EQ(ask_audit(AUDIT_ADD_RULE, &none, sizeof(none)), 0);
	IN_CHILD(run_20_getppid(0)); /* a task that is not watched */
	audit_enabled(0);
}

static void audit_records_each_call(void)
{
	struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = 1 << (AUDIT_NLGRP_READLOG - 1) };
	int records = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT), status, size = 4 << 20;
	struct audit_rule_data rule = getppid_rule(), none = no_task_rule();
	unsigned int seen;
	pid_t pid;

	audit_socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	CHECK(records >= 0 && audit_socket >= 0);
	CHECK_EQ(setsockopt(records, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
	CHECK_EQ(bind(records, (struct sockaddr *)&group, sizeof(group)), 0);
	audit_enabled(1);
	CHECK_EQ(ask_audit(AUDIT_ADD_RULE, &rule, sizeof(rule)), 0);
	pid = fork(); /* tasks are audited from their birth */
	if (!pid) {
		run_20_getppid(1);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	seen = records_of(records, pid);
	CHECK_EQ(ask_audit(AUDIT_DEL_RULE, &rule, sizeof(rule)), 0);
	CHECK_EQ(ask_audit(AUDIT_ADD_RULE, &none, sizeof(none)), 0);
	audit_enabled(0);
	CHECK_EQ(status, 0);
	CHECK_EQ(seen, 20);
	IN_CHILD(run_20_getppid(0)); /* and all is as before */
}

/* ---- a dispatcher in user space ---- */

static volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
static volatile long dispatched;

static void on_dispatch(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	selector = SYSCALL_DISPATCH_FILTER_ALLOW;
	dispatched = info->si_syscall;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 4711;
}

static void dispatch_from_now_on(int signal)
{
	(void)signal;
	CHECK_EQ(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0, 0, &selector), 0);
}

/* It comes in mid-run, by a handler: the only way, since it is for the calling thread. */
static void a_dispatcher_in_user_space_gets_the_calls(void)
{
	struct sigaction dispatcher = { .sa_sigaction = on_dispatch, .sa_flags = SA_SIGINFO };
	struct sigaction switcher = { .sa_handler = dispatch_from_now_on };
	struct machine m = machine_open();
	struct program p = { 0 };
	uint64_t calls;

	CHECK_EQ(sigaction(SIGSYS, &dispatcher, NULL), 0);
	CHECK_EQ(sigaction(SIGALRM, &switcher, NULL), 0);
	CALL(&p, getppid, 10);
	jump_back(&p, 0);
	CHECK_EQ(machine_run(&m, &p), 0);
	raise(SIGALRM);
	calls = m.page->calls;
	do
		CHECK_EQ(machine_resume(&m), 0);
	while (m.page->status == SYSVM_YIELD);
	CHECK_EQ(m.page->status, SYSVM_FALLBACK);
	CHECK_EQ(m.page->calls, calls);
	/* And made plainly it is the dispatcher that answers. */
	selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	CHECK_EQ(syscall(SYS_getppid), 4711);
	CHECK_EQ(dispatched, SYS_getppid);
	CHECK_EQ(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0), 0);
	CHECK_EQ(machine_resume(&m), 0);
	CHECK(m.page->calls > calls);
}

/* ---- callers whose arguments mean something else ---- */

static long int80(long nr, long a, long b, long c, long d, long e, long f)
{
	long result;

	/* The sixth is in ebp, which the compiler may need. */
	asm volatile("push %%rbp; mov %7, %%rbp; int $0x80; pop %%rbp"
		     : "=a"(result)
		     : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "r"(f)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

/* A machine and what it would run if it could be entered: its page says whether it was. */
static struct machine ready_machine(void)
{
	struct machine m = machine_open();
	struct program p = { 0 };

	CALL(&p, getppid, 1);
	finish(&p);
	machine_load(&m, &p);
	return m;
}

static void a_32_bit_call_does_not_get_in(void)
{
	static const char path[] = "/dev/sysvm"; /* below 4 GiB, as all of this program is */
	static struct sysvm_run run = { .proc = SYSVM_PROC_PAGE, .seq = 9 };
	struct machine m = ready_machine(), unused = { .fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC) };

	CHECK_EQ(int80(20 /* getpid */, 0, 0, 0, 0, 0, 0), getpid());
	CHECK_EQ(int80(5 /* open */, (long)path, O_RDWR, 0, 0, 0, 0), -ENODEV);
	CHECK_EQ(int80(54 /* ioctl */, m.fd, SYSVM_IOC_RUN, (long)&run, 0, 0, 0), -ENOTTY);
	CHECK_EQ(int80(54, m.fd, SYSVM_IOC_QUERY, (long)&run, 0, 0, 0), -ENOTTY);
	CHECK_EQ(int80(250 /* fadvise64 */, m.fd, 9, 0, -1, SYSVM_ADVICE_RUN, 0) < 0, 1);
	CHECK_EQ(int80(272 /* fadvise64_64 */, m.fd, 9, 0, -1, 0, SYSVM_ADVICE_RUN), -EBADF);
	CHECK_EQ(int80(192 /* mmap2 */, 0, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, unused.fd, 0),
		 -ENODEV);
	CHECK_EQ(m.page->runs, 0);
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 9), 0);
	CHECK_EQ(m.page->runs, 1);
}

#define X32(nr) ((nr) | 0x40000000)

static void an_x32_call_does_not_get_in(void)
{
	struct sysvm_run run = { .proc = SYSVM_PROC_PAGE, .seq = 9 };
	struct machine m = ready_machine(), unused = { .fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC) };

	CHECK_EQ(syscall(X32(SYS_getpid)), getpid()); /* ENOSYS: boot with syscall.x32=y */
	CHECK_FAILS(syscall(X32(SYS_open), "/dev/sysvm", O_RDWR), ENODEV);
	CHECK_FAILS(syscall(X32(514) /* ioctl */, m.fd, SYSVM_IOC_RUN, &run), ENOTTY);
	CHECK_FAILS(syscall(X32(SYS_fadvise64), m.fd, 9, SYSVM_PROC_PAGE, SYSVM_ADVICE_RUN), EBADF);
	CHECK_FAILS(
		syscall(X32(SYS_mmap), 0, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, unused.fd, 0),
		ENODEV);
	CHECK_EQ(m.page->runs, 0);
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, 9), 0);
	CHECK_EQ(m.page->runs, 1);
}

static const struct test tests[] = {
	TEST(a_tracer_that_attaches_in_mid_run_sees_every_call),
	TEST(a_tracer_that_only_attached_makes_it_fall_back),
	TEST(the_tracepoint_fires_for_each_call_once_it_is_on),
	TEST(audit_records_each_call),
	TEST(audit_without_rules_makes_it_fall_back_too),
	TEST(a_dispatcher_in_user_space_gets_the_calls),
	TEST(a_32_bit_call_does_not_get_in),
	TEST(an_x32_call_does_not_get_in),
};
TEST_MAIN(tests)
