// SPDX-License-Identifier: MIT
/*
 * sysvm-prefetch: runs beside a command that `sysvm run` starts. It makes the calls that the command is about
 * to make, and throws the results away; the command makes them itself and finds the caches warm.
 *
 *     sysvm-prefetch PIDFD STATS PID DEPTH PROCEDURES
 *
 * PIDFD and STATS are numbers of descriptors (STATS -1: none), DEPTH 0 means by itself, PROCEDURES is a path
 * or "".
 *
 * It is no child of the command, has no descriptor of it, no terminal, and the working directory "/". When
 * memory runs out, the kernel kills it first. The main thread here waits for time to pass, for requests to
 * end (walk.c), and for the command's end (pidfd), with which it ends too, whatever its threads do.
 *
 * A command that does not wait is sampled less and less often, down to every 50 ms. One that waits is sampled
 * every millisecond, or every five while there is nothing new or it goes where it is expected to; on slow
 * storage, every four to twenty, or every two while nothing may be asked (pace.h). Where directories have
 * been read ahead, the command is sampled even when it does not wait: it waits least where we were right.
 *
 * Tested by tests/prefetch.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "feed.h"
#include "guess.h"
#include "leases.h"
#include "limits.h"
#include "lists.h"
#include "mounts.h"
#include "pace.h"
#include "walk.h"

#define TICK_NS 1000000
#define TICK_FIRST_NS 500000
#define TICK_MAX_NS 50000000
#define TICK_WAITING_MAX_NS 5000000
#define TICK_ON_TRACK_NS 4000000 /* a sample takes 0.2 ms of processor time */
#define AUTO_DEPTH 8
#define AUTO_DEPTH_MAX 32
#define ENTRIES_AHEAD 20000
#define BYTES_AHEAD (96u << 20)
#define DIRECTORIES_FIRST 2048
#define BYTES_FIRST (8u << 20)
#define UNPROVED_FIRST_NS 100000000
#define UNPROVED_NS 300000000
#define PROBE_COLD_NS 400000 /* for a few names; hot ones take a tenth of it */
#define MEMORY_NS 200000000 /* between two checks of memory and leases */
#define LEASES_MAX 1024
#define TICK_FOLLOW_NS 3000000
#define TICK_HELD_NS 15000000
#define FOLLOW_NS 100000000 /* after it has waited */
#define QUIET_TICKS 20 /* if the command waits, but not in what was read ahead: go on anyway */
#define QUIET_TICKS_MAX 5000

static struct prefetch_stats private_stats;
static struct prefetch_stats *stats = &private_stats;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

_Noreturn static void finish(enum prefetch_end how)
{
	stats->processor_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	stats->ended = how;
	_exit(how == PREFETCH_ENDED ? 0 : 1);
}

static void map_stats(int fd)
{
	void *p = MAP_FAILED;

	if (fd >= 0)
		p = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		stats = p;
	stats->magic = PREFETCH_MAGIC;
	stats->pid = (uint64_t)getpid();
}

static void be_modest(void)
{
	struct rlimit files;
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, "1000", 4);
		close(fd);
	}
	(void)!chdir("/");
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max < CODE_NUMBERS ? files.rlim_max : CODE_NUMBERS;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int number(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	return *end || n < -1 || n > 0x7fffffff ? -2 : (int)n;
}

static uint64_t tick = TICK_FIRST_NS;

static bool sample(struct feed *feed)
{
	bool waits = feed_sample(feed);

	stats->samples++;
	stats->waiting += waits;
	if (waits)
		tick = tick < TICK_WAITING_MAX_NS ? tick : TICK_NS;
	else if (tick < TICK_MAX_NS)
		tick += tick / 8;
	stats->processor_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	return waits;
}

/*
 * Nothing is allocated and no thread started before the command has been seen to wait, or there is a list for
 * it: most commands never wait.
 */
static void wait_for_waiting(struct feed *feed, struct lists *lists, int pidfd)
{
	struct pollfd end = {.fd = pidfd, .events = POLLIN};

	for (;;) {
		struct timespec wait = {.tv_nsec = (long)tick};

		if (ppoll(&end, 1, &wait, NULL) < 0 && errno != EINTR)
			finish(PREFETCH_FAILED);
		if (end.revents)
			finish(PREFETCH_ENDED);
		sample(feed);
		for (unsigned int i = 0; i < feed->count; i++)
			if (feed_waits(&feed->process[i]) ||
			    (feed->process[i].alive && lists_have(lists, feed->process[i].pid)))
				return;
	}
}

static enum pace_state keep_pace(struct pace *pace, const struct feed *feed, struct walk *walk, uint64_t now)
{
	enum pace_state before = pace->state, state;

	state = pace_see(pace, now, &feed->pace, walk_storage(walk));
	stats->held += before != PACE_HOLD && state == PACE_HOLD;
	walk_hold(walk, state == PACE_HOLD, pace->alone, pace_suspects(pace));
	if (feed->pace.fuse)
		walk_go_deep(walk);
	return state;
}

static void read_leases(struct walk *walk)
{
	static struct walk_file files[2][LEASES_MAX];
	static int turn;
	size_t count;
	bool all;

	turn = !turn;
	all = !leases_read(files[turn], LEASES_MAX, &count);
	walk_leases(walk, files[turn], count, all);
}

