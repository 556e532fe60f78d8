// SPDX-License-Identifier: GPL-2.0
/*
 * What this kernel is booted for, in place of a first program: mounts the file systems, makes trees, walks
 * them in every way in turn, prints what each walk took, and switches itself off.
 *
 * A line for each walk: WALK file-system state way pass, then name=value; bench/kernel/measure reads them.
 */
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/init_syscalls.h>
#include <linux/kernel_read_file.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <uapi/linux/mount.h>

#include "grow.h"
#include "walk.h"

static unsigned int walk_directories = 2000;
module_param(walk_directories, uint, 0444);
static unsigned int walk_passes = 5;
module_param(walk_passes, uint, 0444);
static char *walk_programs = "";
module_param(walk_programs, charp, 0444); /* a folder of the host */

/* Some are only for the composition of whole programs' times, and asked once: hot files of ext4 without
 * locality. */
static const struct {
	const char *name;
	enum walk_way way;
	bool everywhere;
} ways[] = {
	{"separate", WALK_SEPARATE, true},    {"list", WALK_LIST, true},
	{"nothing", WALK_NOTHING, false},     {"statx", WALK_STATX, false},
	{"lgetxattr", WALK_LGETXATTR, false}, {"getxattr", WALK_GETXATTR, false},
	{"lstat", WALK_LSTAT, false},
};

/* Byte code, each as a way of its own; what there is no file of is left out. */
static const struct {
	const char *way, *file;
	const char *ahead; /* of the wide operations: how many names are looked up ahead */
} programs[] __initconst = {
	{"loop", "loop", NULL},
	{"wide", "wide", "16"},
	{"wide_without_prefetch", "wide", "0"},
	{"wide_list", "wide-list", "16"},
};
static struct walk_program *loaded[ARRAY_SIZE(programs)] __initdata;

static const char *const classes[WALK_CLASSES] __initconst = {"1", "2", "4", "8", "16", "32", "64"};
static const char *const parts[WALK_PARTS] __initconst = {
	"openat", "fstat", "fcntl", "getdents", "getdents_end", "names", "close",
};

static struct walk_program *__init load(const char *name)
{
	struct walk_program *program = vzalloc(sizeof(*program));
	char path[128], message[160];
	void *code = NULL;
	ssize_t got;
	u32 at;

	if (!program)
		return NULL;
	snprintf(path, sizeof(path), "/programs/%s.code", name);
	got = kernel_read_file_from_path(path, 0, &code, sizeof(program->code), NULL, READING_UNKNOWN);
	if (got <= 0) {
		vfree(program);
		return NULL;
	}
	memcpy(program->code, code, got);
	vfree(code);
	program->len = got;
	if (sysvm_verify(program->code, got, program->starts, &at, message, sizeof(message))) {
		pr_err("WALK program %s: %s\n", name, message);
		vfree(program);
		return NULL;
	}
	return program;
}

/* false: the module has no such parameter. */
static bool __init set(const char *parameter, const char *value)
{
	struct file *file = filp_open(parameter, O_WRONLY, 0);
	loff_t at = 0;
	bool done;

	if (IS_ERR(file))
		return false;
	done = kernel_write(file, value, strlen(value), &at) > 0;
	filp_close(file, NULL);
	walk_back_to_user();
	return done;
}

static bool __init set_ahead(const char *names)
{
	return set("/sys/module/sysvm/parameters/wide", "Y") &&
	       set("/sys/module/sysvm/parameters/ahead", names);
}

static void __init report(const char *fs, const char *state, const char *way, unsigned int pass,
			  const struct walk_times *t)
{
	char line[900];
	int n = 0;
	unsigned int i;

#define NS(cycles) ((cycles)*t->ns / t->all_cycles)
	for (i = 0; i < WALK_PARTS; i++)
		n += scnprintf(line + n, sizeof(line) - n, " %s=%llu/%llu", parts[i], NS(t->cycles[i]),
			       t->times[i]);
	for (i = 0; i < WALK_CLASSES; i++)
		n += scnprintf(line + n, sizeof(line) - n, " of%s=%llu/%llu", classes[i],
			       NS(t->class_cycles[i]), t->class_names[i]);
	pr_info("WALK %s %s %s %u directories=%llu met=%llu unlike=%llu ns=%llu%s\n", fs, state, way, pass,
		t->directories, t->names, t->unlike, t->ns, line);
}

