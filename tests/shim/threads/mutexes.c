// SPDX-License-Identifier: MIT
/*
 * Mutexes of every kind, contended: each wait is a futex call inside the C library, and one made with another
 * key, operation or value than the wake-up never ends.
 */
#include "lap.h"

#include <sched.h>
#include <signal.h>
#include <threads.h>

#define ROUNDS 64

struct area {
	pthread_mutex_t mutex;
	long count;
	atomic_int stage;
};

static struct area *area; /* of the case that runs */

static void set_up(int type, int protocol, int robust, int shared)
{
	pthread_mutexattr_t attr;

	area = shared_memory(sizeof(*area));
	MUST(pthread_mutexattr_init(&attr) == 0);
	MUST(pthread_mutexattr_settype(&attr, type) == 0);
	MUST(pthread_mutexattr_setprotocol(&attr, protocol) == 0);
	MUST(pthread_mutexattr_setrobust(&attr, robust) == 0);
	MUST(pthread_mutexattr_setpshared(&attr, shared) == 0);
	MUST(pthread_mutex_init(&area->mutex, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

static void tear_down(void)
{
	say("destroy %s", outcome(pthread_mutex_destroy(&area->mutex)));
	munmap(area, sizeof(*area));
}

static void *count_up(void *index)
{
	for (int i = 0; i < ROUNDS; i++) {
		MUST(pthread_mutex_lock(&area->mutex) == 0);
		long before = area->count;

		linger(i + (int)(long)index);
		area->count = before + 1;
		MUST(pthread_mutex_unlock(&area->mutex) == 0);
	}
	return NULL;
}

/* All but certain to be inside the wait when the holder lets go. */
static void *wait_for_it(void *unused)
{
	(void)unused;
	atomic_store(&area->stage, gettid());
	return (void *)(long)pthread_mutex_lock(&area->mutex);
}

static pthread_t waiter(void)
{
	pthread_t thread;

	atomic_store(&area->stage, 0);
	MUST(pthread_create(&thread, NULL, wait_for_it, NULL) == 0);
	while (!atomic_load(&area->stage))
		sched_yield();
	until_asleep(getpid(), atomic_load(&area->stage));
	return thread;
}

static void contended(int type, int protocol, int robust, int shared)
{
	set_up(type, protocol, robust, shared);
	in_threads(THREADS, count_up);
	say("count %ld", area->count);
	tear_down();
}

static void normal(void)
{
	contended(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
}

static void adaptive(void)
{
	contended(PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED,
		  PTHREAD_PROCESS_PRIVATE);
}

static void error_checking(void)
{
	contended(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED,
		  PTHREAD_PROCESS_PRIVATE);
}

static void inheriting(void)
{
	contended(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
}

static void robust(void)
{
	contended(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
}

static void robust_inheriting_shared(void)
{
	contended(PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST,
		  PTHREAD_PROCESS_SHARED);
}

/* A ceiling needs a real-time thread, a right that not every run has. */
static void *count_up_in_real_time(void *index)
{
	struct sched_param low = { .sched_priority = 1 };
	int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &low);

	return error ? (void *)(long)error : count_up(index);
}

static void protecting(void)
{
	set_up(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_PROTECT, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	say("errors %ld", in_threads(THREADS, count_up_in_real_time));
	say("count %ld", area->count);
	tear_down();
}

static void *count_up_deep(void *index)
{
	for (int i = 0; i < ROUNDS; i++) {
		for (int depth = 0; depth < 3; depth++)
			MUST(pthread_mutex_lock(&area->mutex) == 0);
		area->count++;
		linger(i + (int)(long)index);
		for (int depth = 0; depth < 3; depth++)
			MUST(pthread_mutex_unlock(&area->mutex) == 0);
	}
	return NULL;
}

static void recursive(void)
{
	set_up(PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	in_threads(THREADS, count_up_deep);
	say("count %ld", area->count);
	tear_down();
}

static void handed_over(void)
{
	set_up(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_PRIVATE);
	for (int i = 0; i < 4; i++) {
		void *error;

		MUST(pthread_mutex_lock(&area->mutex) == 0);
		pthread_t thread = waiter();
		MUST(pthread_mutex_unlock(&area->mutex) == 0);
		pthread_join(thread, &error);
		say("the waiter's lock %s", outcome((int)(long)error));
		MUST(pthread_mutex_unlock(&area->mutex) == 0);
	}
	tear_down();
}

static void *errors_of_another(void *unused)
{
	struct timespec soon = from_now(CLOCK_REALTIME, 5), monotonic = from_now(CLOCK_MONOTONIC, 5);

	(void)unused;
	say("another: trylock %s", outcome(pthread_mutex_trylock(&area->mutex)));
	say("another: timedlock %s", outcome(pthread_mutex_timedlock(&area->mutex, &soon)));
	say("another: clocklock %s",
	    outcome(pthread_mutex_clocklock(&area->mutex, CLOCK_MONOTONIC, &monotonic)));
	say("another: unlock %s", outcome(pthread_mutex_unlock(&area->mutex)));
	return NULL;
}

static void errors(void)
{
	static const int protocols[] = { PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT };

	for (int i = 0; i < 2; i++) {
		set_up(PTHREAD_MUTEX_ERRORCHECK, protocols[i], PTHREAD_MUTEX_STALLED,
		       PTHREAD_PROCESS_PRIVATE);
		say("lock %s", outcome(pthread_mutex_lock(&area->mutex)));
		say("again %s", outcome(pthread_mutex_lock(&area->mutex)));
		in_threads(1, errors_of_another);
		say("destroy %s", outcome(pthread_mutex_destroy(&area->mutex)));
		say("unlock %s", outcome(pthread_mutex_unlock(&area->mutex)));
		say("unlock %s", outcome(pthread_mutex_unlock(&area->mutex)));
		tear_down();
	}
}

static void *die_with_it(void *unused)
{
	(void)unused;
	MUST(pthread_mutex_lock(&area->mutex) == 0);
	return NULL;
}

static void owner_dies(int protocol)
{
	void *error;

	set_up(PTHREAD_MUTEX_NORMAL, protocol, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_PRIVATE);
	in_threads(1, die_with_it);
	say("lock %s", outcome(pthread_mutex_lock(&area->mutex)));
	say("consistent %s", outcome(pthread_mutex_consistent(&area->mutex)));
	pthread_t thread = waiter();
	say("unlock %s", outcome(pthread_mutex_unlock(&area->mutex)));
	pthread_join(thread, &error); /* which dies with it, too */
	say("the waiter's lock %s", outcome((int)(long)error));
	say("lock %s", outcome(pthread_mutex_lock(&area->mutex)));
	say("unlock as it is %s", outcome(pthread_mutex_unlock(&area->mutex)));
	say("lock %s", outcome(pthread_mutex_lock(&area->mutex)));
	tear_down();
}

static void owner_thread_dies(void)
{
	owner_dies(PTHREAD_PRIO_NONE);
	owner_dies(PTHREAD_PRIO_INHERIT);
}

static void owner_process_is_killed(void)
{
	set_up(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST, PTHREAD_PROCESS_SHARED);
	pid_t child = fork();

	if (!child) {
		MUST(pthread_mutex_lock(&area->mutex) == 0);
		atomic_store(&area->stage, 1);
		for (;;)
			pause();
	}
	while (!atomic_load(&area->stage))
		usleep(100);
	say("trylock %s", outcome(pthread_mutex_trylock(&area->mutex)));
	pid_t killer = fork();

	if (!killer) {
		until_asleep(getppid(), getppid());
		kill(child, SIGKILL);
		_exit(0);
	}
	say("lock %s", outcome(pthread_mutex_lock(&area->mutex)));
	say("child %d, killer %d", status_of(child), status_of(killer));
	say("consistent %s", outcome(pthread_mutex_consistent(&area->mutex)));
	say("unlock %s", outcome(pthread_mutex_unlock(&area->mutex)));
	tear_down();
}

static void shared(void)
{
	pid_t child[2];

	set_up(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED, PTHREAD_PROCESS_SHARED);
	for (int i = 0; i < 2; i++) {
		child[i] = fork();
		if (!child[i]) {
			in_threads(2, count_up);
			_exit(0);
		}
	}
	in_threads(2, count_up);
	for (int i = 0; i < 2; i++)
		say("child %d", status_of(child[i]));
	say("count %ld", area->count);
	tear_down();
}

static mtx_t c11;
static pthread_spinlock_t spin;
static long plain_count;

static int count_up_c11(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		mtx_lock(&c11);
		pthread_spin_lock(&spin);
		plain_count++;
		pthread_spin_unlock(&spin);
		linger(i);
		mtx_unlock(&c11);
	}
	return unused != NULL;
}

static void c11_and_spinning(void)
{
	thrd_t thread[THREADS];
	int value, sum = 0;

	plain_count = 0;
	mtx_init(&c11, mtx_plain);
	pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
	for (int i = 0; i < THREADS; i++)
		thrd_create(&thread[i], count_up_c11, &c11);
	for (int i = 0; i < THREADS; i++) {
		thrd_join(thread[i], &value);
		sum += value;
	}
	say("count %ld, results %d", plain_count, sum);
	mtx_destroy(&c11);
}

const struct lap_case cases[] = {
	{ "a contended mutex", normal },
	{ "a contended adaptive mutex", adaptive },
	{ "a contended recursive mutex", recursive },
	{ "a contended error-checking mutex", error_checking },
	{ "a contended priority-inheriting mutex", inheriting },
	{ "a contended priority-protecting mutex", protecting },
	{ "a contended robust mutex", robust },
	{ "a contended robust priority-inheriting shared mutex", robust_inheriting_shared },
	{ "a contended mutex shared by three processes", shared },
	{ "a mutex handed over to a waiter", handed_over },
	{ "what another thread may not do with a mutex", errors },
	{ "the owner of a robust mutex ends", owner_thread_dies },
	{ "the owner of a robust mutex is killed", owner_process_is_killed },
	{ "a C11 mutex and a spin lock", c11_and_spinning },
	{ NULL, NULL },
};