int main(int argc, char **argv)
{
	int pidfd = argc == 6 ? number(argv[1]) : -2, stats_fd = argc == 6 ? number(argv[2]) : -2;
	int pid = argc == 6 ? number(argv[3]) : -2, depth = argc == 6 ? number(argv[4]) : -2;
	struct walk_options options = {
		.entries_ahead = ENTRIES_AHEAD,
		.bytes_ahead = BYTES_AHEAD,
		.directories_first = DIRECTORIES_FIRST,
		.bytes_first = BYTES_FIRST,
		.unproved_first_ns = UNPROVED_FIRST_NS,
		.unproved_ns = UNPROVED_NS,
	};
	uint64_t next = 0, last_used = 0, memory_at = 0;
	unsigned int quiet = 0, patience = QUIET_TICKS;
	bool memory_short = false, waits, follows;
	uint64_t waited_at = 0, probed_at = 0;
	struct pace pace = {.state = PACE_LOOK};
	static struct feed feed;
	struct lists *lists;
	struct guess *guess;
	struct walk *walk;
	char message[200];

	if (pidfd < 0 || stats_fd < -1 || pid < 1 || depth < 0 || depth > WALK_DEPTH_MAX) {
		fprintf(stderr, "sysvm-prefetch: started by 'sysvm run', not by hand\n");
		return 2;
	}
	map_stats(stats_fd);
	/* Its path may be relative. */
	lists = lists_make(*argv[5] ? open(argv[5], O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1, stats);
	be_modest();
	options.depth = depth ? (unsigned int)depth : AUTO_DEPTH;
	options.depth_max = depth ? (unsigned int)depth : AUTO_DEPTH_MAX;
	options.stats = stats;
	feed_init(&feed, pid);
	if (depth)
		feed.measures = false;
	if (!feed.measures)
		pace.state = PACE_GO;
	wait_for_waiting(&feed, lists, pidfd);
	if (!limits_have_room(options.depth_max))
		finish(PREFETCH_LIMITED);
	walk = walk_make(&options, message, sizeof(message));
	guess = walk ? guess_make(walk, stats) : NULL;
	if (!guess)
		finish(PREFETCH_FAILED);

	read_leases(walk); /* before the first file is opened */
	memory_short = limits_memory_short();
	for (unsigned int i = 0; i < feed.count && !probed_at && !memory_short; i++)
		if (lists_probe(lists, feed.process[i].pid, walk))
			probed_at = clock_ns(CLOCK_MONOTONIC);
	walk_pump(walk);
	for (;;) {
		struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN},
					{.fd = walk_event_fd(walk), .events = POLLIN}};
		uint64_t now = clock_ns(CLOCK_MONOTONIC);
		struct timespec wait = {.tv_nsec = next > now ? (long)(next - now) : 0};

		if (ppoll(fds, 2, &wait, NULL) < 0 && errno != EINTR)
			finish(PREFETCH_FAILED);
		if (fds[0].revents)
			finish(PREFETCH_ENDED);
		if (fds[1].revents) {
			walk_reap(walk);
			if (probed_at && !walk_busy(walk)) {
				lists_probed(lists, clock_ns(CLOCK_MONOTONIC) - probed_at > PROBE_COLD_NS);
				probed_at = 0;
			}
			if (!memory_short) {
				lists_go_on(lists, walk);
				guess_go_on(guess);
			}
		}
		now = clock_ns(CLOCK_MONOTONIC);
		if (now < next)
			continue;
		if (now - memory_at > MEMORY_NS) {
			memory_short = limits_memory_short();
			memory_at = now;
			if (memory_short)
				walk_drop(walk);
			if (walk_reads_files(walk))
				read_leases(walk);
		}
		waits = sample(&feed);
		follows = walk_is_ahead(walk) && now - waited_at < FOLLOW_NS;
		if (waits)
			waited_at = now;
		if (feed.measures && keep_pace(&pace, &feed, walk, now) != PACE_GO) {
			if (waits)
				tick = pace.state == PACE_LOOK ? TICK_FIRST_NS : TICK_HELD_NS;
		} else if ((waits || follows) && !memory_short) {
			for (unsigned int i = 0; i < feed.count; i++) {
				struct feed_process *p = &feed.process[i];

				if (feed_waits(p) && !lists_see(lists, p))
					feed_files(p, guess_seen, guess);
				else if (follows && feed_works(p))
					feed_files(p, guess_seen_working, guess);
			}
			lists_go_on(lists, walk);
			quiet = stats->used == last_used ? quiet + 1 : 0;
			if (!quiet)
				patience = QUIET_TICKS;
			last_used = stats->used;
			tick = quiet ? tick + tick / 4 : TICK_ON_TRACK_NS;
			if (!waits)
				tick = TICK_FOLLOW_NS;
			if (tick > TICK_WAITING_MAX_NS)
				tick = TICK_WAITING_MAX_NS;
			if (quiet >= patience) { /* as little as at first, and less and less often */
				walk_astray(walk, false);
				walk_go_on(walk);
				quiet = 0;
				patience = patience < QUIET_TICKS_MAX ? 4 * patience : patience;
			}
			if (guess_go_on(guess))
				tick = TICK_NS;
			if (walk_storage(walk) == PACE_SLOW)
				tick *= 4;
		}
		next = now + tick;
	}
}
