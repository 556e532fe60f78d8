// SPDX-License-Identifier: GPL-2.0
/*
 * A walk over a tree as du makes it, from inside the kernel: each call by the module's own dispatch, without
 * a crossing, and each part of it timed by the processor's counter.
 *
 * What user space would keep - buffers, names, results - lies in memory of this kernel, which is user memory
 * to its calls (um.patch). Each level of the tree has a buffer of its own, as a program would.
 */
#include <linux/dcache.h>
#include <linux/delay.h>
#include <linux/dirent.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/task_work.h>
#include <linux/vmalloc.h>
#include <asm/unistd.h>

#include "context.h"
#include "dispatch.h"
#include "tree.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"
#include "walk.h"

#define LEVELS 24
#define BUFFER 65536
#define RECORDS 262144 /* as large as a procedure's staging area may be */
#define OPEN_FLAGS (O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_DIRECTORY)

struct level {
	int fd;
	long bytes, at;
	char *buffer;
	size_t path_len;
};

struct walker {
	struct pt_regs regs;
	struct sysvm_thread_page thread; /* as a thread's that mapped one; only its env is used */
	struct sysvm_page *page;
	struct level levels[LEVELS];
	char path[PATH_MAX];
	char *records, *paths;
	u64 seq;
	u64 files_device; /* st_dev of what is no directory: on overlayfs another than theirs; 0: not known
			     yet */
	struct walk_times *times;
};

static u64 now(void)
{
	u32 low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return low | (u64)high << 32;
}

static __always_inline long call(struct walker *w, unsigned int index, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	w->regs.di = a;
	w->regs.si = b;
	w->regs.dx = c;
	w->regs.r10 = d;
	w->regs.r8 = e;
	return sysvm_dispatch(&w->regs, index);
}

