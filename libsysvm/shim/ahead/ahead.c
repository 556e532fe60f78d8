// SPDX-License-Identifier: MIT
/*
 * What happens at a call of the application: the order of the rules (design: docs/semantics.md).
 *
 *   1. a call inside a signal handler that interrupted this very code is made plainly, after the log is taken back;
 *   2. the next outstanding result, if it is this call's, is served;
 *   3. a call that carries no news leaves the log alone;
 *   4. a close may be put off, a question whose answer is known is answered;
 *   5. what is outstanding and cannot be renewed is taken back;
 *   6. a trigger runs its procedure; any other call is made, with a late close and renewals riding on it.
 *
 * It knows no sequence: what follows what is in the procedure file alone.
 * Tested by tests/shim/.
 */
#include "libsysvm/shim/ahead/ahead.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libsysvm/raw.h"
#include "libsysvm/shim/base/bytes.h"
#include "uapi/syscalls.h"

/*
 * The application gets the lowest free number, as without us: our descriptor must lie above all that it uses. Where the
 * limit does not allow that, or the application comes near, there is no engine.
 */
#define DEVICE_LOWEST 128
#define DEVICE_ROOM 8

#define PRIVATE_BYTES (AHEAD_STAGING + 4096 + KEPT_BYTES) /* what the application has read, and where it looks */

#define FLUSH_RUNS 64 /* runs between two additions to the shared statistics; each addition is a locked one */

struct ahead ahead = {
	.q = { .next = ahead.log, .end = ahead.log },
	.off = SHIM_OFF_DISABLED,
	.counted = ahead.log,
	.log = { { .minus_nr = LOG_NEVER } },
	.device_fd = -1,
};

long ahead_own(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	ahead.n.own++;
	return raw_call6((long)nr, a0, a1, a2, a3, 0, 0);
}

static void add(uint64_t *shared, uint64_t n)
{
	if (n)
		__atomic_fetch_add(shared, n, __ATOMIC_RELAXED);
}

void stats_flush(void)
{
	struct shim_stats *s = ahead.set.stats;

	log_count();
	add(&s->seen, ahead.n.quick);
	add(&s->answered, ahead.n.answered);
	add(&s->runs, ahead.n.runs);
	add(&s->inner, ahead.n.inner);
	add(&s->own, ahead.n.own);
	ahead.n.quick = ahead.n.answered = ahead.n.runs = ahead.n.inner = ahead.n.own = 0;
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++) {
		add(&s->proc[i].hits, ahead.n.proc[i].hits);
		add(&s->proc[i].misses, ahead.n.proc[i].misses);
		add(&s->proc[i].undone, ahead.n.proc[i].undone);
		add(&s->proc[i].runs, ahead.n.proc[i].runs);
		add(&s->proc[i].off, ahead.n.proc[i].off);
		bytes_zero(&ahead.n.proc[i], sizeof(ahead.n.proc[i]));
	}
}

static void *map(size_t size)
{
	long p = ahead_own(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);

	return p < 0 && p >= -4095 ? NULL : (void *)p;
}

int ahead_engine_make(void)
{
	int error;

	if (ahead.page)
		return 0;
	error = sysvm_init(ahead.vm, (enum sysvm_engine)ahead.set.engine);
	if (!error && sysvm_device_fd(ahead.vm) >= 0 && sysvm_device_fd(ahead.vm) < DEVICE_LOWEST) {
		sysvm_exit(ahead.vm);
		error = -EMFILE;
	}
	if (!error)
		error = sysvm_set_ahead(ahead.vm);
	if (error) {
		ahead_stop(SHIM_OFF_ENGINE);
		return error;
	}
	sysvm_trust(ahead.vm, ahead.staging, AHEAD_STAGING, 1);
	sysvm_trust(ahead.vm, ahead.path, AHEAD_PATH_MAX, 0);
	sysvm_trust(ahead.vm, ahead.kept, KEPT_BYTES, 0);
	sysvm_trust(ahead.vm, ahead.set.svp, ahead.set.svp_size, 0);
	directory_trust();
	sysvm_watch_signals(ahead.vm, &shim_signals);
	ahead.page = sysvm_page(ahead.vm);
	ahead.device_fd = sysvm_device_fd(ahead.vm);
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++)
		ahead.proc[i].defined = 0;
	return 0;
}

void ahead_engine_drop(void)
{
	if (ahead.page)
		sysvm_exit(ahead.vm);
	ahead.page = NULL;
	ahead.device_fd = -1;
}

static bool made_for_this(const struct svp_proc *p)
{
	const struct shim_settings *s = &ahead.set;

	return !p->exe.build_id_len || (p->exe.build_id_len == s->exe_build_id_len &&
					bytes_equal(p->exe.build_id, s->exe_build_id, s->exe_build_id_len));
}

