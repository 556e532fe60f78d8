// SPDX-License-Identifier: MIT
/*
 * Processes made by a process with threads: the child of fork has one thread and the locks of all; vfork and
 * posix_spawn lend it the parent's memory while the other threads run on.
 */
#include "lap.h"

#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>

extern char **environ;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int prepared, in_parent, in_child;
static atomic_int stop;

static void before(void)
{
	pthread_mutex_lock(&mutex);
	prepared++;
}

static void after(void)
{
	in_parent++;
	pthread_mutex_unlock(&mutex);
}

static void after_in_child(void)
{
	in_child++;
	pthread_mutex_unlock(&mutex);
}

/* Takes the mutex, the allocator's locks and stdio's, so that a fork finds them in every state. */
static void *keep_busy(void *index)
{
	long rounds = 0;

	while (!atomic_load(&stop)) {
		void *memory = malloc(1000 + 100 * (size_t)(rounds % 50));
		FILE *f;

		pthread_mutex_lock(&mutex);
		linger((int)rounds);
		pthread_mutex_unlock(&mutex);
		f = fopen("file", "r");
		if (f)
			fclose(f);
		free(memory);
		rounds++;
	}
	(void)index;
	return NULL;
}

static void *fork_some(void *unused)
{
	long good = 0;

	(void)unused;
	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (!pid) {
			struct stat st;
			char *text = malloc(100000);
			pthread_t thread;
			void *value;

			/* Its own threads, its own allocations, its own calls. */
			snprintf(text, 100000, "%d", 7);
			atomic_store(&stop, 1);
			MUST(pthread_create(&thread, NULL, keep_busy, NULL) == 0);
			MUST(pthread_join(thread, &value) == 0);
			_exit(stat("file", &st) ? 1 : atoi(text) * in_child);
		}
		good += status_of(pid) == 7;
	}
	return (void *)good;
}

static void among_busy_threads(void *(*body)(void *))
{
	pthread_t busy[2];

	atomic_store(&stop, 0);
	for (long i = 0; i < 2; i++)
		MUST(pthread_create(&busy[i], NULL, keep_busy, (void *)i) == 0);
	say("good %ld", in_threads(2, body));
	atomic_store(&stop, 1);
	for (int i = 0; i < 2; i++)
		pthread_join(busy[i], NULL);
}

static void forks(void)
{
	static bool once;

	if (!once)
		pthread_atfork(before, after, after_in_child);
	once = true;
	prepared = in_parent = in_child = 0;
	among_busy_threads(fork_some);
	say("prepared %d, in the parent %d, in the child %d", prepared, in_parent, in_child);
}

static void *spawn_some(void *unused)
{
	long good = 0;

	(void)unused;
	for (int i = 0; i < 3; i++) {
		char *const argv[] = { "sh", "-c", "read line && test \"$line\" = 'some text' && exit 7",
				       NULL };
		char *const missing[] = { "nothing", NULL };
		posix_spawn_file_actions_t actions;
		posix_spawnattr_t attr;
		sigset_t all;
		pid_t pid;

		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_addopen(&actions, 0, "file", O_RDONLY, 0);
		posix_spawnattr_init(&attr);
		sigfillset(&all);
		posix_spawnattr_setsigdefault(&attr, &all);
		posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
		MUST(posix_spawn(&pid, "/bin/sh", &actions, &attr, argv, environ) == 0);
		good += status_of(pid) == 7;
		good += 10 *
			(posix_spawn(&pid, "/nothing/there", &actions, &attr, missing, environ) == ENOENT);
		posix_spawn_file_actions_destroy(&actions);
		posix_spawnattr_destroy(&attr);
	}
	return (void *)good;
}

static void spawns(void)
{
	among_busy_threads(spawn_some);
}

static void *vfork_some(void *unused)
{
	volatile long good = 0;

	(void)unused;
	for (int i = 0; i < 3; i++) {
		pid_t pid = vfork();

		if (!pid) {
			execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
			_exit(126);
		}
		good += status_of(pid) == 7;
		pid = vfork();
		if (!pid)
			_exit(8);
		good += 10 * (status_of(pid) == 8);
	}
	return (void *)good;
}

static void vforks(void)
{
	among_busy_threads(vfork_some);
}

static void *run_some(void *unused)
{
	long good = 0;

	(void)unused;
	for (int i = 0; i < 2; i++) {
		char line[64] = "";
		FILE *p = popen("cat file", "r");

		MUST(p);
		good += fgets(line, sizeof(line), p) && !strcmp(line, "some text\n");
		good += 10 * (pclose(p) == 0);
		good += 100 * (WEXITSTATUS(system("exit 9")) == 9);
	}
	return (void *)good;
}

static void system_and_popen(void)
{
	among_busy_threads(run_some);
}

const struct lap_case cases[] = {
	{ "fork among busy threads", forks },
	{ "posix_spawn among busy threads", spawns },
	{ "vfork among busy threads", vforks },
	{ "system and popen among busy threads", system_and_popen },
	{ NULL, NULL },
};