static void __init measure(const char *fs, const char *state, const char *top, bool every_way)
{
	static struct walk_times times __initdata;
	unsigned int pass, i;

	/* Once before: buffers, and in a fresh state the names themselves. */
	walk(top, WALK_SEPARATE, NULL, &times);
	for (pass = 0; pass < walk_passes; pass++) {
		for (i = 0; i < ARRAY_SIZE(ways); i++) {
			if (!every_way && !ways[i].everywhere)
				continue;
			if (walk(top, ways[i].way, NULL, &times))
				pr_err("WALK %s cannot be walked\n", top);
			report(fs, state, ways[i].name, pass, &times);
		}
		for (i = 0; i < ARRAY_SIZE(programs); i++) {
			if (!loaded[i] || (programs[i].ahead && !set_ahead(programs[i].ahead)))
				continue;
			walk(top, WALK_PROGRAM, loaded[i], &times);
			report(fs, state, programs[i].way, pass, &times);
		}
	}
}

static int __init mounted(const char *what, const char *where, const char *type, const char *options)
{
	char *data = kstrdup(options, GFP_KERNEL); /* cut to pieces by the mount */
	int ret = data ? init_mount(what, where, type, MS_RELATIME, data) : -ENOMEM;

	if (ret)
		pr_err("WALK mount of %s: %d\n", where, ret);
	kfree(data);
	return ret;
}

/* Nothing of the file system is in memory afterwards. */
static void __init again(void)
{
	init_umount("/disk", 0);
	mounted("/ubda", "/disk", "ext4", "");
}

static void __init all(void)
{
	if (walk_programs[0] && !mounted("none", "/programs", "hostfs", walk_programs)) {
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(programs); i++)
			loaded[i] = load(programs[i].file);
	}
	mounted("none", "/sys", "sysfs", "");
	if (mounted("none", "/memory", "tmpfs", "size=90%"))
		return;
	if (!grow("/memory/tree", walk_directories, false))
		measure("tmpfs", "fresh", "/memory/tree", false);
	init_umount("/memory", 0);
	if (mounted("none", "/memory", "tmpfs", "size=90%"))
		return;
	if (!grow("/memory/tree", walk_directories, true))
		measure("tmpfs", "scattered", "/memory/tree", false);
	init_umount("/memory", 0);

	if (mounted("/ubda", "/disk", "ext4", "") || grow("/disk/tree", walk_directories, false))
		return;
	again();
	measure("ext4", "fresh", "/disk/tree", false);
	again();
	if (!scatter("/disk/tree", walk_directories))
		measure("ext4", "scattered", "/disk/tree", true);
	if (mounted("none", "/memory", "tmpfs", ""))
		return;
	init_mkdir("/memory/upper", 0755);
	init_mkdir("/memory/work", 0755);
	again();
	if (mounted("none", "/over", "overlay", "lowerdir=/disk,upperdir=/memory/upper,workdir=/memory/work"))
		return;
	if (!scatter("/over/tree", walk_directories))
		measure("overlay", "scattered", "/over/tree", false);
}

static int __init sysvm_walk_boot(void)
{
	init_mkdir("/disk", 0755);
	init_mkdir("/memory", 0755);
	init_mkdir("/over", 0755);
	init_mkdir("/programs", 0755);
	init_mkdir("/sys", 0755);
	init_mknod("/ubda", S_IFBLK | 0600, new_encode_dev(MKDEV(98, 0)));
	/* As a program's: what closes a file leaves the rest of it to the way back to user space. */
	current->flags &= ~PF_KTHREAD;
	all();
	current->flags |= PF_KTHREAD;
	pr_info("WALK end\n");
	kernel_power_off();
	return 0;
}
late_initcall_sync(sysvm_walk_boot);