int ahead_init(const struct shim_settings *settings)
{
	char message[128];
	uint32_t usable = 0;
	unsigned char *memory;
	size_t procs, counts, followers, size;
	int reason;

	ahead.set = *settings;
	ahead.strict = (uint8_t)settings->strict;
	ahead.q.age_ns = settings->age_ms * 1000000ull;
	if (svp_check(settings->svp, settings->svp_size, &ahead.svp, message, sizeof(message)))
		return ahead.off = SHIM_OFF_ENGINE;
	clock_init();
	if (!clock_works())
		return ahead.off = SHIM_OFF_ENGINE;

	procs = ahead.svp.nprocs * sizeof(*ahead.proc);
	counts = (ahead.svp.nprocs * sizeof(*ahead.n.proc) + 7) & ~7ull; /* what follows holds pointers */
	followers = ahead.svp.nfollowers * sizeof(*ahead.follower);
	size = PRIVATE_BYTES + ((sysvm_size() + procs + counts + followers + 4095) & ~4095ull);
	memory = map(size);
	if (!memory)
		return ahead.off = SHIM_OFF_ENGINE;
	/* Data that the application has read, and may have wiped, must not turn up in a core or in a child. */
	ahead_own(SYS_madvise, (uint64_t)memory, PRIVATE_BYTES, MADV_DONTDUMP, 0);
	ahead_own(SYS_madvise, (uint64_t)memory, PRIVATE_BYTES, MADV_WIPEONFORK, 0);
	ahead.staging = memory;
	ahead.path = (char *)memory + AHEAD_STAGING;
	ahead.kept = (char *)memory + AHEAD_STAGING + 4096;
	ahead.vm = (void *)(memory + PRIVATE_BYTES);
	ahead.n.proc = (void *)(memory + PRIVATE_BYTES + sysvm_size());
	ahead.proc = (void *)((unsigned char *)ahead.n.proc + counts);
	ahead.follower = (void *)((unsigned char *)ahead.proc + procs);

	for (uint32_t i = 0; i < ahead.svp.nprocs; i++) {
		const struct svp_proc *p = &ahead.svp.procs[i];

		ahead.proc[i].loop = svp_loop_of(&ahead.svp, i);
		if (!made_for_this(p) || (settings->strict && p->mode == SVP_LATE_CLOSE) || start_check(i)) {
			ahead.proc[i].off = 1;
			continue;
		}
		for (uint32_t t = 0; t < p->triggers; t++) {
			const struct svp_trigger *trigger = &ahead.svp.triggers[p->first_trigger + t];

			if (trigger->site.build_id_len)
				ahead.proc[i].site[t] = shim_resolve(&trigger->site);
			if (trigger->caller.build_id_len)
				ahead.proc[i].caller[t] = shim_resolve(&trigger->caller);
		}
		usable++;
	}
	if (!usable)
		return ahead.off = SHIM_OFF_DISABLED;
	directory_init();
	rules_init();
	if (!kept_init())
		return ahead.off = SHIM_OFF_ENGINE;
	reason = memory_init();
	stats_flush();
	return ahead.off = (uint8_t)reason;
}

/* --- the rules ------------------------------------------------------------------------------------------------ */

static bool named(enum svp_mode mode, const struct shim_call *c, uint32_t *number)
{
	for (uint32_t i = 0; i < ahead.svp.nprocs; i++) {
		const struct svp_proc *p = &ahead.svp.procs[i];

		if (p->mode != (uint32_t)mode || ahead.proc[i].off)
			continue;
		for (uint32_t t = 0; t < p->triggers; t++) {
			if (start_match(i, t, c)) {
				*number = i;
				return true;
			}
		}
	}
	return false;
}

static void hit(uint32_t number)
{
	ahead.n.answered++;
	ahead.n.proc[number].hits++;
}

/* Facts that are private to the descriptor, so nobody else can change the answer. */
static bool answer(struct shim_call *c)
{
	struct fd_fact *f = fact(c->arg[0]);
	uint32_t number;

	if (!f || !f->mine || !named(SVP_ANSWER, c, &number))
		return false;
	if (c->nr == SYS_ioctl && (uint32_t)c->arg[1] == TCGETS && f->kind == KIND_REGULAR)
		c->result = -ENOTTY;
	else if (c->nr == SYS_fcntl && (uint32_t)c->arg[1] == F_GETFL && !f->shared && f->getfl >= 0)
		c->result = f->getfl;
	else if (c->nr == SYS_fcntl && (uint32_t)c->arg[1] == F_GETFD)
		c->result = f->cloexec ? FD_CLOEXEC : 0;
	else if (c->nr == SYS_lseek && c->arg[1] == 0 && (uint32_t)c->arg[2] == SEEK_CUR && !f->shared &&
		 f->kind == KIND_REGULAR && f->position >= 0)
		c->result = f->position;
	else
		return false;
	hit(number);
	return true;
}

