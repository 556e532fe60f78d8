// SPDX-License-Identifier: MIT
/*
 * The pool behind sysvm_async.h: a queue, threads that each own a machine, a list of what is complete.
 *
 * Threads are made when there is more work than waiting threads, and end after a time without any. A thread that
 * has ended is joined by whoever next needs its slot, under the lock: behind its last unlock it takes no lock.
 *
 * Locks: `gate` orders what stops whole pools (close, quiesce, fork, a change of credentials) and is taken first;
 * then the lock of one pool. Threads take the lock of their pool only.
 *
 * Does not bound what is queued: a request is the caller's memory.
 * Tested by tests/libsysvm/async_test.cc.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "async_pools.h"
#include "sysvm_async.h"

enum request_state { IDLE, QUEUED, RUNNING, DONE };
enum slot_state { FREE, LIVE, ENDED };

struct list {
	struct sysvm_request *first, *last;
};

struct slot {
	enum slot_state state;
	pthread_t thread;
	pid_t tid;
	struct sysvm_request *request;
	uint64_t cancelled; /* counted up to stop the run; read by the machine while it runs */
	struct sysvm_async *pool;
};

struct code {
	uint8_t *bytes;
	size_t len;
	uint64_t data_base;
};

struct sysvm_async {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct list queue, completed;
	unsigned int queued, running, idle;
	unsigned int paused; /* threads end, none are made, the queue waits */
	int dead;	     /* a child of fork: the threads are not here */
	int event_fd;
	struct sysvm_async_options options;
	struct sysvm_vm *verifier; /* never runs anything */
	struct code procs[SYSVM_MAX_PROCS];
	struct slot slots[SYSVM_ASYNC_MAX_THREADS];
	struct sysvm_async *next; /* of all pools; under gate */
};

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct sysvm_async *pools;

static void append(struct list *list, struct sysvm_request *r)
{
	r->next = NULL;
	r->previous = list->last;
	if (list->last)
		list->last->next = r;
	else
		list->first = r;
	list->last = r;
}

static void unlink_from(struct list *list, struct sysvm_request *r)
{
	*(r->previous ? &r->previous->next : &list->first) = r->next;
	*(r->next ? &r->next->previous : &list->last) = r->previous;
}

/* Under lock. */
static void complete(struct sysvm_async *pool, struct sysvm_request *r)
{
	static const uint64_t one = 1;

	r->state = DONE;
	append(&pool->completed, r);
	/* It cannot fail but by being full, and then it is readable. */
	if (pool->event_fd >= 0 && write(pool->event_fd, &one, sizeof(one)) < 0)
		r->state = DONE;
	pthread_cond_broadcast(&pool->done);
}

static int is_cancelled(struct slot *slot)
{
	return __atomic_load_n(&slot->cancelled, __ATOMIC_RELAXED) != 0;
}

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

		if (first && is_cancelled(slot))
			return -ECANCELED;
		err = first ? sysvm_run(vm, number, slice) : sysvm_resume(vm, slice);

		first = 0;
		if (err && err != -EINTR)
			return err;
		left -= slice - page->fuel;
		/* A call that the cancelling signal interrupted is given up, too. */
		if (is_cancelled(slot) && page->status != SYSVM_DONE &&
		    (page->status != SYSVM_ERROR || page->error == EINTR))
			return -ECANCELED;
		if (page->status == SYSVM_FUEL ? !left
					       : (page->status != SYSVM_YIELD && page->status != SYSVM_SIGNAL &&
						  page->status != SYSVM_RESTART))
			return 0;
	}
}

static void run_request(struct slot *slot, struct sysvm_vm *vm, int init_error, int *numbers, struct sysvm_request *r)
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

static void deadline_in(struct timespec *t, unsigned int ms)
{
	clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_sec += ms / 1000;
	t->tv_nsec += ms % 1000 * 1000000l;
	if (t->tv_nsec >= 1000000000) {
		t->tv_sec++;
		t->tv_nsec -= 1000000000;
	}
}

/* Under lock. The next request, or NULL: this thread is to end. */
static struct sysvm_request *take(struct sysvm_async *pool)
{
	struct sysvm_request *r;
	struct timespec until;
	int late = 0;

	deadline_in(&until, pool->options.idle_ms);
	while (!pool->paused && !pool->queue.first && !late) {
		pool->idle++;
		late = pthread_cond_timedwait(&pool->work, &pool->lock, &until) == ETIMEDOUT;
		pool->idle--;
	}
	r = pool->paused ? NULL : pool->queue.first;
	if (r) {
		unlink_from(&pool->queue, r);
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
		complete(pool, r);
	}
	/* Under the lock still: who submits now must see either a thread that takes work or a slot for another. */
	if (!err)
		sysvm_exit(vm);
	free(vm);
	slot->state = ENDED;
	pthread_cond_broadcast(&pool->done);
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Under lock. Returns 0 or an errno. */
static int start_thread(struct sysvm_async *pool)
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
	append(&pool->queue, r);
	pool->queued++;
	if (pool->idle)
		pthread_cond_signal(&pool->work);
	if (pool->queued > pool->idle && !pool->paused && start_thread(pool) && !live(pool)) {
		unlink_from(&pool->queue, r);
		pool->queued--;
		r->state = IDLE;
		err = -EAGAIN;
	}
out:
	pthread_mutex_unlock(&pool->lock);
	return err;
}

