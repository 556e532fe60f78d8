// SPDX-License-Identifier: MIT
/*
 * Signals to threads that wait, timers whose notice is a thread, and handlers that interrupt the C library's
 * own waits.
 */
#include "lap.h"

#include <aio.h>
#include <mqueue.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/time.h>

static atomic_int handled, tid;
static __thread int mine;
static int ends[2];

static void handler(int number)
{
	(void)number;
	atomic_fetch_add(&handled, 1);
	mine++;
}

static void handle(int number, int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	sigaction(number, &sa, NULL);
}

static void mask(int how, int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(how, &set, NULL);
}

static void *interrupted(void *unused)
{
	char c = 0;

	(void)unused;
	mine = 0;
	atomic_store(&tid, gettid());
	ssize_t n = read(ends[0], &c, 1);

	return (void *)(long)(1000 * mine + (n < 0 ? errno : c));
}

static void to_a_reader(int flags)
{
	pthread_t thread;
	void *value;

	handle(SIGUSR1, flags);
	MUST(pipe2(ends, O_CLOEXEC) == 0);
	atomic_store(&tid, 0);
	MUST(pthread_create(&thread, NULL, interrupted, NULL) == 0);
	while (!atomic_load(&tid))
		sched_yield();
	until_asleep(getpid(), atomic_load(&tid));
	pthread_kill(thread, SIGUSR1);
	if (flags & SA_RESTART) {
		while (!atomic_load(&handled))
			sched_yield();
		MUST(write(ends[1], "x", 1) == 1);
	}
	pthread_join(thread, &value);
	long left = (long)value % 1000;

	say("handled %ld, then %s", (long)value / 1000,
	    flags & SA_RESTART ? (left == 'x' ? "x" : "?") : outcome((int)left));
	close(ends[0]);
	close(ends[1]);
}

static void to_readers(void)
{
	atomic_store(&handled, 0);
	to_a_reader(0);
	atomic_store(&handled, 0);
	to_a_reader(SA_RESTART);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long count;

static void *count_up(void *index)
{
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		long before = count;

		linger(i + (int)(long)index);
		count = before + 1;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

/* Interval timers interrupt whoever waits, or holds: EINTR must stay inside the C library. */
static void in_locks(void)
{
	struct itimerval often = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };

	handle(SIGALRM, 0);
	handle(SIGPROF, SA_RESTART);
	count = 0;
	setitimer(ITIMER_REAL, &often, NULL);
	setitimer(ITIMER_PROF, &often, NULL);
	in_threads(THREADS, count_up);
	setitimer(ITIMER_REAL, &off, NULL);
	setitimer(ITIMER_PROF, &off, NULL);
	say("count %ld", count);
}

static void *sum_up(void *unused)
{
	long sum = 0;
	siginfo_t info;
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	for (int i = 0; i < 8; i++)
		sum += sigwaitinfo(&set, &info) == SIGRTMIN + 1 ? info.si_value.sival_int : 1000;
	return (void *)sum;
}

static void queued(void)
{
	pthread_t thread;
	void *value;

	mask(SIG_BLOCK, SIGRTMIN + 1);
	MUST(pthread_create(&thread, NULL, sum_up, NULL) == 0);
	for (int i = 1; i <= 8; i++)
		MUST(pthread_sigqueue(thread, SIGRTMIN + 1, (union sigval){ .sival_int = i }) == 0);
	pthread_join(thread, &value);
	say("queued to a thread %ld", (long)value);
	MUST(pthread_create(&thread, NULL, sum_up, NULL) == 0);
	for (int i = 1; i <= 8; i++)
		MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i }) == 0);
	pthread_join(thread, &value);
	say("queued to the process %ld", (long)value);

	sigset_t set;
	struct signalfd_siginfo info;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 5 });
	MUST(read(fd, &info, sizeof(info)) == sizeof(info));
	say("signalfd %d", info.ssi_int);
	close(fd);
}