#define CALL5(w, name, a, b, c, d, e)                                                                        \
	call(w, SYSVM_CALL_##name, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e))
#define CALL(w, name, a, b, c, d) CALL5(w, name, a, b, c, d, 0)

void walk_back_to_user(void)
{
	clear_thread_flag(TIF_NOTIFY_RESUME);
	sysvm_run_task_work();
	cond_resched();
}

static u64 add(struct walker *w, enum walk_part part, u64 since)
{
	u64 took = now() - since;

	if (tree_is_ours(took, 1)) {
		w->times->cycles[part] += took;
		w->times->times[part]++;
	}
	return now();
}

static unsigned int class_of(unsigned int names)
{
	unsigned int class = 0;

	while (names > 1 && class < WALK_CLASSES - 1) {
		names /= 2;
		class ++;
	}
	return class;
}

static bool is_dot(const struct linux_dirent64 *entry)
{
	const char *name = entry->d_name;

	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

#define for_each_entry(entry, level)                                                                         \
	for (entry = (void *)(level)->buffer; (char *)entry < (level)->buffer + (level)->bytes;              \
	     entry = (void *)entry + entry->d_reclen)

/* Once in a walk, of its first file. */
static u64 files_device(struct walker *w, const struct level *level)
{
	const struct linux_dirent64 *entry;
	struct stat *found = (struct stat *)w->records;

	for_each_entry(entry, level)
	{
		if (entry->d_type != DT_REG)
			continue;
		CALL(w, newfstatat, level->fd, entry->d_name, found, AT_SYMLINK_NOFOLLOW);
		return found->st_dev;
	}
	return 0;
}

/* The registers: programs/loop.txt. */
static u64 run_program(struct walker *w, const struct walk_program *program, struct level *level,
		       unsigned int names)
{
	struct sysvm_program what = {.code = program->code, .starts = program->starts, .len = program->len};
	struct sysvm_page *page = w->page;
	u64 start, took;
	long restart;
	u32 status;

	page->reg[1] = level->fd;
	page->reg[2] = (u64)level->buffer; /* and the end */
	page->reg[3] = (u64)level->buffer + level->bytes;
	page->reg[4] = (u64)w->records;
	page->reg[5] = 0;
	page->reg[6] = ((struct stat *)w->records)->st_dev; /* fstat's, of the directory */
	if (!w->files_device)
		w->files_device = files_device(w, level);
	page->reg[7] = w->files_device;
	page->fuel = SYSVM_FUEL_MAX;
	w->thread.env.deadline = jiffies + 100 * HZ;
	w->seq++;
	start = now();
	for (;;) {
		status = sysvm_execute(page, &what, 0, w->seq, &w->thread.env, &restart);
		if (status != SYSVM_YIELD)
			break;
		walk_back_to_user();
	}
	took = now() - start;
	if (status != SYSVM_DONE || page->reg[5] != names) {
		if (!w->times->unlike)
			pr_info("walk: %s at byte %u, error %d, %llu of %u names\n",
				sysvm_status_name(status), page->pc, page->error, page->reg[5], names);
		w->times->unlike++;
	}
	return took;
}

static long by_path(struct walker *w, enum walk_way way, const char *path)
{
	char *out = w->records;
	long ret = 0;

	if (way == WALK_LIST || way == WALK_STATX)
		ret = CALL5(w, statx, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
			    STATX_BASIC_STATS & ~STATX_BLOCKS, out);
	if (way == WALK_LSTAT)
		ret = CALL(w, newfstatat, AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
	if (way == WALK_LIST || way == WALK_LGETXATTR)
		ret |= CALL(w, lgetxattr, path, "security.selinux", out + 256, 255) != -ENODATA;
	if (way == WALK_LIST || way == WALK_GETXATTR)
		ret |= CALL(w, getxattr, path, "system.posix_acl_access", NULL, 0) != -ENODATA;
	return ret;
}

static u64 run_calls(struct walker *w, enum walk_way way, struct level *level)
{
	const struct linux_dirent64 *entry;
	char *path = w->paths;
	u64 start, took;
	long bad = 0;

	if (way >= WALK_LIST && way <= WALK_LSTAT) {
		for_each_entry(entry, level)
		{
			if (is_dot(entry))
				continue;
			memcpy(path, w->path, level->path_len);
			path[level->path_len] = '/';
			path = strcpy(path + level->path_len + 1, entry->d_name);
			path += strlen(path) + 1;
		}
		*path = 0;
		start = now();
		for (path = w->paths; *path; path += strlen(path) + 1)
			bad |= by_path(w, way, path);
		took = now() - start;
	} else {
		start = now();
		for_each_entry(entry, level) if (!is_dot(entry) && way == WALK_SEPARATE) bad |=
			CALL(w, newfstatat, level->fd, entry->d_name, w->records, AT_SYMLINK_NOFOLLOW);
		took = now() - start;
	}
	w->times->unlike += !!bad;
	return took;
}

/* Opens, reads and asks about the names of a directory. */
static int enter(struct walker *w, struct level *level, int parent, const char *name, enum walk_way way,
		 const struct walk_program *program)
{
	struct linux_dirent64 *entry;
	unsigned int names = 0;
	u64 at, took;
	long got;

	at = now();
	level->fd = CALL(w, openat, parent, name, OPEN_FLAGS, 0);
	if (level->fd < 0)
		return level->fd;
	at = add(w, WALK_OPENAT, at);
	CALL(w, fstat, level->fd, w->records, 0, 0);
	at = add(w, WALK_FSTAT, at);
	CALL(w, fcntl, level->fd, F_GETFL, 0, 0);
	at = add(w, WALK_FCNTL, at);
	level->bytes = CALL(w, getdents64, level->fd, level->buffer, BUFFER / 2, 0);
	if (level->bytes < 0)
		return level->bytes;
	at = add(w, WALK_GETDENTS, at);
	got = CALL(w, getdents64, level->fd, level->buffer + level->bytes, BUFFER / 2, 0);
	add(w, WALK_GETDENTS_END, at);
	w->times->unlike += got != 0; /* no directory of ours is as large */
	level->at = 0;

	for_each_entry(entry, level) names += !is_dot(entry);
	took = way == WALK_PROGRAM ? run_program(w, program, level, names) : run_calls(w, way, level);
	if (names && tree_is_ours(took, names)) {
		w->times->cycles[WALK_NAMES] += took;
		w->times->times[WALK_NAMES] += names;
		w->times->class_cycles[class_of(names)] += took;
		w->times->class_names[class_of(names)] += names;
	}
	w->times->names += names;
	w->times->directories++;
	return 0;
}

static void leave(struct walker *w, struct level *level)
{
	u64 at = now();

	CALL(w, close, level->fd, 0, 0, 0);
	walk_back_to_user();
	add(w, WALK_CLOSE, at);
}

/* The next name in a directory that is a directory, or NULL. */
static const char *next_directory(struct level *level)
{
	while (level->at < level->bytes) {
		struct linux_dirent64 *entry = (void *)level->buffer + level->at;

		level->at += entry->d_reclen;
		if (entry->d_type == DT_DIR && !is_dot(entry))
			return entry->d_name;
	}
	return NULL;
}

static int walk_levels(struct walker *w, enum walk_way way, const struct walk_program *program)
{
	struct level *level = w->levels;
	const char *name;
	int ret;

	level->path_len = strlen(w->path);
	ret = enter(w, level, AT_FDCWD, w->path, way, program);
	if (ret)
		return ret;
	while (level >= w->levels) {
		cond_resched();
		name = next_directory(level);
		if (!name) {
			leave(w, level--);
			continue;
		}
		if (level + 1 == w->levels + LEVELS)
			return -E2BIG;
		w->path[level->path_len] = '/';
		strcpy(w->path + level->path_len + 1, name);
		level[1].path_len = level->path_len + 1 + strlen(name);
		ret = enter(w, level + 1, level->fd, name, way, program);
		if (ret)
			return ret;
		level++;
	}
	return 0;
}

int walk(const char *top, enum walk_way way, const struct walk_program *program, struct walk_times *times)
{
	struct walker *w = vzalloc(sizeof(*w) + LEVELS * BUFFER + RECORDS * 2);
	unsigned int i;
	int ret;

	if (!w)
		return -ENOMEM;
	w->page = (void *)get_zeroed_page(GFP_KERNEL);
	for (i = 0; i < LEVELS; i++)
		w->levels[i].buffer = (char *)(w + 1) + i * BUFFER;
	w->records = (char *)(w + 1) + LEVELS * BUFFER;
	w->paths = w->records + RECORDS;
	w->thread.env.regs = &w->regs;
	w->times = times;
	strscpy(w->path, top, sizeof(w->path));
	memset(times, 0, sizeof(*times));
	times->ns = ktime_get_ns();
	times->all_cycles = now();
	ret = walk_levels(w, way, program);
	times->all_cycles = now() - times->all_cycles;
	times->ns = ktime_get_ns() - times->ns;
	free_page((unsigned long)w->page);
	vfree(w);
	return ret;
}
