/* SPDX-License-Identifier: MIT */
/*
 * Runs on helper threads: a procedure is started, the caller goes on, and hears of its end by an eventfd or
 * by waiting. For work that blocks (cold files, slow disks): many runs in flight, each a whole chain of calls
 * with its own data flow. For work that does not, a synchronous run is cheaper: a hand-over costs several
 * microseconds.
 *
 *     sysvm_async_open(&pool, NULL);
 *     sysvm_async_define(pool, code, len, 0, &proc, why, sizeof why);
 *     uint64_t regs[8] = {(uintptr_t)path, (uintptr_t)buffer};
 *     struct sysvm_request r = {.proc = proc, .regs = regs, .nregs = 8, .fuel = 10000};
 *     sysvm_async_submit(pool, &r);
 *     ...
 *     sysvm_async_wait(pool, &r, -1);          // r.result 0, r.status SYSVM_DONE: regs has the results
 *     sysvm_async_close(pool);
 *
 * What is shared, and what is not. A run happens in a thread of this process: it shares memory, descriptors
 * (a close in the program closes for all; numbers that it opens compete with everybody else's), working
 * directory, umask, limits and locks. It has its own thread number (gettid), its own page (every run starts
 * with all registers 0 but those given), and the CREDENTIALS, namespaces, affinity and seccomp filter that
 * the thread which started the helper thread had. So, before the process changes its credentials, root
 * directory or namespaces or forks, all runs are brought to their end and the helper threads ended: this
 * library wraps setuid and its like, setgroups, capset, chroot, unshare and setns for that, and hears of fork
 * by pthread_atfork. Not seen: raw system calls, clone, vfork and posix_spawn (whose child shares nothing
 * that matters before its exec), and exec itself, which ends runs in their middle: call sysvm_async_quiesce
 * first. A run that never ends keeps these calls waiting: cancel it.
 *
 * Helper threads block all signals but the one given in the options, end by themselves after a time without
 * work, and so never keep a process alive whose other threads have ended. At exit() what was submitted is
 * brought to its end.
 *
 * Results are those of the same synchronous run. Requests are begun in the order of submission; they overlap,
 * and end in any order.
 *
 * Errors: 0 or -errno. Threads: everything here may be called from any thread, nothing from a signal handler.
 * A request's memory, its registers and what the program uses belong to the library from submit until its
 * completion was seen (by wait or next). After fork the child's pools are dead: close frees them, everything
 * else is -ECHILD.
 *
 * In libsysvm-async.so (pkg-config sysvm-async); opt-in. `sysvm run` has its prefetcher, a process of its
 * own, use it.
 * Tested by tests/libsysvm/async_test.cc, also under ThreadSanitizer. What it is worth: docs/benchmarks.md.
 */
#ifndef SYSVM_ASYNC_H
#define SYSVM_ASYNC_H

#include "sysvm.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SYSVM_ASYNC_MAX_THREADS 256

#pragma GCC visibility push(default)

struct sysvm_async;

/* Zero means the default. */
struct sysvm_async_options {
	uint32_t threads; /* at most so many at once: 16; up to SYSVM_ASYNC_MAX_THREADS */
	uint32_t idle_ms; /* a thread without work ends after so long: 200 */
	uint32_t engine;  /* enum sysvm_engine, SYSVM_ENGINE_AUTO means SYSVM_ENGINE_BEST */
	/*
	 * A signal that cancellation may send to a helper thread to interrupt a call that blocks. The
	 * application gives it up for this, with a handler that does nothing, installed without SA_RESTART.
	 * 0: a cancelled run ends before its next call, and a call that blocks is waited for.
	 */
	int signal;
	/*
	 * User engine: loads and stores in here are plain copies (sysvm_trust). It stays mapped and writable
	 * as long as the pool.
	 */
	void *memory;
	size_t memory_len;
	uint64_t reserved[2]; /* 0 */
};

struct sysvm_request {
	/* Set by the caller. */
	uint32_t proc;	/* from sysvm_async_define */
	uint32_t nregs; /* registers r0... that regs holds, at most SYSVM_NREGS */
	uint64_t *regs; /* in: their values; out: their values at the end; the other registers start as 0 */
	uint64_t fuel;	/* instructions, in all */
	void *user;	/* the caller's own */
	/* Set when it is complete. */
	/* 0: the program stopped by itself; -ECANCELED; or an error of sysvm_init or sysvm_run */
	int32_t result;
	uint32_t status; /* of the page, as are pc and error */
	uint32_t pc;
	int32_t error;
	/* The library's. */
	uint32_t state, worker;
	struct sysvm_request *next, *previous;
};

/*
 * Make a pool. options may be NULL. No thread is made before the first request.
 *   -EINVAL   an option out of range, reserved not 0, or no such engine     -ENOMEM
 */
int sysvm_async_open(struct sysvm_async **pool, const struct sysvm_async_options *options);

/* Bring everything to its end, end the threads, free the pool. Completed requests need not have been fetched.
   */
void sysvm_async_close(struct sysvm_async *pool);

/* As sysvm_define; the code is copied. There is no way to undefine but close. */
int sysvm_async_define(struct sysvm_async *pool, const void *code, size_t code_len, uint64_t data_base,
		       uint32_t *proc, char *message, size_t message_size);

/*
 * Hand a request over.
 *   -ENOENT   no such procedure          -EINVAL   more than SYSVM_NREGS registers, or regs missing
 *   -EBUSY    it is under way already    -EAGAIN   no thread could be made, and there is none
 */
int sysvm_async_submit(struct sysvm_async *pool, struct sysvm_request *request);

/*
 * Wait for a request for at most timeout_ms milliseconds (-1: without limit, 0: only look). After 0 it is the
 * caller's again, and sysvm_async_next will not return it.
 *   -ETIMEDOUT   not complete yet        -EINVAL   not under way
 */
int sysvm_async_wait(struct sysvm_async *pool, struct sysvm_request *request, int timeout_ms);

/* A request that is complete and that nobody has waited for, in order of completion; NULL: none now. */
struct sysvm_request *sysvm_async_next(struct sysvm_async *pool);

/*
 * An eventfd (non-blocking, close-on-exec) that becomes readable when a request completes: read it, then call
 * sysvm_async_next until NULL: before that, further completions need not show. It is the pool's. Made at the
 * first call; completions before that do not show.
 * -EMFILE, -ENFILE, -ENOMEM.
 */
int sysvm_async_event_fd(struct sysvm_async *pool);

/*
 * Ask for a request to be given up. It completes as always, and may not be touched before: with -ECANCELED if
 * it did not run to its own end. What its program has done by then stays done.
 *   -EALREADY   it is complete           -EINVAL   not under way
 */
int sysvm_async_cancel(struct sysvm_async *pool, struct sysvm_request *request);

/* From now on at most so many at once: 1 to options.threads. What runs already goes on. -EINVAL. */
int sysvm_async_limit(struct sysvm_async *pool, uint32_t threads);

/* Wait until nothing is under way and the helper threads are gone; the next request starts new ones. */
int sysvm_async_quiesce(struct sysvm_async *pool);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
