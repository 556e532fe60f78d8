// SPDX-License-Identifier: MIT
/*
 * A helper thread of the pool: it owns a machine, takes requests from the queue, runs them, and ends after a
 * time without any.
 *
 * Threads are made when there is more work than waiting threads. One that has ended is joined by whoever next
 * needs its slot, under the lock: after its last unlock it takes no lock.
 *
 * Tested by tests/libsysvm/async_test.cc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "async_pool.h"

/* The procedure as this thread's machine numbers it. */
static int define_here(struct slot *slot, struct sysvm_vm *vm, int *numbers, uint32_t proc, uint32_t *number)
{
	struct code code;
	int err;

	if (numbers[proc] < 0) {
		pthread_mutex_lock(&slot->pool->lock);
		code = slot->pool->procs[proc]; /* which never changes again */
		pthread_mutex_unlock(&slot->pool->lock);
		err = sysvm_define(vm, code.bytes, code.len, code.data_base, number, NULL, 0);
		if (err)
			return err;
		numbers[proc] = *number;
	}
	*number = numbers[proc];
	return 0;
}

static int run_through(struct slot *slot, struct sysvm_vm *vm, struct sysvm_request *r, uint32_t number)
{
	struct sysvm_page *page = sysvm_page(vm);
	uint64_t left = r->fuel;
	int first = 1;

	for (;;) {
		uint64_t slice = left < SYSVM_FUEL_MAX ? left : SYSVM_FUEL_MAX;
		int err;

		if (first && slot_is_cancelled(slot))
			return -ECANCELED;
		err = first ? sysvm_run(vm, number, slice) : sysvm_resume(vm, slice);

		first = 0;
		if (err && err != -EINTR)
			return err;
		left -= slice - page->fuel;
		/* A call that the cancelling signal interrupted is given up, too. */
		if (slot_is_cancelled(slot) && page->status != SYSVM_DONE &&
		    (page->status != SYSVM_ERROR || page->error == EINTR))
			return -ECANCELED;
		if (page->status == SYSVM_FUEL
			    ? !left
			    : (page->status != SYSVM_YIELD && page->status != SYSVM_SIGNAL &&
			       page->status != SYSVM_RESTART))
			return 0;
	}
}

static void run_request(struct slot *slot, struct sysvm_vm *vm, int init_error, int *numbers,
			struct sysvm_request *r)
{
	struct sysvm_page *page;
	uint32_t number;
	int err = init_error;

	if (!err)
		err = define_here(slot, vm, numbers, r->proc, &number);
	if (!err) {
		page = sysvm_page(vm);
		memset(page->reg, 0, sizeof(page->reg));
		if (r->nregs)
			memcpy(page->reg, r->regs, r->nregs * sizeof(*r->regs));
		err = run_through(slot, vm, r, number);
		if (r->nregs)
			memcpy(r->regs, page->reg, r->nregs * sizeof(*r->regs));
		r->status = page->status;
		r->pc = page->pc;
		r->error = page->error;
	}
	r->result = err;
}

/* Under lock. The next request, or NULL: this thread is to end. */
static struct sysvm_request *take(struct sysvm_async *pool)
{
	struct sysvm_request *r;
	struct timespec until;
	int late = 0;

	pool_deadline(&until, pool->options.idle_ms);
	while (!pool->paused && (!pool->queue.first || pool->running >= pool->limit) && !late) {
		pool->idle++;
		late = pthread_cond_timedwait(&pool->work, &pool->lock, &until) == ETIMEDOUT;
		pool->idle--;
	}
	r = pool->paused || pool->running >= pool->limit ? NULL : pool->queue.first;
	if (r) {
		pool_unlink(&pool->queue, r);
		pool->queued--;
		pool->running++;
		r->state = RUNNING;
	}
	return r;
}

static void *work(void *argument)
{
	struct slot *slot = argument;
	struct sysvm_async *pool = slot->pool;
	struct sysvm_vm *vm = aligned_alloc(64, sysvm_size());
	int numbers[SYSVM_MAX_PROCS], err = -ENOMEM;
	struct sysvm_request *r;

	memset(numbers, -1, sizeof(numbers));
	if (vm)
		err = sysvm_init(vm, (enum sysvm_engine)pool->options.engine);
	if (!err)
		sysvm_watch_signals(vm, &slot->cancelled);
	if (!err && pool->options.memory_len)
		err = sysvm_trust(vm, pool->options.memory, pool->options.memory_len, 1);
	pthread_mutex_lock(&pool->lock);
	slot->tid = syscall(SYS_gettid);
	while ((r = take(pool))) {
		slot->request = r;
		r->worker = slot - pool->slots;
		__atomic_store_n(&slot->cancelled, 0, __ATOMIC_RELAXED);
		pthread_mutex_unlock(&pool->lock);
		run_request(slot, vm, err, numbers, r);
		pthread_mutex_lock(&pool->lock);
		slot->request = NULL;
		pool->running--;
		if (pool_complete(pool, r)) {
			pthread_mutex_unlock(&pool->lock);
			pool_announce(pool);
			pthread_mutex_lock(&pool->lock);
		}
	}
	/* Under the lock still: who submits now must see either a thread that takes work or a slot for
	   another. */
	if (!err)
		sysvm_exit(vm);
	free(vm);
	slot->state = ENDED;
	pthread_cond_broadcast(&pool->done);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

int pool_start_thread(struct sysvm_async *pool)
{
	struct slot *slot = NULL;
	sigset_t all, before;
	uint32_t i;
	int err;

	for (i = 0; i < pool->options.threads && !slot; i++)
		if (pool->slots[i].state != LIVE)
			slot = &pool->slots[i];
	if (!slot)
		return 0; /* as many as may be: the queue waits */
	if (slot->state == ENDED)
		pthread_join(slot->thread, NULL);
	slot->state = FREE;
	slot->pool = pool;
	slot->tid = 0;
	sigfillset(&all);
	if (pool->options.signal)
		sigdelset(&all, pool->options.signal);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = pthread_create(&slot->thread, NULL, work, slot);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		slot->state = LIVE;
	return err;
}
