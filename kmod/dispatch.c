// SPDX-License-Identifier: GPL-2.0
/*
 * The calls that the machine makes: one row for each call of uapi/syscalls.inc that has a call index, and no
 * others.
 *
 * Each row is a static call, bound once when the module is loaded to the kernel's own entry of that call
 * (__x64_sys_*, which take their arguments from a struct pt_regs). So an inner call is a tree of compares
 * (tree.awk) and a direct jump: no indirect branch that a program could train. A row whose function this
 * kernel does not have answers -ENOSYS and is left out of what SYSVM_IOC_QUERY reports.
 *
 * A program decides which branches the kernel takes just before the call, which is what branch history
 * injection needs. Where the processor wants it the history is cleared first, by the kernel's own sequence.
 *
 * Does not decide whether a call may be made now: allow.c and boundary.c do.
 * Tested by tests/qemu/ (the case files on the kernel engine; test_calls.c, test_rules.c).
 */
#include <linux/module.h>
#include <linux/ptrace.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/sched/signal.h>
#include <linux/seccomp.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include <linux/task_work.h>
#include <linux/version.h>
#include <asm/cpufeature.h>

#include "judge.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

static bool clear_history;
module_param(clear_history, bool, 0444);
MODULE_PARM_DESC(clear_history,
		 "clear the branch history before each call even where the processor does not need it");

static long row_absent(const struct pt_regs *regs)
{
	return -ENOSYS;
}

static void nothing(void)
{
}

/*
 * Functions that the kernel does not export, by the kernel's own prototypes. Static calls, as the rows are:
 * on kernels with indirect branch tracking such a function may be sealed against indirect calls, and kCFI
 * compares types.
 */
#if defined(SYSVM_HAS_PERMIT_SYSCALL)
#define FILTERS "__seccomp_permit_syscall"
static bool nobody_to_ask(void)
{
	return false;
}

static_assert(__same_type(nobody_to_ask, __seccomp_permit_syscall));
#elif defined(SYSVM_HAS_SECURE_COMPUTING) && LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
#define FILTERS "__secure_computing"
static int nobody_to_ask(void)
{
	return -1;
}

static_assert(__same_type(nobody_to_ask, __secure_computing));
#else
#define FILTERS "__secure_computing"
static int nobody_to_ask(const struct seccomp_data *data)
{
	return -1;
}

#ifdef SYSVM_HAS_SECURE_COMPUTING
static_assert(__same_type(nobody_to_ask, __secure_computing));
#endif
#endif
DEFINE_STATIC_CALL(sysvm_filters, nobody_to_ask);

static struct callback_head *nothing_to_cancel(struct task_struct *task, task_work_func_t func)
{
	return NULL;
}

DEFINE_STATIC_CALL(sysvm_task_work_cancel, nothing_to_cancel);

/* rows.inc: SYSVM_ROW(call index, name, number), made from uapi/syscalls.inc by Kbuild. */
#define SYSVM_ROW(index, name, nr) DEFINE_STATIC_CALL(sysvm_row_##name, row_absent);
#include "rows.inc"
#undef SYSVM_ROW

DEFINE_STATIC_CALL(sysvm_task_work_run, nothing);
DEFINE_STATIC_CALL(sysvm_clear_bhb, nothing);
DEFINE_STATIC_KEY_FALSE(sysvm_needs_clearing); /* of the branch history, in one of the two ways below */

bool sysvm_can_judge;