void close_oldest(void)
{
	int fd = ahead.late[0];

	/* Before the close: a handler must not close a number that is in use again. */
	ahead.late[0] = ahead.late[1];
	ahead.pending--;
	ahead_own(SYS_close, (uint64_t)fd, 0, 0, 0);
}

static void close_pending(void)
{
	while (ahead.pending)
		close_oldest();
}

static bool late_close(struct shim_call *c)
{
	struct fd_fact *f = fact(c->arg[0]);
	uint32_t number;

	if (ahead.strict || ahead.locks || !f || !f->mine || f->kind == KIND_UNKNOWN ||
	    !named(SVP_LATE_CLOSE, c, &number))
		return false;
	if (directory_survives_close((int)c->arg[0]))
		;
	else if (f->shared || directory_outstanding())
		log_take_back();
	else
		log_closed((int)c->arg[0]);
	if (ahead.pending == AHEAD_LATE)
		close_oldest();
	f->mine = 0;
	ahead.late[ahead.pending++] = (int)c->arg[0];
	c->result = 0;
	hit(number);
	return true;
}

/* The machine's descriptor is not the application's: whatever it does to that number, it is not there. */
static void own_descriptor(const struct shim_call *c)
{
	const struct sysvm_syscall_info *info;

	if (ahead.device_fd < 0)
		return;
	info = sysvm_syscall_by_nr((unsigned int)c->nr);
	for (unsigned int i = 0; info && i < info->nargs; i++)
		if (info->arg[i].kind == SYSVM_KIND_FD && (int)c->arg[i] == ahead.device_fd)
			ahead_engine_drop(); /* then the kernel itself says EBADF */
	if (c->nr == SYS_close_range ||
	    ((c->nr == SYS_dup2 || c->nr == SYS_dup3) && (int)c->arg[1] == ahead.device_fd))
		ahead_engine_drop();
}

/* The application's call has been made: c->result is what the kernel said. */
static void watch(struct shim_call *c)
{
	if (!rules_memory(c->nr)) {
		facts_after(c);
		return;
	}
	memory_after(c);
	if (c->nr == SYS_mmap && !(c->arg[3] & MAP_ANONYMOUS) && fact(c->arg[4]))
		fact(c->arg[4])->mine = fact(c->arg[4])->ours = 0;
}

static int make(struct shim_call *c, uint8_t rule)
{
	bool renew = ahead_has_room(c) && log_renewable();

	directory_news(c);
	if (rule & RULE_KEEP)
		kept_see(c);
	if (!renew)
		log_take_back();
	if (ahead.used) /* what is renewed is filled anew */
		log_wipe_used();
	if ((ahead.pending || renew) && (rule & RULE_RIDE) && ahead_has_room(c) && ride(c, renew)) {
		if (rule & RULE_WATCH)
			watch(c);
		return SHIM_ANSWERED;
	}
	log_take_back();
	close_pending();
	return rule & RULE_WATCH ? SHIM_WATCH : SHIM_FORWARD;
}

/* Late closes first, since the number that it gives depends on them. */
static int make_private(struct shim_call *c)
{
	if (!ahead.pending || !ahead_has_room(c) || !ride(c, false)) {
		close_pending();
		c->result = shim_syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
	}
	if (c->result < 0)
		log_take_back();
	watch(c);
	return SHIM_ANSWERED;
}

/* --relaxed=age: what is outstanding stays. Late closes come first all the same. */
static int make_keeping(struct shim_call *c, uint8_t rule)
{
	if (rule & RULE_KEEP)
		kept_see(c);
	if (ahead.pending && (rule & RULE_RIDE) && ahead_has_room(c) && ride(c, false)) {
		if (rule & RULE_WATCH)
			watch(c);
		return SHIM_ANSWERED;
	}
	close_pending();
	return rule & RULE_WATCH ? SHIM_WATCH : SHIM_FORWARD;
}

/* Which one in a row is it? */
static void count_streak(const struct shim_call *c)
{
	if (c->nr != SYS_fcntl) {
		ahead.streak = 0;
		return;
	}
	if ((uint32_t)c->arg[0] != ahead.streak_fd || (uint32_t)c->arg[1] != ahead.streak_cmd)
		ahead.streak = 0;
	ahead.streak_fd = (uint32_t)c->arg[0];
	ahead.streak_cmd = (uint32_t)c->arg[1];
	ahead.streak += ahead.streak < 255;
}

