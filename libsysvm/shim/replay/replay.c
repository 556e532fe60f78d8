// SPDX-License-Identifier: MIT
/*
 * Stands in for the files that touch a real process: memory.c, clock.c, mounts.c and paths.c of known/, and
 * objects.c, exec.c, signals.c, copy.c and init.c of process/. Tested by tests/optimizer/replay_test.cc.
 */
#include "libsysvm/shim/replay/replay.h"

#include <errno.h>
#include <linux/sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/answers/records.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/known/clock.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/known/mounts.h"
#include "libsysvm/shim/known/paths.h"
#include "libsysvm/shim/process/copy.h"
#include "libsysvm/shim/process/dispatch.h"
#include "libsysvm/shim/process/exec.h"
#include "libsysvm/shim/process/objects.h"
#include "libsysvm/shim/process/plain.h"
#include "libsysvm/shim/process/process.h"
#include "libsysvm/shim/process/signals.h"

#define EPOCH_MS 1000000000 /* recordings begin at 0, which means "never" to what remembers a time */
#define MAPS 320 /* of the shim's own memory and one for each procedure of its engine */

static struct replay_script *script;
static struct shim_stats_file file;
static struct shim_stats *stats_out;
#define KEPT_SIZE 16384 /* to clear more costs more than new pages where they are used */

struct own_memory {
	void *at;
	size_t size;
};
static struct own_memory maps[MAPS];
static unsigned int nmaps;
/* Of the process before, the first one on top: thousands of short processes ask for the same again. */
static struct own_memory kept[MAPS];
static unsigned int nkept;

/* --- raw system calls ----------------------------------------------------------------------------------- */

static void *kept_memory(size_t size)
{
	for (unsigned int i = nkept; i-- > 0;) {
		if (kept[i].size != size)
			continue;
		void *at = kept[i].at;

		kept[i] = kept[--nkept];
		return memset(at, 0, size);
	}
	return MAP_FAILED;
}

static long own_map(size_t size)
{
	void *at = MAP_FAILED;

	if (nmaps < MAPS)
		at = kept_memory(size);
	if (nmaps < MAPS && at == MAP_FAILED)
		at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return -ENOMEM;
	maps[nmaps].at = at;
	maps[nmaps++].size = size;
	return (long)at;
}

long replay_kernel_call(long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
			   uint64_t a5)
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

static uint64_t resolve(const struct svp_place *place)
{
	return script->resolve(script->who, place);
}

/* --- clock.c -------------------------------------------------------------------------------------------- */

void clock_reset(uint64_t vdso)
{
	static const volatile struct clock_words none = { 0, 0 };

	(void)vdso;
	quick.clock = &none;
}
bool clock_works(void)
{
	return true;
}
uint64_t clock_ms(void)
{
	return EPOCH_MS + script->now_ms;
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

/* --- memory.c: what the script hands over is there ------------------------------------------------------ */

int memory_reset(void)
{
	quick.stack_low = 0; /* every stack pointer is on the main stack */
	quick.stack_high = ~0ull;
	return 0;
}
bool memory_after(const struct shim_call *call)
{
	(void)call;
	return false;
}
bool memory_child(const struct shim_call *call)
{
	(void)call;
	return false;
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
uint64_t memory_room(uint64_t address, uint64_t sp)
{
	(void)sp;
	return address ? strlen((const char *)address) + 1 : 0;
}
long memory_string(uint64_t address, uint64_t max, uint64_t sp)
{
	size_t n = address ? strnlen((const char *)address, max) : max;

	(void)sp;
	return n < max ? (long)n : -1;
}

/* --- mounts.c and paths.c: no mount lies in the way ----------------------------------------------------- */

uint64_t mounts_avoided[1]; /* closed by 0 */
const unsigned long mounts_avoided_size = sizeof(mounts_avoided);

void mounts_reset(void)
{
}

bool mounts_known(void)
{
	return true;
}
static uint64_t asked; /* clock_seconds() of the last paths_here */

bool paths_here(uint64_t *device)
{
	if (asked != clock_seconds())
		counts.own += 5; /* where, opened, what, of which type, closed */
	asked = clock_seconds();
	*device = script->here_device;
	return true;
}
void paths_reset(void)
{
	asked = 0;
}
bool mounts_avoid(uint64_t inode)
{
	(void)inode;
	return false;
}
bool paths_harmless(const char *path)
{
	for (; *path; path++)
		counts.own += *path == '/'; /* an lstat of each part */
	return true;
}

/* --- process/ ------------------------------------------------------------------------------------------- */

const struct sysvm_object *objects_by_fd(int fd, uint64_t offset)
{
	/* The script says which objects have calls of their own (replay_stop). */
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
bool signals_changing(const struct shim_call *call)
{
	(void)call;
	return false;
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
int copy_from(void *to, uint64_t from, unsigned long n, uint64_t sp)
{
	struct clone_args args = { .flags = script->clone_flags };

	(void)from, (void)sp;
	memcpy(to, &args, n < sizeof(args) ? n : sizeof(args));
	return 0;
}

int replay_begin(const struct shim_settings *settings, struct replay_script *with,
		    struct shim_stats *stats)
{
	struct shim_settings own = *settings;
	int reason;

	script = with;
	stats_out = stats;
	/* without the paths, which nobody writes here: a recording may have 100,000 processes */
	memset(&file, 0, offsetof(struct shim_stats_file, unknown));
	memset(&process, 0, sizeof(process));
	memset(&counts, 0, sizeof(counts));
	own.stats = &file.stats;
	own.resolve = resolve;
	process.file = &file;
	shim_plain_counter = &file.stats.plain;
	process.alone = true;
	shim_mode = 1;
	dispatch_init();
	reason = ahead_init(&own);
	file.stats.own = 0; /* what starting costs is not part of the replay */
	if (reason) {
		shim_mode = 0;
		process.off = (uint32_t)reason;
		file.stats.off[reason & 15]++;
	}
	return reason;
}

int replay_call(struct shim_call *call)
{
	return shim_dispatch(call);
}

bool replay_outstanding(void)
{
	return quick.next != quick.end || records_outstanding();
}

bool replay_too_old(void)
{
	return replay_outstanding() && quick.log_signals == shim_signals && !outstanding_fresh();
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
	plain_stop(reason);
}

void replay_end(void)
{
	ahead_settle();
	*stats_out = file.stats;
	while (nmaps) {
		const struct own_memory *m = &maps[--nmaps];

		if (m->size <= KEPT_SIZE && nkept < MAPS)
			kept[nkept++] = *m;
		else
			munmap(m->at, m->size);
	}
}

const struct replay_functions replay_copy_1 = {
	.begin = replay_begin,
	.call = replay_call,
	.after = replay_after,
	.too_old = replay_too_old,
	.signal = replay_signal,
	.stop = replay_stop,
	.end = replay_end,
};
