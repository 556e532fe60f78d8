// SPDX-License-Identifier: MIT
/*
 * What takes the place of the parts that touch a real process: memory.c, clock.c, mounts.c, and of the entry half objects.c,
 * exec.c, signals.c, copy.c and init.c. Tested by tests/optimizer/replay_test.cc.
 */
#include "libsysvm/shim/replay/replay.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsysvm/shim/ahead/ahead.h"
#include "libsysvm/shim/process/process.h"

#define MAPS 320 /* of the shim's own memory and one for each procedure of its engine */

volatile uint64_t shim_signals;
struct entry entry;

static struct replay_script *script;
static struct shim_stats_file file;
static struct shim_stats *stats_out;
static uint64_t epoch; /* each process lives in a time of its own: what devices.c remembers is too old for the next */
static struct { void *at; size_t size; } maps[MAPS];
static unsigned int nmaps;

/* --- raw system calls ----------------------------------------------------------------------------------------- */

static long own_map(size_t size)
{
	void *at = nmaps < MAPS ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;

	if (at == MAP_FAILED)
		return -12;
	maps[nmaps].at = at;
	maps[nmaps++].size = size;
	return (long)at;
}

long replay_kernel_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	const uint64_t arg[6] = { a0, a1, a2, a3, a4, a5 };

	switch (nr) { /* the shim's memory is real */
	case SYS_mmap:
		return own_map(a1);
	case SYS_munmap: /* given back at the end */
	case SYS_madvise:
		return 0;
	case SYS_getpid:
	case SYS_process_vm_readv: /* the machine's way to memory that it does not trust */
	case SYS_process_vm_writev:
		return raw_call6_of_the_kernel(nr, a0, a1, a2, a3, a4, a5);
	default:
		return script->call(script->who, nr, arg);
	}
}

uint64_t shim_resolve(const struct svp_place *place)
{
	return script->resolve(script->who, place);
}

/* --- clock.c -------------------------------------------------------------------------------------------------- */

void clock_init(void)
{
}
bool clock_works(void)
{
	return true;
}
uint64_t clock_ms(void)
{
	return epoch + script->now_ms;
}
uint64_t clock_mark(struct clock_words *mark)
{
	mark->seconds = CLOCK_NEVER; /* entry.S takes no part */
	return clock_ms();
}
uint64_t clock_seconds(void)
{
	return clock_ms() / 1000;
}

/* --- memory.c: what the script hands over is there ------------------------------------------------------------ */

int memory_init(void)
{
	ahead.q.stack_low = 0; /* every stack pointer is on the main stack */
	ahead.q.stack_high = ~0ull;
	return 0;
}
void memory_after(const struct shim_call *call)
{
	(void)call;
}
bool memory_writable(uint64_t address, uint64_t size, uint64_t sp)
{
	(void)size, (void)sp;
	return address != 0;
}
bool memory_constant(uint64_t address)
{
	(void)address;
	return false;
}
long memory_string(uint64_t address, uint64_t max, uint64_t sp)
{
	size_t n = address ? strnlen((const char *)address, max) : max;

	(void)sp;
	return n < max ? (long)n : -1;
}

/* --- mounts.c: none lies in the way ---------------------------------------------------------------------------- */

uint64_t mounts_avoided[1]; /* closed by 0 */
const unsigned long mounts_avoided_size = sizeof(mounts_avoided);

bool mounts_known(void)
{
	return true;
}
bool mounts_here(uint64_t *device)
{
	static uint64_t asked;

	if (asked != clock_seconds())
		ahead.n.own += 5; /* where, opened, what, of which type, closed */
	asked = clock_seconds();
	*device = script->here_device;
	return true;
}
void mounts_moved(void)
{
}
bool mounts_avoid(uint64_t inode)
{
	(void)inode;
	return false;
}
bool mounts_path(const char *path)
{
	for (; *path; path++)
		ahead.n.own += *path == '/'; /* a look at each part */
	return true;
}

/* --- the entry half ------------------------------------------------------------------------------------------- */

const struct sysvm_object *objects_by_fd(int fd, uint64_t offset)
{
	/* Which objects have calls of their own is the script's to say (replay_stop). */
	static const struct sysvm_object clean = { .verdict = OBJECT_CLEAN };

	(void)fd;
	(void)offset;
	return &clean;
}
void objects_note_unknown(int fd)
{
	(void)fd;
}
bool objects_is_gconv_cache(int fd)
{
	(void)fd;
	return true; /* libc's, nearly always: others are few and only read */
}
int exec_before(struct shim_call *call)
{
	(void)call;
	if (shim_mode)
		ahead_settle();
	return -1;
}
int signals_action(struct shim_call *call)
{
	(void)call;
	return -1;
}
uint64_t signals_hold(void)
{
	return 0;
}
void signals_stop(void)
{
}
void memory_child(const struct shim_call *call)
{
	(void)call;
}
int copy_from(void *to, uint64_t from, unsigned long n, uint64_t sp)
{
	struct clone_args args = { .flags = script->clone_flags };

	(void)from, (void)sp;
	memcpy(to, &args, n < sizeof(args) ? n : sizeof(args));
	return 0;
}

/* dispatch.c and tasks.c as they are. */
int shim_dispatch(struct shim_call *call);
void shim_after(struct shim_call *call, int verdict);

int replay_begin(const struct shim_settings *settings, struct replay_script *with, struct shim_stats *stats)
{
	struct shim_settings own = *settings;
	int reason;

	script = with;
	epoch += 1000000000;
	stats_out = stats;
	memset(&ahead, 0, sizeof(ahead));
	memset(&file, 0, sizeof(file));
	memset(&entry, 0, sizeof(entry));
	ahead.q.next = ahead.q.end = ahead.counted = ahead.log; /* as it is before ahead_init in a real process */
	ahead.log[0].minus_nr = LOG_NEVER;
	ahead.device_fd = -1;
	own.stats = &file.stats;
	entry.file = &file;
	shim_plain_counter = &file.stats.plain;
	entry.alone = true;
	shim_mode = 1;
	dispatch_init();
	reason = ahead_init(&own);
	file.stats.own = 0; /* what starting costs is not part of the replay */
	if (reason) {
		shim_mode = 0;
		entry.off = (uint32_t)reason;
		file.stats.off[reason & 15]++;
	}
	return reason;
}

int replay_call(struct shim_call *call)
{
	return shim_dispatch(call);
}

void replay_after(struct shim_call *call, int verdict)
{
	if (verdict == VERDICT_VFORK)
		shim_mode = 1; /* entry.S does it when the parent comes back */
	else if (verdict == VERDICT_WATCH || verdict == VERDICT_FORK)
		shim_after(call, verdict);
}

void replay_signal(void)
{
	shim_signals++;
}

void replay_stop(enum shim_reason reason)
{
	process_stop(reason);
}

void replay_end(void)
{
	if (!ahead.off)
		ahead_settle();
	*stats_out = file.stats;
	while (nmaps) {
		nmaps--;
		munmap(maps[nmaps].at, maps[nmaps].size);
	}
}