static const struct row {
	const char *name;
	struct static_call_key *key;
	void *trampoline;
} rows[SYSVM_CALL_MAX] = {
#define SYSVM_ROW(index, name, nr)                                                                   \
	[index] = { #name, &STATIC_CALL_KEY(sysvm_row_##name), STATIC_CALL_TRAMP_ADDR(sysvm_row_##name) },
#include "rows.inc"
#undef SYSVM_ROW
};

static u64 bound[4]; /* bit i: the row with call index i; written at load only */
static bool needs_bhb_loop, needs_bhb_fence;

/* Calls whose function is not named after them. */
static const char *function_of(const char *name)
{
	static const char *const others[][2] = {
		{ "stat", "newstat" },	   { "fstat", "newfstat" },	   { "lstat", "newlstat" },
		{ "uname", "newuname" },   { "sendfile", "sendfile64" }, { "umount2", "umount" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(name, others[i][0]))
			return others[i][1];
	return name;
}

static void find_out_about_branch_history(void)
{
	needs_bhb_loop = clear_history;
	needs_bhb_fence = clear_history; /* A no-op where it is not known. */
#ifdef X86_FEATURE_CLEAR_BHB_LOOP
	needs_bhb_loop |= boot_cpu_has(X86_FEATURE_CLEAR_BHB_LOOP);
#endif
#ifdef X86_FEATURE_CLEAR_BHB_HW
	needs_bhb_fence |= boot_cpu_has(X86_FEATURE_CLEAR_BHB_HW);
#endif
}

int sysvm_dispatch_bind(void)
{
	enum { TASK_WORK_RUN = SYSVM_CALL_MAX, CLEAR_BHB_LOOP, FILTERS_ASKED, TASK_WORK_CANCEL, SYMBOLS };
	struct sysvm_symbol *symbols;
	unsigned int i;
	int ret;

	symbols = kvcalloc(SYMBOLS, sizeof(*symbols), GFP_KERNEL);
	if (!symbols)
		return -ENOMEM;
	for (i = 0; i < SYSVM_CALL_MAX; i++)
		if (rows[i].name)
			snprintf(symbols[i].name, sizeof(symbols[i].name), "__x64_sys_%s",
				 function_of(rows[i].name));
	strscpy(symbols[TASK_WORK_RUN].name, "task_work_run", sizeof(symbols[0].name));
	strscpy(symbols[CLEAR_BHB_LOOP].name, "clear_bhb_loop", sizeof(symbols[0].name));
	strscpy(symbols[FILTERS_ASKED].name, FILTERS, sizeof(symbols[0].name));
	strscpy(symbols[TASK_WORK_CANCEL].name, "task_work_cancel_func", sizeof(symbols[0].name));
	symbols[CLEAR_BHB_LOOP].kind = SYSVM_SYMBOL_NOT_PROBED;
	ret = sysvm_symbols_find(symbols, SYMBOLS);
	if (ret)
		goto out;

	for (i = 0; i < SYSVM_CALL_MAX; i++) {
		if (!rows[i].name)
			continue;
		if (!symbols[i].address) {
			pr_info("sysvm: no %s in this kernel\n", symbols[i].name);
			continue;
		}
		__static_call_update(rows[i].key, rows[i].trampoline, (void *)symbols[i].address);
		bound[i / 64] |= 1ULL << (i % 64);
	}
	/* Without it a program that closes a descriptor yields to user space, where this is done. */
	if (symbols[TASK_WORK_RUN].address)
		static_call_update(sysvm_task_work_run, (void *)symbols[TASK_WORK_RUN].address);

	if (symbols[FILTERS_ASKED].address && symbols[TASK_WORK_CANCEL].address) {
		static_call_update(sysvm_filters, (void *)symbols[FILTERS_ASKED].address);
		static_call_update(sysvm_task_work_cancel, (void *)symbols[TASK_WORK_CANCEL].address);
		sysvm_can_judge = true;
	} else {
		pr_info("sysvm: no " FILTERS " or task_work_cancel_func: seccomp=1 does nothing here\n");
	}

	find_out_about_branch_history();
	if (needs_bhb_loop || needs_bhb_fence)
		static_branch_enable(&sysvm_needs_clearing);
	if (needs_bhb_loop) {
		ret = -ENODEV;
		if (!symbols[CLEAR_BHB_LOOP].address) {
			pr_err("sysvm: clear_bhb_loop is needed, which this kernel does not have\n");
			goto out;
		}
		static_call_update(sysvm_clear_bhb, (void *)symbols[CLEAR_BHB_LOOP].address);
		ret = 0;
	}
out:
	kvfree(symbols);
	return ret;
}

unsigned int sysvm_dispatch_count(void)
{
	return hweight64(bound[0]) + hweight64(bound[1]) + hweight64(bound[2]) + hweight64(bound[3]);
}

void sysvm_dispatch_supported(u64 supported[4])
{
	memcpy(supported, bound, sizeof(bound));
}

void sysvm_run_task_work(void)
{
	static_call(sysvm_task_work_run)();
}

bool sysvm_filters_permit(void)
{
#if defined(SYSVM_HAS_PERMIT_SYSCALL)
	return static_call(sysvm_filters)();
#elif defined(SYSVM_HAS_SECURE_COMPUTING) && LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0)
	return !static_call(sysvm_filters)();
#else
	return !static_call(sysvm_filters)(NULL);
#endif
}

void sysvm_cancel_task_work(void (*func)(struct callback_head *work))
{
	static_call(sysvm_task_work_cancel)(current, func);
}

noinline void sysvm_clear_branch_history(void)
{
	if (needs_bhb_loop)
		static_call(sysvm_clear_bhb)();
	/*
	 * Indirect branch history fence: where the processor isolates user from kernel history, it isolates
	 * ours, too.
	 */
	if (needs_bhb_fence)
		asm volatile(".byte 0xf3, 0x48, 0x0f, 0x1e, 0xf8" ::: "memory");
}

/* The calls are its last act, so each is a jump. */
long sysvm_dispatch_row(struct pt_regs *regs, unsigned int index)
{
	/* Indices that no row has cannot come here: they have no opcode. */
#define SYSVM_LEAF(index, name) return static_call(sysvm_row_##name)(regs);
#include "tree.inc"
#undef SYSVM_LEAF
}

static long row_probe(const struct pt_regs *regs)
{
	return SYSVM_CALL_MAX;
}

/*
 * Does the tree lead each index to its own row? Each row in turn is bound to a probe and then back to what it
 * was. Returns the first index that does not find its probe, or -1.
 */
int __init sysvm_dispatch_find_stray(void)
{
	struct pt_regs regs = { 0 };
	int stray = -1;
	unsigned int i;

	for (i = 0; i < SYSVM_CALL_MAX && stray < 0; i++) {
		void *was;

		if (!rows[i].name)
			continue;
		was = rows[i].key->func;
		__static_call_update(rows[i].key, rows[i].trampoline, row_probe);
		if (sysvm_dispatch(&regs, i) != SYSVM_CALL_MAX)
			stray = i;
		__static_call_update(rows[i].key, rows[i].trampoline, was);
	}
	return stray;
}

/* The first index whose row leads into the middle of a function (symbol.c), or -1. */
int __init sysvm_dispatch_find_displaced(void)
{
	char text[128];
	unsigned int i;

	for (i = 0; i < SYSVM_CALL_MAX; i++) {
		if (!rows[i].name || !(bound[i / 64] & 1ULL << (i % 64)))
			continue;
		snprintf(text, sizeof(text), "%pS", rows[i].key->func);
		if (!strstr(text, "+0x0/"))
			return i;
	}
	return -1;
}

/* The codes by which a call asks for a restart are for the kernel's signal code, not for programs. */
long sysvm_after_error(struct sysvm_env *env, long result)
{
	switch (result) {
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
	case -ERESTARTNOHAND:
		if (signal_pending(current)) {
			env->stop = SYSVM_RESTART;
			return result;
		}
		return -EINTR; /* No signal is pending: nobody would turn the code into anything. */
	case -ERESTART_RESTARTBLOCK:
		return -EINTR; /* Its restart would not come back here. No row returns it. */
	}
	return result;
}

/* The program stops before the call. */
static long stopped(struct sysvm_env *env, u32 why)
{
	env->stop = why;
	return -ERESTARTNOINTR; /* looks like an error */
}

long sysvm_dispatch_slowly(struct sysvm_env *env, unsigned int index, u32 why)
{
	long result;

	if (why && why != SYSVM_JUDGED)
		return stopped(env, why);
	switch (sysvm_allow(index, env->regs)) {
	case SYSVM_ALLOWED:
		break;
	case SYSVM_NOT_A_DESCRIPTOR:
		return -EBADF;
	case SYSVM_NOT_HERE:
		return stopped(env, SYSVM_FALLBACK);
	}
	if (why) {
		u32 verdict = 0;

		if (!sysvm_judge(env, &result, &verdict))
			return verdict ? stopped(env, verdict) : sysvm_after_error(env, result);
	}
	result = sysvm_after_error(env, sysvm_dispatch(env->regs, index));
	switch (index) {
	case SYSVM_CALL_close:
	case SYSVM_CALL_dup2:
	case SYSVM_CALL_dup3:
		sysvm_boundary_after_close();
	}
	return result;
}
