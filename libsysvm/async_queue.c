// SPDX-License-Identifier: MIT
/*
 * The lists of a pool, and waiting for what is under way. All but pool_announce under the pool's lock.
 * Tested by tests/libsysvm/async_test.cc.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <unistd.h>

#include "async_pool.h"

void pool_append(struct list *list, struct sysvm_request *r)
{
	r->next = NULL;
	r->previous = list->last;
	if (list->last)
		list->last->next = r;
	else
		list->first = r;
	list->last = r;
}

void pool_unlink(struct list *list, struct sysvm_request *r)
{
	*(r->previous ? &r->previous->next : &list->first) = r->next;
	*(r->next ? &r->next->previous : &list->last) = r->previous;
}

int pool_complete(struct sysvm_async *pool, struct sysvm_request *r)
{
	r->state = DONE;
	pool_append(&pool->completed, r);
	pthread_cond_broadcast(&pool->done);
	if (pool->event_fd < 0 || pool->announced)
		return 0;
	pool->announced = 1;
	return 1;
}

/* A system call, and it wakes the thread that will want the lock next. */
void pool_announce(struct sysvm_async *pool)
{
	static const uint64_t one = 1;

	/* It cannot fail but by being full, and then it is readable. */
	(void)!write(pool->event_fd, &one, sizeof(one));
}

void pool_deadline(struct timespec *t, unsigned int ms)
{
	clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_sec += ms / 1000;
	t->tv_nsec += ms % 1000 * 1000000l;
	if (t->tv_nsec >= 1000000000) {
		t->tv_sec++;
		t->tv_nsec -= 1000000000;
	}
}

/* A signal that came before its call blocked was lost, so it is sent again while somebody waits. */
void pool_interrupt_cancelled(struct sysvm_async *pool)
{
	uint32_t i;

	if (!pool->options.signal)
		return;
	for (i = 0; i < pool->options.threads; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->state == LIVE && slot->request && slot_is_cancelled(slot))
			pthread_kill(slot->thread, pool->options.signal);
	}
}

void pool_wait(struct sysvm_async *pool, unsigned int ms)
{
	struct timespec until;

	pool_interrupt_cancelled(pool);
	pool_deadline(&until, pool->options.signal && ms > 2 ? 2 : ms);
	pthread_cond_timedwait(&pool->done, &pool->lock, &until);
}
