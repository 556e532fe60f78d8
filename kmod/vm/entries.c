// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * stat_entries and statx_entries: what `ls -l` and `du` do with a directory, one call for each name, as one
 * instruction. To the program it is the loop that it would have written: the same calls in the same order,
 * each with its own record. What makes one instruction better than a loop is up to the engine: the user
 * engine makes the separate calls; the module has a shorter path for most names (sysvm_env_entry) and makes
 * the call itself for all others.
 *
 * All state that passes from one name to the next is in the program's registers, which are written when a
 * name is done. So the instruction can stop before any name as between two calls, for fuel, time, a signal or
 * a filter, and resume there. Each register is read once for each name, for another thread may write to it;
 * dirents and records are the program's memory, and nothing of them is believed but what was read.
 *
 * Does not look for the end of a name: the call does, as ever.
 * Tested by tests/cases/entries.case on every engine, tests/vm/ and tests/fuzz/engines/.
 */
#include <linux/errno.h>

#include "entries.h"
#include "opcodes.h"
#include "../uapi/syscalls.h"

enum operand { RESULT, DIRECTORY, FLAGS, ENTRY, END, WINDOW, RECORD, LIMIT, DEVICE, DEVICE2, MASK };

#define NOT_MADE 0x8000000000000000ull
#define KIND_OF(mode) ((mode) & 0170000) /* S_IFMT */
#define DIRECTORY_KIND 0040000

/* struct linux_dirent64 from its ninth byte on, as far as the shortest one goes. */
#define DIRENT_TAIL 16
#define DIRENT_NAME 19
#define DIRENT_SHORTEST 24
struct dirent_tail {
	__u16 length;
	__u8 type;
	char name[5];
};

struct entries {
	struct sysvm_env *env;
	SYSVM_ARGS *args;
	volatile __u64 *r;
	const __u8 *reg; /* which register each operand is */
	struct sysvm_entries_imm imm;
	bool x; /* statx */
};

static inline __u64 get(const struct entries *e, enum operand operand)
{
	return e->r[e->reg[operand]];
}

static inline void set(const struct entries *e, enum operand operand, __u64 value)
{
	e->r[e->reg[operand]] = value;
}

static inline bool is_left_out(const char *name, unsigned int skip)
{
	if (!skip || name[0] != '.')
		return false;
	return skip == 2 || !name[1] || (name[1] == '.' && !name[2]);
}

static inline int put(const struct entries *e, __u64 address, __u64 value)
{
	return sysvm_env_store(e->env, address, &value, sizeof(value));
}

/* What the structure at this address says. Its two numbers of a device are put together as st_dev is. */
static int read_shown(const struct entries *e, __u64 out, struct sysvm_entry *shown)
{
	__u32 numbers[2];
	__u16 mode;

	if (!e->x)
		return sysvm_env_load(e->env, out, &shown->device, 8) ||
		       sysvm_env_load(e->env, out + 24, &shown->mode, 4);
	if (sysvm_env_load(e->env, out + 0x1c, &mode, 2) || sysvm_env_load(e->env, out + 0x88, numbers, 8))
		return 1;
	shown->device = (numbers[1] & 0xff) | (__u64)numbers[0] << 8 | (__u64)(numbers[1] & ~0xffu) << 12;
	shown->mode = mode;
	return 0;
}

static void set_arguments(const struct entries *e, __u64 name, __u64 out)
{
	sysvm_put_arg(e->args, 0, get(e, DIRECTORY));
	sysvm_put_arg(e->args, 1, name);
	if (e->x) {
		sysvm_put_arg(e->args, 2, get(e, FLAGS));
		sysvm_put_arg(e->args, 3, get(e, MASK));
		sysvm_put_arg(e->args, 4, out);
	} else {
		sysvm_put_arg(e->args, 2, out);
		sysvm_put_arg(e->args, 3, get(e, FLAGS));
	}
}