/* Under lock. A signal that came before its call blocked was lost: so it is sent again while somebody waits. */
static void interrupt_cancelled(struct sysvm_async *pool)
{
	uint32_t i;

	if (!pool->options.signal)
		return;
	for (i = 0; i < pool->options.threads; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->state == LIVE && slot->request && is_cancelled(slot))
			pthread_kill(slot->thread, pool->options.signal);
	}
}

/* Under lock. Wait for some completion, or for ms milliseconds at most. */
static void wait_a_while(struct sysvm_async *pool, unsigned int ms)
{
	struct timespec until;

	interrupt_cancelled(pool);
	deadline_in(&until, pool->options.signal && ms > 2 ? 2 : ms);
	pthread_cond_timedwait(&pool->done, &pool->lock, &until);
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
			wait_a_while(pool, left);
	}
	if (!err && r->state == IDLE)
		err = -EINVAL; /* somebody else has fetched it */
	if (!err) {
		unlink_from(&pool->completed, r);
		r->state = IDLE;
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
		unlink_from(&pool->completed, r);
		r->state = IDLE;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
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
	int err = 0;

	pthread_mutex_lock(&pool->lock);
	if (pool->dead) {
		err = -ECHILD;
	} else if (r->state == QUEUED) {
		unlink_from(&pool->queue, r);
		pool->queued--;
		r->result = -ECANCELED;
		complete(pool, r);
	} else if (r->state == RUNNING) {
		__atomic_fetch_add(&pool->slots[r->worker].cancelled, 1, __ATOMIC_RELAXED);
		interrupt_cancelled(pool);
	} else {
		err = r->state == DONE ? -EALREADY : -EINVAL;
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

int sysvm_async_define(struct sysvm_async *pool, const void *code, size_t code_len, uint64_t data_base, uint32_t *proc,
		       char *message, size_t message_size)
{
	uint8_t *copy = malloc(code_len ? code_len : 1);
	int err = -ENOMEM;

	pthread_mutex_lock(&pool->lock);
	if (copy)
		err = pool->dead ? -ECHILD
				 : sysvm_define(pool->verifier, code, code_len, data_base, proc, message, message_size);
	if (!err) {
		memcpy(copy, code, code_len);
		pool->procs[*proc] = (struct code){copy, code_len, data_base};
	} else {
		free(copy);
	}
	pthread_mutex_unlock(&pool->lock);
	return err;
}

/*
 * Under gate and lock. Nothing is under way and no thread is left, nor will be made, until unpause. A thread is gone when
 * the kernel says so, which is a little after it can be joined: unshare() counts.
 */
static void pause_pool(struct sysvm_async *pool)
{
	uint32_t i;

	while (pool->queue.first || pool->running)
		wait_a_while(pool, 1000);
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

/* Under lock. */
static void unpause_pool(struct sysvm_async *pool)
{
	unsigned int i;

	if (--pool->paused)
		return;
	for (i = 0; i < pool->queued; i++)
		start_thread(pool);
}

int sysvm_async_quiesce(struct sysvm_async *pool)
{
	int err = 0;

	pthread_mutex_lock(&gate);
	pthread_mutex_lock(&pool->lock);
	if (pool->dead) {
		err = -ECHILD;
	} else {
		pause_pool(pool);
		unpause_pool(pool);
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
			pause_pool(pool);
		pthread_mutex_unlock(&pool->lock);
	}
}

void sysvm_pools_go_on(void)
{
	struct sysvm_async *pool;

	for (pool = pools; pool; pool = pool->next) {
		pthread_mutex_lock(&pool->lock);
		if (!pool->dead)
			unpause_pool(pool);
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

static int check_options(struct sysvm_async_options *o)
{
	if (o->threads > SYSVM_ASYNC_MAX_THREADS || o->engine > SYSVM_ENGINE_BEST || o->signal < 0 ||
	    o->signal > SIGRTMAX || o->reserved[0] || o->reserved[1] || o->reserved[2] || o->reserved[3])
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
	static int forks_are_watched; /* under gate */
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
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->work, &monotonic);
	pthread_cond_init(&pool->done, &monotonic);
	pthread_condattr_destroy(&monotonic);

	pthread_mutex_lock(&gate);
	if (!forks_are_watched && !pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child))
		forks_are_watched = 1;
	pool->next = pools;
	pools = pool;
	pthread_mutex_unlock(&gate);
	*out = pool;
	return 0;

err_free:
	free(pool->verifier);
	free(pool);
	return err;
}

void sysvm_async_close(struct sysvm_async *pool)
{
	struct sysvm_async **at;
	unsigned int i;

	pthread_mutex_lock(&gate);
	pthread_mutex_lock(&pool->lock);
	if (!pool->dead)
		pause_pool(pool);
	for (at = &pools; *at != pool; at = &(*at)->next)
		;
	*at = pool->next;
	pthread_mutex_unlock(&pool->lock);
	pthread_mutex_unlock(&gate);

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
