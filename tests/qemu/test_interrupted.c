// SPDX-License-Identifier: GPL-2.0
/*
 * Calls that wait, and what interrupts them: each call that can wait for another task, against a handler, a
 * handler with SA_RESTART, stop and continue, and a signal that is blocked. What comes out must be what the
 * same calls give plainly, EINTR or not: nothing here knows which it is.
 */
#include "ways.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>

/* A call that waits: descriptors that it waits on, and how its wait is ended. */
struct waiting {
	const char *name;
	void (*prepare)(struct step *step);
	void (*satisfy)(void);
};

static int ends[2], others[2], file;
static char byte, bytes[64];
static struct epoll_event event;
static struct iovec vector = { bytes, 1 };
static struct mmsghdr message = { .msg_hdr = { .msg_iov = &vector, .msg_iovlen = 1 } };
static struct flock whole = { .l_type = F_WRLCK };
static struct sockaddr_un address;

static void write_a_byte(void)
{
	CHECK_EQ(write(ends[1], "y", 1), 1);
}

static void read_of_a_pipe(struct step *s)
{
	CHECK_EQ(pipe(ends), 0);
	*s = (struct step){ SYSVM_CALL_read, { ends[0], (uintptr_t)&byte, 1 } };
}

static void readv_of_a_pipe(struct step *s)
{
	CHECK_EQ(pipe(ends), 0);
	*s = (struct step){ SYSVM_CALL_readv, { ends[0], (uintptr_t)&vector, 1 } };
}

static void write_to_a_full_pipe(struct step *s)
{
	static char page[4096];

	CHECK_EQ(pipe2(ends, O_NONBLOCK), 0);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
	while (write(ends[1], page, sizeof(page)) > 0)
		;
	CHECK_EQ(fcntl(ends[1], F_SETFL, 0), 0);
	*s = (struct step){ SYSVM_CALL_write, { ends[1], (uintptr_t) "z", 1 } };
}

static void drain(void)
{
	char page[4096];

	CHECK(read(ends[0], page, sizeof(page)) > 0);
}

static void recvfrom_of_a_socket(struct step *s)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	*s = (struct step){ SYSVM_CALL_recvfrom, { ends[0], (uintptr_t)bytes, sizeof(bytes), 0, 0, 0 } };
}

/* With a time limit the kernel never restarts it. */
static void recvfrom_with_a_time_limit(struct step *s)
{
	struct timeval limit = { 100, 0 };

	recvfrom_of_a_socket(s);
	CHECK_EQ(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
}

static void recvmmsg_of_a_socket(struct step *s)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	*s = (struct step){ SYSVM_CALL_recvmmsg, { ends[0], (uintptr_t)&message, 1, 0, 0 } };
}

static int listener(int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t size = sizeof(address);

	address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0); /* the kernel finds a name */
	CHECK_EQ(listen(fd, backlog), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	message.msg_hdr.msg_namelen = size;
	return fd;
}