/* The call and its record; with result 0 the name's device and mode. What stops it is in env->stop. */
static long make(const struct entries *e, struct sysvm_entry *name, __u64 record)
{
	struct sysvm_env *env = e->env;
	__u64 out = record + 8 + 8 * e->imm.followers;
	unsigned int i;
	bool made;
	long result;

	if (put(e, record, name->entry))
		goto fault;
	for (i = 1; i < e->imm.followers; i++)
		if (put(e, record + 8 + 8 * i, NOT_MADE))
			goto fault;
	set_arguments(e, name->entry + DIRENT_NAME, out);
	made = sysvm_env_entry(env, name, &result);
	if (!made) {
		result = sysvm_env_call(env, e->args, name->call, &env->stop);
		if (SYSVM_UNLIKELY(SYSVM_MAY_HAVE_STOPPED(result, env->stop)) && env->stop)
			return result;
	}
	env->calls++;
	if (put(e, record + 8, (__u64)result))
		goto fault;
	if (result || made || !read_shown(e, out, name))
		return result;
fault:
	env->stop = SYSVM_FAULT;
	return 0;
}

/* Name by name, until there is a reason to end, which is returned, or env->stop is set. */
static long each(const struct entries *e, struct sysvm_entry *name, __u64 *fuel)
{
	struct sysvm_env *env = e->env;
	bool first = true;

	for (;; first = false) {
		__u64 entry = get(e, ENTRY), end = get(e, END);
		__u64 window = get(e, WINDOW), record = get(e, RECORD);
		struct dirent_tail tail;
		__u32 kind = 0;
		long result;

		if (entry >= end)
			return SYSVM_ENTRIES_ALL;
		if (!window || record >= get(e, LIMIT))
			return SYSVM_ENTRIES_FULL;
		if (end - entry < DIRENT_SHORTEST)
			return SYSVM_ENTRIES_BAD;
		if (!first) { /* The first is the instruction's own. */
			if (SYSVM_UNLIKELY(!(*fuel)--))
				env->stop = SYSVM_FUEL;
			else
				env->stop = sysvm_env_poll(env);
			if (SYSVM_UNLIKELY(env->stop))
				return 0;
		}
		if (sysvm_env_load(env, entry + DIRENT_TAIL, &tail, sizeof(tail))) {
			env->stop = SYSVM_FAULT;
			return 0;
		}
		if (tail.length < DIRENT_SHORTEST || tail.length > end - entry)
			return SYSVM_ENTRIES_BAD;
		if (is_left_out(tail.name, e->imm.skip)) {
			set(e, ENTRY, entry + tail.length);
			continue;
		}
		name->entry = entry;
		name->next = entry + tail.length;
		name->end = end;
		name->most = window;
		result = make(e, name, record);
		if (SYSVM_UNLIKELY(env->stop))
			return result;
		if (!result) {
			kind = KIND_OF(name->mode);
			if (name->device != get(e, DEVICE) &&
			    (name->device != get(e, DEVICE2) || kind == DIRECTORY_KIND))
				return SYSVM_ENTRIES_ELSEWHERE;
		}
		set(e, ENTRY, name->next);
		set(e, WINDOW, window - 1);
		set(e, RECORD, record + e->imm.stride);
		if (kind && e->imm.kinds >> (kind >> 12) & 1)
			return kind;
	}
}

long sysvm_entries(struct sysvm_env *env, SYSVM_ARGS *args, volatile __u64 *r, const __u8 *at, __u64 *fuel)
{
	const bool x = at[1] == (SYSVM_OP_STATX_ENTRIES & 0xff);
	const __u8 *imm = at + 2 + (x ? SYSVM_REGS_ENTRIES_X : SYSVM_REGS_ENTRIES);
	const struct entries e = {
		.env = env,
		.args = args,
		.r = r,
		.reg = at + 2,
		.imm = {imm[0] | imm[1] << 8, imm[2], imm[3], imm[4] | imm[5] << 8},
		.x = x,
	};
	struct sysvm_entry name = {
		.call = &sysvm_call_ops[SYSVM_OP_CALL_FULL + (x ? SYSVM_CALL_statx : SYSVM_CALL_newfstatat)],
		.kinds = e.imm.kinds,
	};
	long result = each(&e, &name, fuel);

	sysvm_env_entries_end(env);
	if (!env->stop)
		set(&e, RESULT, (__u64)result);
	return result;
}
