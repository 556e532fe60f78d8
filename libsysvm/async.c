// SPDX-License-Identifier: MIT
/*
 * The requests of a pool: submitted, waited for, cancelled. A pool is a queue (async_queue.c), threads that
 * each own a machine (async_worker.c), and a list of what is complete.
 *
 * Does not bound what is queued: a request is the caller's memory.
 * Tested by tests/libsysvm/async_test.cc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "async_pool.h"

/* Under lock. */
static unsigned int live(const struct sysvm_async *pool)
{
	unsigned int i, n = 0;

	for (i = 0; i < pool->options.threads; i++)
		n += pool->slots[i].state == LIVE;
	return n;
}

int sysvm_async_submit(struct sysvm_async *pool, struct sysvm_request *r)
{
	int err = 0;

	if (r->nregs > SYSVM_NREGS || (r->nregs && !r->regs))
		return -EINVAL;
	pthread_mutex_lock(&pool->lock);
	if (pool->dead)
		err = -ECHILD;
	else if (r->proc >= SYSVM_MAX_PROCS || !pool->procs[r->proc].bytes)
		err = -ENOENT;
	else if (r->state == QUEUED || r->state == RUNNING)
		err = -EBUSY;
	if (err)
		goto out;
	r->result = 0;
	r->status = SYSVM_IDLE;
	r->pc = 0;
	r->error = 0;
	r->state = QUEUED;
	pool_append(&pool->queue, r);
	pool->queued++;
	if (pool->idle && pool->running < pool->limit)
		pthread_cond_signal(&pool->work);
	if (pool->queued > pool->idle && !pool->paused && live(pool) < pool->limit &&
	    pool_start_thread(pool) && !live(pool)) {
		pool_unlink(&pool->queue, r);
		pool->queued--;
		r->state = IDLE;
		err = -EAGAIN;
	}
out:
	pthread_mutex_unlock(&pool->lock);
	return err;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

int sysvm_async_wait(struct sysvm_async *pool, struct sysvm_request *r, int timeout_ms)
{
	int64_t until = now_ms() + timeout_ms, left;
	int err = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->dead)
		err = -ECHILD;
	while (!err && (r->state == QUEUED || r->state == RUNNING)) {
		left = timeout_ms < 0 ? 1000 : until - now_ms();
		if (left <= 0)
			err = -ETIMEDOUT;
		else
			pool_wait(pool, left);
	}
	if (!err && r->state == IDLE)
		err = -EINVAL; /* somebody else has fetched it */
	if (!err) {
		pool_unlink(&pool->completed, r);
		r->state = IDLE;
		if (!pool->completed.first) /* for who polls, and then waits instead of calling next */
			pool->announced = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

struct sysvm_request *sysvm_async_next(struct sysvm_async *pool)
{
	struct sysvm_request *r;

	pthread_mutex_lock(&pool->lock);
	r = pool->dead ? NULL : pool->completed.first;
	if (r) {
		pool_unlink(&pool->completed, r);
		r->state = IDLE;
	} else {
		pool->announced = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}

int sysvm_async_limit(struct sysvm_async *pool, uint32_t threads)
{
	unsigned int more = 0;
	int err = -EINVAL;

	pthread_mutex_lock(&pool->lock);
	if (pool->dead) {
		err = -ECHILD;
	} else if (threads && threads <= pool->options.threads) {
		pool->limit = threads;
		pthread_cond_broadcast(&pool->work);
		while (pool->queued > pool->idle + more && !pool->paused && live(pool) < pool->limit &&
		       !pool_start_thread(pool))
			more++;
		err = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

int sysvm_async_event_fd(struct sysvm_async *pool)
{
	int fd;

	pthread_mutex_lock(&pool->lock);
	if (pool->event_fd < 0)
		pool->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	fd = pool->event_fd < 0 ? -errno : pool->event_fd;
	pthread_mutex_unlock(&pool->lock);
	return fd;
}

int sysvm_async_cancel(struct sysvm_async *pool, struct sysvm_request *r)
{
	int err = 0, announce = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->dead) {
		err = -ECHILD;
	} else if (r->state == QUEUED) {
		pool_unlink(&pool->queue, r);
		pool->queued--;
		r->result = -ECANCELED;
		announce = pool_complete(pool, r);
	} else if (r->state == RUNNING) {
		__atomic_fetch_add(&pool->slots[r->worker].cancelled, 1, __ATOMIC_RELAXED);
		pool_interrupt_cancelled(pool);
	} else {
		err = r->state == DONE ? -EALREADY : -EINVAL;
	}
	pthread_mutex_unlock(&pool->lock);
	if (announce)
		pool_announce(pool);
	return err;
}

int sysvm_async_define(struct sysvm_async *pool, const void *code, size_t code_len, uint64_t data_base,
		       uint32_t *proc, char *message, size_t message_size)
{
	uint8_t *copy = malloc(code_len ? code_len : 1);
	int err = -ENOMEM;

	pthread_mutex_lock(&pool->lock);
	if (copy)
		err = pool->dead ? -ECHILD
				 : sysvm_define(pool->verifier, code, code_len, data_base, proc, message,
						message_size);
	if (!err) {
		memcpy(copy, code, code_len);
		pool->procs[*proc] = (struct code){copy, code_len, data_base};
	} else {
		free(copy);
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

static int check_options(struct sysvm_async_options *o)
{
	if (o->threads > SYSVM_ASYNC_MAX_THREADS || o->engine > SYSVM_ENGINE_BEST || o->signal < 0 ||
	    o->signal > SIGRTMAX || o->reserved[0] || o->reserved[1])
		return -EINVAL;
	if (!o->threads)
		o->threads = 16;
	if (!o->idle_ms)
		o->idle_ms = 200;
	if (!o->engine)
		o->engine = SYSVM_ENGINE_BEST;
	return 0;
}

int sysvm_async_open(struct sysvm_async **out, const struct sysvm_async_options *options)
{
	struct sysvm_async *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t monotonic;
	int err = -ENOMEM;

	if (!pool)
		return err;
	if (options)
		pool->options = *options;
	err = check_options(&pool->options);
	if (err)
		goto err_free;
	err = -ENOMEM;
	pool->verifier = aligned_alloc(64, sysvm_size());
	if (!pool->verifier)
		goto err_free;
	err = sysvm_init(pool->verifier, SYSVM_ENGINE_USER);
	if (err)
		goto err_free;
	pool->event_fd = -1;
	pool->limit = pool->options.threads;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->work, &monotonic);
	pthread_cond_init(&pool->done, &monotonic);
	pthread_condattr_destroy(&monotonic);

	pool_enlist(pool);
	*out = pool;
	return 0;

err_free:
	free(pool->verifier);
	free(pool);
	return err;
}

void sysvm_async_close(struct sysvm_async *pool)
{
	unsigned int i;

	pool_delist(pool);
	if (pool->event_fd >= 0)
		close(pool->event_fd);
	if (!pool->dead) { /* whose waiters are not here either */
		pthread_cond_destroy(&pool->work);
		pthread_cond_destroy(&pool->done);
	}
	pthread_mutex_destroy(&pool->lock);
	sysvm_exit(pool->verifier);
	free(pool->verifier);
	for (i = 0; i < SYSVM_MAX_PROCS; i++)
		free(pool->procs[i].bytes);
	free(pool);
}
