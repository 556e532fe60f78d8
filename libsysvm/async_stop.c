// SPDX-License-Identifier: MIT
/*
 * What stops whole pools: close, quiesce, fork, the end of the process, a change of credentials
 * (async_guard.c). All work is brought to its end and the threads are ended; then things go on with new ones,
 * but in a child of fork: there a pool is dead.
 *
 * Tested by tests/libsysvm/async_test.cc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "async_pool.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct sysvm_async *pools; /* under gate */

/* A thread is gone when the kernel says so, which is a little after it can be joined: unshare() counts. */
void pool_pause(struct sysvm_async *pool)
{
	uint32_t i;

	while (pool->queue.first || pool->running)
		pool_wait(pool, 1000);
	pool->paused++;
	pthread_cond_broadcast(&pool->work);
	for (i = 0; i < pool->options.threads; i++) {
		struct slot *slot = &pool->slots[i];

		while (slot->state == LIVE)
			pthread_cond_wait(&pool->done, &pool->lock);
		if (slot->state != ENDED)
			continue;
		slot->state = FREE;
		/* The last thread of a process whose others have ended is the one that calls exit(). */
		if (pthread_equal(slot->thread, pthread_self()))
			continue;
		pthread_join(slot->thread, NULL);
		while (slot->tid && syscall(SYS_tgkill, getpid(), slot->tid, 0) == 0)
			sched_yield();
	}
}

void pool_unpause(struct sysvm_async *pool)
{
	unsigned int i;

	if (--pool->paused)
		return;
	for (i = 0; i < pool->queued; i++)
		pool_start_thread(pool);
}

int sysvm_async_quiesce(struct sysvm_async *pool)
{
	int err = 0;

	pthread_mutex_lock(&gate);
	pthread_mutex_lock(&pool->lock);
	if (pool->dead) {
		err = -ECHILD;
	} else {
		pool_pause(pool);
		pool_unpause(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	pthread_mutex_unlock(&gate);
	return err;
}

void sysvm_pools_pause(void)
{
	struct sysvm_async *pool;

	pthread_mutex_lock(&gate);
	for (pool = pools; pool; pool = pool->next) {
		pthread_mutex_lock(&pool->lock);
		if (!pool->dead)
			pool_pause(pool);
		pthread_mutex_unlock(&pool->lock);
	}
}

void sysvm_pools_go_on(void)
{
	struct sysvm_async *pool;

	for (pool = pools; pool; pool = pool->next) {
		pthread_mutex_lock(&pool->lock);
		if (!pool->dead)
			pool_unpause(pool);
		pthread_mutex_unlock(&pool->lock);
	}
	pthread_mutex_unlock(&gate);
}

static void before_fork(void)
{
	struct sysvm_async *pool;

	sysvm_pools_pause();
	for (pool = pools; pool; pool = pool->next)
		pthread_mutex_lock(&pool->lock);
}

static void after_fork_in_parent(void)
{
	struct sysvm_async *pool;

	for (pool = pools; pool; pool = pool->next)
		pthread_mutex_unlock(&pool->lock);
	sysvm_pools_go_on();
}

static void after_fork_in_child(void)
{
	struct sysvm_async *pool;

	for (pool = pools; pool; pool = pool->next) {
		pool->dead = 1;
		pthread_mutex_unlock(&pool->lock);
	}
	pthread_mutex_unlock(&gate);
}

/* At exit: what was submitted is done, and nobody's thread is cut off in its middle. */
__attribute__((destructor)) static void at_exit(void)
{
	sysvm_pools_pause();
}

void pool_enlist(struct sysvm_async *pool)
{
	static int forks_are_watched; /* under gate */

	pthread_mutex_lock(&gate);
	if (!forks_are_watched && !pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child))
		forks_are_watched = 1;
	pool->next = pools;
	pools = pool;
	pthread_mutex_unlock(&gate);
}

void pool_delist(struct sysvm_async *pool)
{
	struct sysvm_async **at;

	pthread_mutex_lock(&gate);
	pthread_mutex_lock(&pool->lock);
	if (!pool->dead)
		pool_pause(pool);
	for (at = &pools; *at != pool; at = &(*at)->next)
		;
	*at = pool->next;
	pthread_mutex_unlock(&pool->lock);
	pthread_mutex_unlock(&gate);
}
