// SPDX-License-Identifier: MIT
/*
 * What else threads wait for: read-write locks, semaphores, barriers, and whoever runs a once.
 */
#include "lap.h"

#include <semaphore.h>
#include <threads.h>

#define ROUNDS 64

struct area {
	pthread_rwlock_t rwlock;
	pthread_barrier_t barrier;
	sem_t free, full;
	long count, same, slot, sum;
};

static struct area *area;

static void set_up(void)
{
	area = shared_memory(sizeof(*area));
}

static void tear_down(void)
{
	munmap(area, sizeof(*area));
}

/* The result of a call that says -1 and errno. */
static const char *error_of(int result)
{
	return outcome(result ? errno : 0);
}

static void *read_or_write(void *index)
{
	long torn = 0;

	for (int i = 0; i < ROUNDS; i++) {
		if (i % THREADS == (long)index) {
			MUST(pthread_rwlock_wrlock(&area->rwlock) == 0);
			area->count++;
			linger(i + (int)(long)index);
			area->same++;
		} else {
			MUST(pthread_rwlock_rdlock(&area->rwlock) == 0);
			torn += area->count != area->same;
			linger(i + (int)(long)index);
		}
		MUST(pthread_rwlock_unlock(&area->rwlock) == 0);
	}
	return (void *)torn;
}

static void read_write(int kind, int shared)
{
	pthread_rwlockattr_t attr;
	pid_t child = 0;

	set_up();
	pthread_rwlockattr_init(&attr);
	MUST(pthread_rwlockattr_setkind_np(&attr, kind) == 0);
	MUST(pthread_rwlockattr_setpshared(&attr, shared) == 0);
	pthread_rwlock_init(&area->rwlock, &attr);
	if (shared == PTHREAD_PROCESS_SHARED) {
		child = fork();
		if (!child)
			_exit((int)in_threads(THREADS, read_or_write));
	}
	say("torn %ld", in_threads(THREADS, read_or_write));
	if (child)
		say("child %d", status_of(child));
	say("written %ld", area->count);
	say("destroy %s", outcome(pthread_rwlock_destroy(&area->rwlock)));
	tear_down();
}

static void readers_first(void)
{
	read_write(PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_PROCESS_PRIVATE);
}

static void writers_first(void)
{
	read_write(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, PTHREAD_PROCESS_PRIVATE);
}

static void readers_and_writers_of_processes(void)
{
	read_write(PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_PROCESS_SHARED);
}

static void *locks_of_another(void *unused)
{
	struct timespec soon = from_now(CLOCK_REALTIME, 5), monotonic = from_now(CLOCK_MONOTONIC, 5);

	say("tryrdlock %s", outcome(pthread_rwlock_tryrdlock(&area->rwlock)));
	say("timedrdlock %s", outcome(pthread_rwlock_timedrdlock(&area->rwlock, &soon)));
	say("clockwrlock %s",
	    outcome(pthread_rwlock_clockwrlock(&area->rwlock, CLOCK_MONOTONIC, &monotonic)));
	return unused;
}

static void rwlock_errors(void)
{
	set_up();
	pthread_rwlock_init(&area->rwlock, NULL);
	say("wrlock %s", outcome(pthread_rwlock_wrlock(&area->rwlock)));
	say("again %s", outcome(pthread_rwlock_wrlock(&area->rwlock)));
	in_threads(1, locks_of_another);
	say("unlock %s", outcome(pthread_rwlock_unlock(&area->rwlock)));
	tear_down();
}

/* One slot that is free or full: each post wakes the other side. */
static void *pass_on(void *index)
{
	for (long i = 1; i <= ROUNDS; i++) {
		while (sem_wait((long)index % 2 ? &area->full : &area->free))
			MUST(errno == EINTR);
		if ((long)index % 2)
			area->sum += area->slot;
		else
			area->slot = i;
		sem_post((long)index % 2 ? &area->free : &area->full);
	}
	return NULL;
}

static void semaphores(void)
{
	set_up();
	for (int shared = 0; shared < 2; shared++) {
		area->sum = 0;
		sem_init(&area->free, shared, 1);
		sem_init(&area->full, shared, 0);
		pid_t child = shared ? fork() : 0;

		if (shared && !child) {
			pass_on((void *)0);
			_exit(0);
		}
		if (shared)
			pass_on((void *)1);
		else
			in_threads(2, pass_on);
		if (shared)
			say("child %d", status_of(child));
		say("sum %ld", area->sum);
	}
	tear_down();
}

static void nobody_posts(void)
{
	set_up();
	sem_init(&area->full, 0, 0);
	struct timespec real = from_now(CLOCK_REALTIME, 5);

	say("sem_timedwait %s", error_of(sem_timedwait(&area->full, &real)));
	struct timespec monotonic = from_now(CLOCK_MONOTONIC, 5);

	say("sem_clockwait %s", error_of(sem_clockwait(&area->full, CLOCK_MONOTONIC, &monotonic)));
	say("sem_trywait %s", error_of(sem_trywait(&area->full)));
	tear_down();
}

static void named_semaphore(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/sysvm-threads-%d", getpid());
	sem_t *sem = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
	MUST(sem != SEM_FAILED);
	pid_t child = fork();

	if (!child) {
		sem_t *same = sem_open(name, 0);

		until_asleep(getppid(), getppid());
		_exit(same == SEM_FAILED || sem_post(same));
	}
	say("wait %d", sem_wait(sem));
	say("child %d", status_of(child));
	say("unlink %d, close %d", sem_unlink(name), sem_close(sem));
}

static void *meet(void *index)
{
	long serial = 0;

	for (int i = 0; i < ROUNDS; i++) {
		int result = pthread_barrier_wait(&area->barrier);

		serial += result == PTHREAD_BARRIER_SERIAL_THREAD;
		linger(i + (int)(long)index);
	}
	return (void *)serial;
}

static void barriers(void)
{
	set_up();
	pthread_barrier_init(&area->barrier, NULL, THREADS);
	say("last ones %ld", in_threads(THREADS, meet));
	say("destroy %s", outcome(pthread_barrier_destroy(&area->barrier)));
	tear_down();
}

static pthread_once_t once;
static once_flag c11_once;
static atomic_int initialised;

static void slowly(void)
{
	usleep(500);
	atomic_fetch_add(&initialised, 1);
}

static void *initialise(void *unused)
{
	(void)unused;
	pthread_once(&once, slowly);
	call_once(&c11_once, slowly);
	return (void *)(long)(atomic_load(&initialised) == 2);
}

static void once_only(void)
{
	once = (pthread_once_t)PTHREAD_ONCE_INIT;
	c11_once = (once_flag)ONCE_FLAG_INIT;
	atomic_store(&initialised, 0);
	say("saw it done %ld", in_threads(THREADS, initialise));
	say("initialised %d", atomic_load(&initialised));
}

const struct lap_case cases[] = {
	{ "readers come first", readers_first },
	{ "writers come first", writers_first },
	{ "readers and writers of two processes", readers_and_writers_of_processes },
	{ "what another thread may not do with a read-write lock", rwlock_errors },
	{ "semaphores pass a slot on", semaphores },
	{ "nobody posts", nobody_posts },
	{ "a named semaphore", named_semaphore },
	{ "barriers", barriers },
	{ "once", once_only },
	{ NULL, NULL },
};