static sem_t noticed;
static atomic_int value_sum;

static void notice(union sigval value)
{
	char c[10];
	int fd = open("file", O_RDONLY | O_CLOEXEC);

	if (read(fd, c, sizeof(c)) == 10)
		atomic_fetch_add(&value_sum, value.sival_int);
	close(fd);
	sem_post(&noticed);
}

static void wait_for(int notices)
{
	for (int i = 0; i < notices; i++)
		while (sem_wait(&noticed))
			;
}

static void timers(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = notice,
				  .sigev_value.sival_int = 1 };
	struct itimerspec often = { { 0, 1000000 }, { 0, 1000000 } }, once = { { 0, 0 }, { 0, 1000000 } };
	timer_t timer, other;

	sem_init(&noticed, 0, 0);
	atomic_store(&value_sum, 0);
	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	MUST(timer_settime(timer, 0, &often, NULL) == 0);
	wait_for(3);
	say("three notices: %s", atomic_load(&value_sum) >= 3 ? "yes" : "no");
	MUST(timer_delete(timer) == 0);
	event.sigev_value.sival_int = 1000000;
	MUST(timer_create(CLOCK_REALTIME, &event, &other) == 0);
	MUST(timer_settime(other, 0, &once, NULL) == 0);
	while (atomic_load(&value_sum) < 1000000)
		while (sem_wait(&noticed))
			;
	say("one of another clock: %d", atomic_load(&value_sum) / 1000000);
	MUST(timer_delete(other) == 0);
}

static void *timer_of_a_thread(void *unused)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1 };
	struct itimerspec once = { { 0, 0 }, { 0, 500000 } };
	timer_t timer;
	sigset_t set;

	(void)unused;
	event._sigev_un._tid = gettid();
	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	MUST(timer_settime(timer, 0, &once, NULL) == 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	long good = sigwaitinfo(&set, NULL) == SIGRTMIN + 1;

	timer_delete(timer);
	return (void *)good;
}

static void timers_of_threads(void)
{
	mask(SIG_BLOCK, SIGRTMIN + 1);
	say("each its own: %ld", in_threads(THREADS, timer_of_a_thread));
}

/* The C library's own helper threads. */
static void helpers(void)
{
	char data[16] = "", name[64];
	struct aiocb request = { .aio_buf = data, .aio_nbytes = 10 };
	struct mq_attr attr = { .mq_maxmsg = 2, .mq_msgsize = 16 };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = notice,
				  .sigev_value.sival_int = 7 };

	sem_init(&noticed, 0, 0);
	atomic_store(&value_sum, 0);
	request.aio_fildes = open("file", O_RDONLY | O_CLOEXEC);
	request.aio_sigevent = event;
	MUST(aio_read(&request) == 0);
	wait_for(1);
	say("aio: error %s", outcome(aio_error(&request)));
	say("aio: %ld bytes, noticed %d", (long)aio_return(&request), atomic_load(&value_sum));
	close(request.aio_fildes);
	snprintf(name, sizeof(name), "/sysvm-threads-%d", getpid());
	mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);

	if (queue < 0) {
		say("mq_open: %s", strerrorname_np(errno));
		return;
	}
	MUST(mq_notify(queue, &event) == 0);
	MUST(mq_send(queue, "hello", 5, 0) == 0);
	wait_for(1);
	say("mq: noticed %d, %ld bytes", atomic_load(&value_sum),
	    (long)mq_receive(queue, data, sizeof(data), NULL));
	mq_close(queue);
	mq_unlink(name);
}

const struct lap_case cases[] = {
	{ "a signal to a thread that reads", to_readers },
	{ "signals interrupt threads in locks", in_locks },
	{ "queued signals", queued },
	{ "timers whose notice is a thread", timers },
	{ "timers whose notice is a signal to one thread", timers_of_threads },
	{ "asynchronous reads and message queues with a thread as notice", helpers },
	{ NULL, NULL },
};
