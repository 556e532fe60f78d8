// SPDX-License-Identifier: MIT
/* The main function and the helpers of the thread programs; see lap.h. */
#include "lap.h"

#include <stdarg.h>
#include <sys/stat.h>

static FILE *result;

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(result, format, args);
	va_end(args);
	fputc('\n', result);
}

const char *outcome(int error)
{
	return error ? strerrorname_np(error) : "0";
}

long in_threads(int n, void *(*body)(void *))
{
	pthread_t thread[THREADS];
	long sum = 0;

	for (long i = 0; i < n; i++)
		MUST(pthread_create(&thread[i], NULL, body, (void *)i) == 0);
	for (int i = 0; i < n; i++) {
		void *value;

		MUST(pthread_join(thread[i], &value) == 0);
		sum += (long)value;
	}
	return sum;
}

void until_asleep(pid_t pid, pid_t tid)
{
	char name[64], stat[512];

	snprintf(name, sizeof(name), "/proc/%d/task/%d/stat", pid, tid);
	for (;;) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		ssize_t n;
		char *state;

		MUST(fd >= 0);
		n = read(fd, stat, sizeof(stat) - 1);
		close(fd);
		MUST(n > 0);
		stat[n] = 0;
		state = strrchr(stat, ')');
		if (state && state[2] == 'S')
			return;
		usleep(100);
	}
}

void linger(int round)
{
	if (round % 16 == 0)
		usleep(50);
	else if (round % 4 == 0)
		sched_yield();
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(memory != MAP_FAILED);
	return memory;
}

int status_of(pid_t child)
{
	int status;

	MUST(child > 0);
	MUST(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct timespec from_now(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

/* Files are read before there are threads, so that a procedure may take part; their access times let it. */
static void read_files(void)
{
	char buffer[4096];

	for (int i = 0; i < 8; i++) {
		struct timespec times[2] = { { time(NULL) + 10, 0 }, { time(NULL) - 100, 0 } };
		int fd = open("file", O_WRONLY | O_CREAT, 0644);

		MUST(fd >= 0);
		MUST(write(fd, "some text\n", 10) == 10);
		MUST(futimens(fd, times) == 0);
		close(fd);
		fd = open("file", O_RDONLY);
		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
		close(fd);
	}
}

static char *one_lap(const struct lap_case *c)
{
	char *text = NULL;
	size_t size = 0;

	result = open_memstream(&text, &size);
	MUST(result);
	c->lap();
	fclose(result);
	return text;
}

static int laps(const struct lap_case *c, double seconds)
{
	struct timespec end = from_now(CLOCK_MONOTONIC, (long)(seconds * 1000)), now;
	char *first = one_lap(c);

	fputs(first, stdout);
	fflush(stdout); /* else a child that exits would print it again */
	for (long number = 2;; number++) {
		char *next;

		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec))
			break;
		next = one_lap(c);
		if (strcmp(first, next)) {
			printf("lap %ld differs:\n%s", number, next);
			return 1;
		}
		free(next);
	}
	free(first);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "list")) {
		for (const struct lap_case *c = cases; c->name; c++)
			puts(c->name);
		return 0;
	}
	if (argc != 4 || chdir(argv[2])) {
		fprintf(stderr, "usage: %s list | CASE SCRATCH SECONDS\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* a child of fork must find it empty */
	read_files();
	for (const struct lap_case *c = cases; c->name; c++)
		if (!strcmp(c->name, argv[1])) {
			fflush(stdout);
			return laps(c, atof(argv[3]));
		}
	fprintf(stderr, "%s: no case '%s'\n", argv[0], argv[1]);
	return 2;
}
