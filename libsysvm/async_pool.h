/* SPDX-License-Identifier: MIT */
/*
 * What the files of the asynchronous pool share: async.c (requests: submit, wait, cancel), async_stop.c (what
 * stops whole pools), async_worker.c (a helper thread), async_queue.c (lists), async_guard.c (changes of
 * credentials). Private.
 *
 * Locks: `gate` orders what stops whole pools (close, quiesce, fork, a change of credentials) and is taken
 * first; then the lock of one pool. Threads take the lock of their pool only.
 */
#ifndef SYSVM_ASYNC_POOL_H
#define SYSVM_ASYNC_POOL_H

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

#include "sysvm_async.h"

#pragma GCC visibility push(hidden)

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
	int event_fd, announced;   /* announced: since all that was complete was last fetched */
	unsigned int limit;	   /* requests that may run at once */
	struct sysvm_async_options options;
	struct sysvm_vm *verifier; /* never runs anything */
	struct code procs[SYSVM_MAX_PROCS];
	struct slot slots[SYSVM_ASYNC_MAX_THREADS];
	struct sysvm_async *next; /* of all pools; under gate */
};

/* async_queue.c. All under the pool's lock. */
void pool_append(struct list *list, struct sysvm_request *r);
void pool_unlink(struct list *list, struct sysvm_request *r);
/* Whether it is to be announced, without the lock: by pool_announce. */
int pool_complete(struct sysvm_async *pool, struct sysvm_request *r);
/* Until some completion, or for ms milliseconds at most. */
void pool_wait(struct sysvm_async *pool, unsigned int ms);
void pool_deadline(struct timespec *t, unsigned int ms);
void pool_interrupt_cancelled(struct sysvm_async *pool);

/* async_queue.c. */
void pool_announce(struct sysvm_async *pool);

/* async_worker.c. Under the pool's lock. Returns 0 or an errno. */
int pool_start_thread(struct sysvm_async *pool);

static inline int slot_is_cancelled(struct slot *slot)
{
	return __atomic_load_n(&slot->cancelled, __ATOMIC_RELAXED) != 0;
}

/*
 * async_stop.c. Under gate and lock: nothing is under way and no thread is left, nor will be made, until
 * unpause (under lock).
 */
void pool_pause(struct sysvm_async *pool);
void pool_unpause(struct sysvm_async *pool);
/* Among those that fork, exit and changes of credentials stop; no more, and paused for good. */
void pool_enlist(struct sysvm_async *pool);
void pool_delist(struct sysvm_async *pool);
/* Nothing is under way in any pool and no helper thread lives until sysvm_pools_go_on, which the same thread
   calls. */
void sysvm_pools_pause(void);
void sysvm_pools_go_on(void);

#pragma GCC visibility pop
#endif
