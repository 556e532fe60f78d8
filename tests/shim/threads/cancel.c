// SPDX-License-Identifier: MIT
/*
 * Cancellation: the C library decides by the address at which a call was interrupted whether the thread may
 * end there, and marks each blocking call as such. Every kind of wait, a thread that may not be cancelled,
 * and asynchronous cancel.
 */
#include "lap.h"

#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

static int ends[2]; /* a pipe that stays empty */
static int full[2]; /* and one that does not */
static int sockets[2];
static int queue;
static sem_t sem;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pid_t child;
static atomic_int tid, reached, cleaned;

static void in_read(void)
{
	char c;

	(void)!read(ends[0], &c, 1);
}

static void in_readv(void)
{
	char c;
	struct iovec v = { &c, 1 };

	(void)!readv(ends[0], &v, 1);
}

static void in_write(void)
{
	static char much[1 << 20];

	(void)!write(full[1], much, sizeof(much));
}

static void in_recv(void)
{
	char c;

	recv(sockets[0], &c, 1, 0);
}

static void in_poll(void)
{
	struct pollfd p = { ends[0], POLLIN, 0 };

	poll(&p, 1, -1);
}

static void in_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	select(ends[0] + 1, &set, NULL, NULL, NULL);
}

static void in_epoll(void)
{
	struct epoll_event e;

	epoll_wait(queue, &e, 1, -1);
}

static void in_pause(void)
{
	pause();
}

static void in_nanosleep(void)
{
	sleep(1000);
}

static void in_clock_nanosleep(void)
{
	struct timespec t = from_now(CLOCK_MONOTONIC, 1000000);

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void in_sem_wait(void)
{
	sem_wait(&sem);
}

static void in_sigwait(void)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigwait(&set, &number);
}

static void in_waitpid(void)
{
	waitpid(child, NULL, 0);
}

static void in_open(void)
{
	open("fifo", O_RDONLY);
}

static void unlock(void *unused)
{
	(void)unused;
	atomic_fetch_add(&cleaned, pthread_mutex_unlock(&mutex) == 0 ? 10 : 1000); /* its own again */
}

static void in_cond_wait(void)
{
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, NULL);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
	pthread_cleanup_pop(1);
}

static const struct {
	const char *name;
	void (*wait)(void);
} waits[] = {
	{ "read", in_read },
	{ "readv", in_readv },
	{ "write", in_write },
	{ "recv", in_recv },
	{ "poll", in_poll },
	{ "select", in_select },
	{ "epoll_wait", in_epoll },
	{ "pause", in_pause },
	{ "sleep", in_nanosleep },
	{ "clock_nanosleep", in_clock_nanosleep },
	{ "sem_wait", in_sem_wait },
	{ "sigwait", in_sigwait },
	{ "waitpid", in_waitpid },
	{ "open of a FIFO", in_open },
	{ "pthread_cond_wait", in_cond_wait },
};

static void clean(void *unused)
{
	(void)unused;
	atomic_fetch_add(&cleaned, 1);
}

static void *cancelled(void *index)
{
	pthread_cleanup_push(clean, NULL);
	atomic_store(&tid, gettid());
	waits[(long)index].wait();
	atomic_store(&reached, 1);
	pthread_cleanup_pop(1);
	return NULL;
}

static void *cancelled_at_once(void *index)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	return cancelled(index);
}

static void open_all(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	MUST(pipe2(ends, O_CLOEXEC) == 0 && pipe2(full, O_CLOEXEC) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
	MUST((queue = epoll_create1(EPOLL_CLOEXEC)) >= 0);
	MUST(sem_init(&sem, 0, 0) == 0);
	MUST(mkfifo("fifo", 0600) == 0 || errno == EEXIST);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* also where the test fails */
		for (;;)
			pause();
	}
}

static void close_all(void)
{
	for (int i = 0; i < 2; i++) {
		close(ends[i]);
		close(full[i]);
		close(sockets[i]);
	}
	close(queue);
	kill(child, SIGKILL);
	status_of(child);
}

static void each_wait(void *(*body)(void *), unsigned int count)
{
	open_all();
	for (unsigned long i = 0; i < count; i++) {
		pthread_t thread;
		void *value;

		atomic_store(&tid, 0);
		atomic_store(&reached, 0);
		atomic_store(&cleaned, 0);
		MUST(pthread_create(&thread, NULL, body, (void *)i) == 0);
		while (!atomic_load(&tid))
			sched_yield();
		until_asleep(getpid(), atomic_load(&tid));
		int error = pthread_cancel(thread);

		MUST(pthread_join(thread, &value) == 0);
		say("%s: cancel %s, %s, reached %d, cleaned %d", waits[i].name, outcome(error),
		    value == PTHREAD_CANCELED ? "cancelled" : "returned", atomic_load(&reached),
		    atomic_load(&cleaned));
	}
	close_all();
}

static void deferred(void)
{
	each_wait(cancelled, sizeof(waits) / sizeof(waits[0]));
}

static void asynchronous(void)
{
	/* a condition's mutex may not be left so */
	each_wait(cancelled_at_once, sizeof(waits) / sizeof(waits[0]) - 1);
}

static void *compute(void *unused)
{
	char buffer[16];
	int fd;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	fd = open("file", O_RDONLY | O_CLOEXEC);
	(void)!read(fd, buffer, sizeof(buffer));
	close(fd);
	for (atomic_store(&reached, 1);;)
		;
	return unused;
}

static void while_computing(void)
{
	pthread_t thread;
	void *value;

	atomic_store(&reached, 0);
	MUST(pthread_create(&thread, NULL, compute, NULL) == 0);
	while (!atomic_load(&reached))
		sched_yield();
	say("cancel %s", outcome(pthread_cancel(thread)));
	pthread_join(thread, &value);
	say("%s", value == PTHREAD_CANCELED ? "cancelled" : "returned");
}

static void *not_yet(void *unused)
{
	char c = 0;
	ssize_t n;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	atomic_store(&reached, 1);
	n = read(ends[0], &c, 1);
	atomic_store(&reached, n == 1 && c == 'x' ? 2 : 3);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	atomic_store(&reached, 4);
	return unused;
}

static void disabled(void)
{
	pthread_t thread;
	void *value;

	MUST(pipe2(ends, O_CLOEXEC) == 0);
	atomic_store(&reached, 0);
	MUST(pthread_create(&thread, NULL, not_yet, NULL) == 0);
	while (!atomic_load(&reached))
		sched_yield();
	pthread_cancel(thread);
	MUST(write(ends[1], "x", 1) == 1);
	pthread_join(thread, &value);
	say("%s after %d", value == PTHREAD_CANCELED ? "cancelled" : "returned", atomic_load(&reached));
	close(ends[0]);
	close(ends[1]);
}

const struct lap_case cases[] = {
	{ "a thread is cancelled in each kind of wait", deferred },
	{ "a thread is cancelled asynchronously in each kind of wait", asynchronous },
	{ "a thread that computes is cancelled asynchronously", while_computing },
	{ "a thread that may not be cancelled yet", disabled },
	{ NULL, NULL },
};