static void accept_of_a_listener(struct step *s)
{
	ends[0] = listener(5);
	ends[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	*s = (struct step){ SYSVM_CALL_accept4, { ends[0], 0, 0, SOCK_CLOEXEC } };
}

static void connect_to_it(void)
{
	CHECK_EQ(connect(ends[1], (struct sockaddr *)&address, message.msg_hdr.msg_namelen), 0);
}

static void connect_to_a_full_listener(struct step *s)
{
	ends[0] = listener(0);
	ends[1] = socket(AF_UNIX, SOCK_STREAM, 0);
	connect_to_it();
	others[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	*s = (struct step){ SYSVM_CALL_connect,
			    { others[0], (uintptr_t)&address, message.msg_hdr.msg_namelen } };
}

static void accept_one(void)
{
	CHECK(accept(ends[0], NULL, NULL) >= 0);
}

static char fifo[64];

static void open_of_a_fifo(struct step *s)
{
	snprintf(fifo, sizeof(fifo), "/tmp/interrupted.%d", getpid());
	unlink(fifo);
	CHECK_EQ(mkfifo(fifo, 0600), 0);
	*s = (struct step){ SYSVM_CALL_openat, { AT_FDCWD, (uintptr_t)fifo, O_RDONLY | O_CLOEXEC, 0 } };
}

static void open_the_other_end(void)
{
	static int other = -1;

	/* Held: an end that goes again at once might be missed. */
	if (other < 0)
		other = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	CHECK(other >= 0);
}

static void epoll_wait_for_a_pipe(struct step *s)
{
	struct epoll_event in = { .events = EPOLLIN };
	int set_of_one = epoll_create1(0);

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(epoll_ctl(set_of_one, EPOLL_CTL_ADD, ends[0], &in), 0);
	*s = (struct step){ SYSVM_CALL_epoll_wait, { set_of_one, (uintptr_t)&event, 1, -1 } };
}

/* Two opens of one file: they are rivals, whichever process they are in. */
static void open_twice(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/locked.%d", getpid());
	others[0] = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	others[1] = open(path, O_RDWR | O_CLOEXEC);
	CHECK(others[0] >= 0 && others[1] >= 0);
	unlink(path);
}

static void flock_that_is_taken(struct step *s)
{
	open_twice();
	CHECK_EQ(flock(others[0], LOCK_EX), 0);
	*s = (struct step){ SYSVM_CALL_flock, { others[1], LOCK_EX } };
}

static void unlock(void)
{
	CHECK_EQ(flock(others[0], LOCK_UN), 0);
}

static void record_lock_that_is_taken(struct step *s)
{
	open_twice();
	CHECK_EQ(fcntl(others[0], F_OFD_SETLK, &whole), 0);
	*s = (struct step){ SYSVM_CALL_fcntl, { others[1], F_OFD_SETLKW, (uintptr_t)&whole } };
}

static void unlock_record(void)
{
	struct flock none = { .l_type = F_UNLCK };

	CHECK_EQ(fcntl(others[0], F_OFD_SETLK, &none), 0);
}

static void read_of_an_eventfd(struct step *s)
{
	file = eventfd(0, 0);
	*s = (struct step){ SYSVM_CALL_read, { file, (uintptr_t)bytes, 8 } };
}

static void count_an_event(void)
{
	uint64_t one = 1;

	CHECK_EQ(write(file, &one, 8), 8);
}

static void read_of_a_timer(struct step *s)
{
	file = timerfd_create(CLOCK_MONOTONIC, 0);
	*s = (struct step){ SYSVM_CALL_read, { file, (uintptr_t)bytes, 8 } };
}

static void set_the_timer(void)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1 };

	CHECK_EQ(timerfd_settime(file, 0, &soon, NULL), 0);
}

static void splice_of_a_pipe(struct step *s)
{
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(others), 0);
	*s = (struct step){ SYSVM_CALL_splice, { ends[0], 0, others[1], 0, 10, 0 } };
}

static void tee_of_a_pipe(struct step *s)
{
	splice_of_a_pipe(s);
	*s = (struct step){ SYSVM_CALL_tee, { ends[0], others[1], 10, 0 } };
}

static const struct waiting waiting[] = {
	{ "read of a pipe", read_of_a_pipe, write_a_byte },
	{ "readv of a pipe", readv_of_a_pipe, write_a_byte },
	{ "write to a full pipe", write_to_a_full_pipe, drain },
	{ "recvfrom", recvfrom_of_a_socket, write_a_byte },
	{ "recvfrom with a time limit", recvfrom_with_a_time_limit, write_a_byte },
	{ "recvmmsg", recvmmsg_of_a_socket, write_a_byte },
	{ "accept4", accept_of_a_listener, connect_to_it },
	{ "connect", connect_to_a_full_listener, accept_one },
	{ "openat of a FIFO", open_of_a_fifo, open_the_other_end },
	{ "epoll_wait", epoll_wait_for_a_pipe, write_a_byte },
	{ "flock", flock_that_is_taken, unlock },
	{ "fcntl F_OFD_SETLKW", record_lock_that_is_taken, unlock_record },
	{ "read of an eventfd", read_of_an_eventfd, count_an_event },
	{ "read of a timer", read_of_a_timer, set_the_timer },
	{ "splice", splice_of_a_pipe, write_a_byte },
	{ "tee", tee_of_a_pipe, write_a_byte },
};

/* ---- what happens to a process that waits ---- */

enum { HANDLED = 1, HANDLER_RESTARTS, STOPPED_AND_CONTINUED, BLOCKED };

static const struct waiting *now;
static volatile sig_atomic_t handled;

static void on_alarm(int signal)
{
	(void)signal;
	/* Not the first: that may have come before the call. */
	if (++handled == 3)
		now->satisfy();
}

