// SPDX-License-Identifier: MIT
/*
 * User and group ids belong to the process for POSIX and to the thread for the kernel: the C library sends
 * each thread a signal whose handler makes the call. Each lap does so in a child, for there is no way back;
 * without root's rights the errors must be the same. And herror, which writes its line with a call made from
 * a vector on the stack.
 */
#include "lap.h"

#include <grp.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

static atomic_int stop, ready;
static int own_ids[THREADS][3];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *wait_or_compute(void *index)
{
	atomic_fetch_add(&ready, 1);
	for (int i = 0; !atomic_load(&stop); i++) {
		if ((long)index == 0) {
			usleep(100);
		} else if ((long)index == 1) {
			pthread_mutex_lock(&mutex);
			linger(i);
			pthread_mutex_unlock(&mutex);
		} else if ((long)index == 2) {
			close(open("file", O_RDONLY | O_CLOEXEC));
		}
	}
	/* As the kernel knows them for this thread. */
	own_ids[(long)index][0] = (int)syscall(SYS_geteuid);
	own_ids[(long)index][1] = (int)syscall(SYS_getegid);
	own_ids[(long)index][2] = (int)syscall(SYS_getgroups, 0, NULL);
	return NULL;
}

static void say_now(FILE *f, const char *what, int result)
{
	fprintf(f, "%s %s\n", what, outcome(result ? errno : 0));
}

/* The child: what it finds goes to a file, as it has no result that could hold it. */
static void change_ids(FILE *f)
{
	pthread_t thread[THREADS];
	gid_t groups[2] = { 1003, 1004 };

	for (long i = 0; i < THREADS; i++)
		MUST(pthread_create(&thread[i], NULL, wait_or_compute, (void *)i) == 0);
	while (atomic_load(&ready) < THREADS)
		sched_yield();
	for (int i = 0; i < 20; i++) {
		MUST(setegid(i % 2 ? getgid() : 1001) == 0 || errno == EPERM);
		MUST(setresuid(-1, -1, getuid()) == 0 || errno == EPERM);
	}
	say_now(f, "setgroups", setgroups(2, groups));
	say_now(f, "setregid", setregid(1001, 1001));
	say_now(f, "setgid", setgid(1002));
	say_now(f, "setreuid", setreuid(-1, 1001));
	say_now(f, "seteuid", seteuid(getuid()));
	say_now(f, "setresgid", setresgid(1002, 1002, 1002));
	say_now(f, "setuid", setuid(1002));
	say_now(f, "and back", setuid(0));
	atomic_store(&stop, 1);
	for (int i = 0; i < THREADS; i++)
		MUST(pthread_join(thread[i], NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		fprintf(f, "thread %d: %d %d, groups %d\n", i, own_ids[i][0], own_ids[i][1], own_ids[i][2]);
	fprintf(f, "process: %d %d\n", getuid(), getgid());
}

static void say_file(const char *name)
{
	FILE *f = fopen(name, "r");
	char line[256];

	MUST(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		say("%s", line);
	}
	fclose(f);
}

static void ids(void)
{
	pid_t child;

	atomic_store(&stop, 0);
	atomic_store(&ready, 0);
	child = fork();
	if (!child) {
		FILE *f = fopen("ids", "w");

		MUST(f);
		change_ids(f);
		MUST(fclose(f) == 0);
		_exit(0);
	}
	say("child %d", status_of(child));
	say_file("ids");
}

static void *write_messages(void *unused)
{
	for (int error = HOST_NOT_FOUND; error <= NO_DATA; error++) {
		h_errno = error;
		pthread_mutex_lock(&mutex);
		herror("prog");
		herror(NULL);
		errno = ENOENT;
		perror("a longer prefix");
		psignal(SIGTERM, "prefix");
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

static void messages(void)
{
	int kept = dup(2), fd = open("messages", O_RDWR | O_CREAT | O_TRUNC, 0644);

	MUST(kept >= 0 && fd >= 0);
	dup2(fd, 2);
	write_messages(NULL);
	in_threads(1, write_messages);
	dup2(kept, 2);
	close(kept);
	close(fd);
	say_file("messages");
}

const struct lap_case cases[] = {
	{ "user and group ids of all threads are changed", ids },
	{ "messages of herror, perror and psignal", messages },
	{ NULL, NULL },
};