static int decide(struct shim_call *c)
{
	uint8_t rule = c->nr < AHEAD_CALLS ? ahead.rule[c->nr] : RULE_WATCH;

	count_streak(c);
	if (log_outstanding()) {
		if (!log_fresh())
			log_take_back();
		else if (log_serve(c))
			return SHIM_ANSWERED;
	}
	if (directory_outstanding() && !ahead_has_room(c))
		log_take_back(); /* the records too */
	if (directory_outstanding()) {
		int verdict = directory_decide(c, rule);

		if (verdict == SHIM_PRIVATE)
			return make_private(c);
		if (verdict >= 0)
			return verdict;
	}
	own_descriptor(c);
	if (log_outstanding() && ((rule & RULE_QUIET) || (c->nr == SYS_mmap && (c->arg[3] & MAP_ANONYMOUS))))
		return rule & RULE_WATCH ? SHIM_WATCH : SHIM_FORWARD;
	if ((rule & RULE_CLOSE) && late_close(c))
		return SHIM_ANSWERED;
	if ((rule & RULE_ANSWER) && answer(c))
		return SHIM_ANSWERED;
	if ((rule & RULE_TRIGGER) && ahead_has_room(c)) {
		for (uint32_t i = 0; i < ahead.svp.nprocs; i++) {
			const struct svp_proc *p = &ahead.svp.procs[i];

			if (p->mode != SVP_RUN_AHEAD || ahead.proc[i].off)
				continue;
			for (uint32_t t = 0; t < p->triggers; t++) {
				if (!start_match(i, t, c))
					continue;
				log_take_back();
				if (start_run(i, t, c)) {
					if (ahead.n.runs >= FLUSH_RUNS)
						stats_flush();
					return SHIM_ANSWERED;
				}
			}
		}
	}
	if ((rule & RULE_LOOK) && (log_outstanding() || directory_outstanding()))
		return make_keeping(c, rule);
	return make(c, rule);
}

/*
 * A handler that interrupted this code (busy_sp is set) makes its calls plainly. If it left by longjmp the mark is
 * stale: the next call comes from further up on the same stack.
 */
static bool nested(const struct shim_call *c)
{
	if (!ahead.q.busy_sp)
		return false;
	if (c->sp > ahead.q.busy_sp && ahead.q.busy_sp >= ahead.q.stack_low && c->sp < ahead.q.stack_high) {
		ahead.q.busy_sp = 0;
		return false;
	}
	return true;
}

/* With the table full, our descriptor may be the one too many: give it back and ask again. */
static bool asked_again(struct shim_call *c)
{
	if (c->result != -EMFILE || ahead.device_fd < 0)
		return false;
	ahead_engine_drop();
	c->result = shim_syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);
	return true;
}

static void keep_clear(const struct shim_call *c)
{
	const struct sysvm_syscall_info *info;

	if (ahead.device_fd < 0 || c->result < ahead.device_fd - DEVICE_ROOM || c->result > AHEAD_FDS)
		return;
	info = sysvm_syscall_by_nr((unsigned int)c->nr);
	if (info && (info->result == SYSVM_RESULT_FD || c->nr == SYS_fcntl))
		ahead_stop(SHIM_OFF_ENGINE);
}

int ahead_before(struct shim_call *c)
{
	int verdict;

	if (ahead.off)
		return SHIM_FORWARD;
	if (nested(c)) {
		log_take_back();
		close_pending();
		return SHIM_WATCH;
	}
	ahead.q.busy_sp = c->sp;
	__asm__ volatile("" : : : "memory"); /* the mark stands before anything is touched */
	verdict = decide(c);
	if (verdict == SHIM_ANSWERED) {
		if (asked_again(c))
			facts_after(c);
		keep_clear(c);
	}
	__asm__ volatile("" : : : "memory"); /* and until everything is */
	ahead.q.busy_sp = 0;
	return verdict;
}

void ahead_after(struct shim_call *c)
{
	if (ahead.off)
		return;
	asked_again(c);
	keep_clear(c);
	watch(c);
}

void ahead_settle(void)
{
	if (ahead.off)
		return;
	log_take_back();
	close_pending();
	facts_forget_all();
	listing_forget_all();
	stats_flush();
}

void ahead_stop(enum shim_reason reason)
{
	if (ahead.off)
		return;
	ahead_settle();
	ahead_engine_drop();
	ahead.off = (uint8_t)reason;
	add(&ahead.set.stats->off[reason & 15], 1);
}

void ahead_forked_child(void)
{
	if (ahead.off)
		return;
	ahead_engine_drop();
	kept_forget();
	ahead.q.busy_sp = 0;
}