static void every_10_ms(int flags)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval timer = { { 0, 10000 }, { 0, 10000 } };

	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static char state_of(pid_t pid)
{
	char path[64], text[256], *end;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	end = strrchr(text, ')');
	return end ? end[2] : 'X';
}

/* Until it sleeps in its call; or is done, where the call does not wait for a second time. */
static void until_it_waits(pid_t pid, const int *started)
{
	while (!__atomic_load_n(started, __ATOMIC_ACQUIRE))
		usleep(1000);
	for (int i = 0; i < 5000; i++) {
		char state = state_of(pid);

		if (state == 'S' || state == 'Z' || state == 'X')
			return;
		usleep(1000);
	}
	FAIL("%s: state %c, expected S", now->name, state_of(pid));
}

static void from_outside(pid_t pid, int what, const int *started)
{
	int status;

	for (int i = 0; i < 3; i++) {
		until_it_waits(pid, started);
		if (what == BLOCKED) {
			CHECK_EQ(kill(pid, SIGALRM), 0);
			continue;
		}
		if (state_of(pid) == 'Z') /* its call did not wait again */
			break;
		CHECK_EQ(kill(pid, SIGSTOP), 0);
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		if (!WIFSTOPPED(status))
			FAIL("%s: wait status %#x, expected stopped", now->name, status);
		CHECK_EQ(kill(pid, SIGCONT), 0);
	}
	until_it_waits(pid, started);
	now->satisfy();
}

/* umask; the call that waits; umask: how far it came is seen from the outside, too. */
static void interrupt(struct sysvm_vm *vm, int what, struct outcome *out)
{
	struct step steps[3] = { { SYSVM_CALL_umask, { 0123 } }, { 0 }, { SYSVM_CALL_umask, { 0321 } } };
	int *started = shared_memory(4096), status;
	sigset_t alarm;
	pid_t pid;

	now->prepare(&steps[1]);
	pid = what >= STOPPED_AND_CONTINUED ? fork() : 0;
	if (pid) {
		from_outside(pid, what, started);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (status)
			FAIL("%s: wait status %#x", now->name, status);
		return;
	}
	if (vm && what >= STOPPED_AND_CONTINUED) { /* a child has no machine of its parent's */
		int fd = sysvm_device_fd(vm);

		if (fd >= 0)
			close(fd);
		vm = new_machine();
	}
	if (what == HANDLED || what == HANDLER_RESTARTS)
		every_10_ms(what == HANDLED ? 0 : SA_RESTART);
	if (what == BLOCKED) {
		sigemptyset(&alarm);
		sigaddset(&alarm, SIGALRM);
		CHECK_EQ(sigprocmask(SIG_BLOCK, &alarm, NULL), 0);
	}
	__atomic_store_n(started, 1, __ATOMIC_RELEASE);
	make(vm, steps, 3, out);
	out->other[0] = umask(0);
	if (what == HANDLED || what == HANDLER_RESTARTS) {
		CHECK(handled > 0);
		/* The third signal may still be to come, and would open what is about to go. */
		CHECK_EQ(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL), 0);
	}
	if (*fifo)
		unlink(fifo);
	if (what >= STOPPED_AND_CONTINUED)
		_exit(0);
}

static void interrupt_each(int what)
{
	for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
		now = &waiting[i];
		IN_BOTH_WAYS(now->name, interrupt(vm, what, out));
	}
}

static void a_handler_interrupts_what_it_interrupts_plainly(void)
{
	interrupt_each(HANDLED);
}

static void SA_RESTART_restarts_what_it_restarts_plainly(void)
{
	interrupt_each(HANDLER_RESTARTS);
}

static void stop_and_continue_interrupt_what_they_interrupt_plainly(void)
{
	interrupt_each(STOPPED_AND_CONTINUED);
}

static void a_blocked_signal_interrupts_nothing(void)
{
	interrupt_each(BLOCKED);
}

static const struct test tests[] = {
	TEST(a_handler_interrupts_what_it_interrupts_plainly),
	TEST(SA_RESTART_restarts_what_it_restarts_plainly),
	TEST(stop_and_continue_interrupt_what_they_interrupt_plainly),
	TEST(a_blocked_signal_interrupts_nothing),
};
TEST_MAIN(tests)
