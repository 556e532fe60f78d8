// SPDX-License-Identifier: MIT
/*
 * Threads come and go: storms of short ones, on small stacks, detached; what is run at their end; and how a
 * process with threads ends.
 */
#include "lap.h"

#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/stat.h>
#include <threads.h>

#define STORM 24

static atomic_int lived;

static void *live(void *sem)
{
	struct stat st;

	stat("file", &st); /* a call on the way */
	atomic_fetch_add(&lived, 1);
	if (sem)
		sem_post(sem);
	return (void *)(long)st.st_size;
}

static void *start_some(void *unused)
{
	long sum = 0;

	(void)unused;
	for (int i = 0; i < STORM; i++) {
		pthread_t thread;
		void *value;

		MUST(pthread_create(&thread, NULL, live, NULL) == 0);
		MUST(pthread_join(thread, &value) == 0);
		sum += (long)value;
	}
	return (void *)sum;
}

static void storm(void)
{
	atomic_store(&lived, 0);
	say("sizes %ld", in_threads(THREADS, start_some));
	say("lived %d", atomic_load(&lived));
}

static void detached(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	sem_t sem;

	atomic_store(&lived, 0);
	sem_init(&sem, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < STORM; i++)
		MUST(pthread_create(&thread, &attr, live, &sem) == 0);
	for (int i = 0; i < STORM; i++)
		sem_wait(&sem);
	say("lived %d", atomic_load(&lived));
}

/*
 * The smallest stack that the C library allows, and calls from as deep in it as a page and a half from its
 * end.
 */
static void *live_on_little(void *unused)
{
	char buffer[4096];
	struct stat st;
	int fd = open("file", O_RDONLY | O_CLOEXEC);

	(void)unused;
	fstat(fd, &st);
	ssize_t n = read(fd, buffer, sizeof(buffer));

	close(fd);
	atomic_fetch_add(&lived, 1);
	return (void *)(long)n;
}

static void small_stacks(void)
{
	pthread_t thread[STORM];
	pthread_attr_t attr;
	long sum = 0;

	atomic_store(&lived, 0);
	pthread_attr_init(&attr);
	MUST(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN) == 0);
	for (int i = 0; i < STORM; i++)
		MUST(pthread_create(&thread[i], &attr, live_on_little, NULL) == 0);
	for (int i = 0; i < STORM; i++) {
		void *value;

		pthread_join(thread[i], &value);
		sum += (long)value;
	}
	say("lived %d, bytes %ld", atomic_load(&lived), sum);
}

static pthread_key_t key, again;
static tss_t c11;
static atomic_int destroyed;
static thread_local int own = 5;

static void destroy(void *value)
{
	struct stat st;

	stat("file", &st);
	atomic_fetch_add(&destroyed, (int)(long)value);
}

/* Sets itself again until the C library gives up. */
static void destroy_again(void *value)
{
	atomic_fetch_add(&destroyed, 1000);
	pthread_setspecific(again, value);
}

static void *use_keys(void *unused)
{
	pthread_setspecific(key, (void *)1);
	pthread_setspecific(again, (void *)1);
	tss_set(c11, (void *)100);
	own += 1;
	sched_yield();
	(void)unused;
	return (void *)(long)own;
}

static void tls_destructors(void)
{
	atomic_store(&destroyed, 0);
	pthread_key_create(&key, destroy);
	pthread_key_create(&again, destroy_again);
	tss_create(&c11, destroy);
	say("own %ld", in_threads(THREADS, use_keys));
	say("destroyed %d, rounds at most %d", atomic_load(&destroyed), PTHREAD_DESTRUCTOR_ITERATIONS);
	pthread_key_delete(key);
	pthread_key_delete(again);
	tss_delete(c11);
}

static void *end_later(void *unused)
{
	usleep(2000);
	(void)unused;
	_exit(7);
}

static void *spin_in_calls(void *unused)
{
	struct stat st;

	for (;;)
		stat("file", &st);
	return unused;
}

static void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void start(void *(*body)(void *))
{
	pthread_t thread;

	MUST(pthread_create(&thread, NULL, body, NULL) == 0);
}

static void main_leaves_first(void)
{
	pid_t child = fork();

	if (!child) {
		start(end_later);
		pthread_exit(NULL);
	}
	say("main leaves first: %d", status_of(child));
	child = fork();
	if (!child) {
		start(spin_in_calls);
		start(wait_for_ever);
		usleep(500);
		_exit(9);
	}
	say("_exit among threads that make calls: %d", status_of(child));
	child = fork();
	if (!child) {
		start(live);
		pthread_exit(NULL);
	}
	say("the last thread leaves: %d", status_of(child));
	child = fork();
	if (!child) {
		start(spin_in_calls);
		start(spin_in_calls);
		usleep(500);
		abort();
	}
	say("abort: %d", status_of(child));
}

static void *exec_true(void *status)
{
	char text[16];

	snprintf(text, sizeof(text), "exit %ld", (long)status);
	execl("/bin/sh", "sh", "-c", text, (char *)NULL);
	_exit(126);
}

static void exec_among_threads(void)
{
	for (int from_main = 0; from_main < 2; from_main++) {
		pid_t child = fork();

		if (!child) {
			pthread_t thread;

			start(spin_in_calls);
			start(wait_for_ever);
			if (from_main)
				exec_true((void *)4);
			MUST(pthread_create(&thread, NULL, exec_true, (void *)3) == 0);
			wait_for_ever(NULL);
		}
		say("exec of the %s thread: %d", from_main ? "first" : "third", status_of(child));
	}
}

const struct lap_case cases[] = {
	{ "a storm of short threads", storm },
	{ "detached threads", detached },
	{ "threads on the smallest stacks", small_stacks },
	{ "destructors of thread-specific values", tls_destructors },
	{ "a process with threads ends", main_leaves_first },
	{ "exec among threads", exec_among_threads },
	{ NULL, NULL },
};
