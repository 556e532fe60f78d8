// SPDX-License-Identifier: MIT
/*
 * Condition variables: a waiter sleeps on one of two groups that swap, and a signal must wake one that was
 * there before it.
 */
#include "lap.h"

#define ROUNDS 64

struct area {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	long count, turn;
};

static struct area *area;

static void set_up(int protocol, int shared)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	area = shared_memory(sizeof(*area));
	pthread_mutexattr_init(&mutex);
	MUST(pthread_mutexattr_setprotocol(&mutex, protocol) == 0);
	MUST(pthread_mutexattr_setpshared(&mutex, shared) == 0);
	pthread_mutex_init(&area->mutex, &mutex);
	pthread_condattr_init(&cond);
	MUST(pthread_condattr_setpshared(&cond, shared) == 0);
	MUST(pthread_condattr_setclock(&cond, CLOCK_MONOTONIC) == 0);
	pthread_cond_init(&area->cond, &cond);
}

static void tear_down(void)
{
	say("destroy %s %s", outcome(pthread_cond_destroy(&area->cond)),
	    outcome(pthread_mutex_destroy(&area->mutex)));
	munmap(area, sizeof(*area));
}

/* One after the other, each waits for its turn: every round is a wait and a wake-up. */
static void *take_turns(void *index)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&area->mutex);
		while (area->turn % THREADS != (long)index)
			pthread_cond_wait(&area->cond, &area->mutex);
		area->turn++;
		pthread_cond_broadcast(&area->cond);
		pthread_mutex_unlock(&area->mutex);
	}
	return NULL;
}

static void turns(void)
{
	set_up(PTHREAD_PRIO_NONE, PTHREAD_PROCESS_PRIVATE);
	in_threads(THREADS, take_turns);
	say("turns %ld", area->turn);
	tear_down();
}

static void turns_inheriting(void)
{
	set_up(PTHREAD_PRIO_INHERIT, PTHREAD_PROCESS_PRIVATE);
	in_threads(THREADS, take_turns);
	say("turns %ld", area->turn);
	tear_down();
}

static void turns_of_processes(void)
{
	pid_t child[THREADS];

	set_up(PTHREAD_PRIO_NONE, PTHREAD_PROCESS_SHARED);
	for (long i = 0; i < THREADS; i++) {
		child[i] = fork();
		if (!child[i]) {
			take_turns((void *)i);
			_exit(0);
		}
	}
	for (int i = 0; i < THREADS; i++)
		say("child %d", status_of(child[i]));
	say("turns %ld", area->turn);
	tear_down();
}

/* One signal for each item: no waiter may sleep through its own. */
static void *consume(void *unused)
{
	long got = 0;

	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&area->mutex);
		while (!area->count)
			pthread_cond_wait(&area->cond, &area->mutex);
		area->count--;
		got++;
		pthread_mutex_unlock(&area->mutex);
	}
	return (void *)got;
}

static void *produce(void *unused)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&area->mutex);
		area->count++;
		pthread_cond_signal(&area->cond);
		linger(i);
		pthread_mutex_unlock(&area->mutex);
	}
	return unused;
}

static void *either(void *index)
{
	return (long)index % 2 ? consume(NULL) : produce(NULL);
}

static void queue(void)
{
	set_up(PTHREAD_PRIO_NONE, PTHREAD_PROCESS_PRIVATE);
	say("items %ld", in_threads(THREADS, either));
	say("left %ld", area->count);
	tear_down();
}

static void nobody_signals(void)
{
	set_up(PTHREAD_PRIO_NONE, PTHREAD_PROCESS_PRIVATE);
	struct timespec monotonic = from_now(CLOCK_MONOTONIC, 5), real = from_now(CLOCK_REALTIME, 5);

	pthread_mutex_lock(&area->mutex);
	say("timedwait %s", outcome(pthread_cond_timedwait(&area->cond, &area->mutex, &monotonic)));
	say("clockwait %s",
	    outcome(pthread_cond_clockwait(&area->cond, &area->mutex, CLOCK_REALTIME, &real)));
	pthread_mutex_unlock(&area->mutex);
	tear_down();
}

const struct lap_case cases[] = {
	{ "threads take turns", turns },
	{ "threads take turns with a priority-inheriting mutex", turns_inheriting },
	{ "processes take turns", turns_of_processes },
	{ "producers and consumers", queue },
	{ "nobody signals", nobody_signals },
	{ NULL, NULL },
};
