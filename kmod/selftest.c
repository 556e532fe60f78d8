// SPDX-License-Identifier: GPL-2.0
/*
 * insmod sysvm.ko selftest=1: before anybody can open the device the module checks itself, as it was compiled
 * for this kernel: that the verifier accepts and refuses what it should, that each instruction does what
 * uapi/opcodes.inc says, that each call index leads to its own row and rows make the call they are named
 * after. If anything is wrong it does not load. The result is in the log and in
 * /sys/kernel/debug/sysvm/selftest.
 *
 * Most tests are outside, where they are easier to write (tests/qemu/). Here is what differs from kernel to
 * kernel and from compiler to compiler, and what cannot be seen from outside. A kernel thread does it: the
 * task that loads the module may have a tracer, a filter, or work that waits for its return to user space,
 * and any of them would stop a run. Where auditing or a tracepoint would have to see the calls of kernel
 * threads, too, these tests are left out, and the log says so.
 *
 * Tested by tests/qemu/selftest.sh.
 */
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "buckets.h"
#include "context.h"
#include "dispatch.h"
#include "kernel_env.h"
#include "selftest.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

static bool selftest;
module_param(selftest, bool, 0444);
MODULE_PARM_DESC(selftest,
		 "check verifier, instructions and calls before serving anybody; do not load if they fail");

struct sysvm_selftest_result sysvm_selftest_result;

#define KERNEL_ADDRESS (-1ull << 12)
#define OP(NAME) SYSVM_OP_##NAME
#define CALL_OP(name) (SYSVM_OP_CALL_FULL + SYSVM_CALL_##name)
#define SHORT_OP(name) (SYSVM_OP_CALL_SHORT + SYSVM_CALL_##name)

/* One program: from r2 and r3, r1 at the end. What the verifier refuses has status INVALID, at byte pc. */
struct check {
	const char *what;
	u8 code[12];
	u8 len;
	u8 status;
	u8 pc;
	u8 error;
	u64 r2, r3;
	u64 r1;
};

static const struct check checks[] __initconst = {
#define DOES(what_, r1_, r2_, r3_, len_, ...)                                                        \
	{ .what = what_, .code = { __VA_ARGS__, OP(END) }, .len = (len_) + 1, .status = SYSVM_DONE,  \
	  .pc = len_, .r1 = r1_, .r2 = r2_, .r3 = r3_ }
#define STOPS(what_, status_, pc_, error_, r2_, r3_, len_, ...)                                      \
	{ .what = what_, .code = { __VA_ARGS__, OP(END) }, .len = (len_) + 1, .status = status_,     \
	  .pc = pc_, .error = error_, .r2 = r2_, .r3 = r3_ }
#define REFUSED(what_, pc_, len_, ...)                                                               \
	{ .what = what_, .code = { __VA_ARGS__ }, .len = len_, .status = SYSVM_INVALID, .pc = pc_ }
	DOES("mov", 7, 7, 0, 3, OP(MOV), 1, 2),
	DOES("movi8", -2ull, 0, 0, 3, OP(MOVI8), 1, 0xfe),
	DOES("movi16", -2ull, 0, 0, 4, OP(MOVI16), 1, 0xfe, 0xff),
	DOES("movi32", -2ull, 0, 0, 6, OP(MOVI32), 1, 0xfe, 0xff, 0xff, 0xff),
	DOES("movi64", 0x0807060504030201, 0, 0, 10, OP(MOVI64), 1, 1, 2, 3, 4, 5, 6, 7, 8),
	DOES("data", 0x1000 + 0xfffe, 0, 0, 4, OP(DATA), 1, 0xfe, 0xff),
	DOES("add", 1, -1ull, 2, 4, OP(ADD), 1, 2, 3),
	DOES("sub", -1ull, 1, 2, 4, OP(SUB), 1, 2, 3),
	DOES("mul", 1, -1ull, -1ull, 4, OP(MUL), 1, 2, 3),
	DOES("div", 0x5555555555555555, -1ull, 3, 4, OP(DIV), 1, 2, 3),
	DOES("mod", 5, -1ull, 10, 4, OP(MOD), 1, 2, 3),
	DOES("and", 8, 12, 10, 4, OP(AND), 1, 2, 3),
	DOES("or", 14, 12, 10, 4, OP(OR), 1, 2, 3),
	DOES("xor", 6, 12, 10, 4, OP(XOR), 1, 2, 3),
	DOES("shl", 4, 1, 66, 4, OP(SHL), 1, 2, 3),
	DOES("shr", 1ull << 61, 1ull << 63, 66, 4, OP(SHR), 1, 2, 3),
	DOES("sar", 7ull << 61, 1ull << 63, 2, 4, OP(SAR), 1, 2, 3),
	DOES("addi", 1, 3, 0, 7, OP(ADDI), 1, 2, 0xfe, 0xff, 0xff, 0xff),
	DOES("andi", 0xf0 | 0xffull << 56, 0xf5 | 0xffull << 56, 0, 7,
	     OP(ANDI), 1, 2, 0xf0, 0xff, 0xff, 0xff),
	DOES("jmp over", 0, 0, 0, 6, OP(JMP), 3, 0, OP(MOVI8), 1, 1),
	DOES("jz taken", 0, 0, 0, 7, OP(JZ), 2, 3, 0, OP(MOVI8), 1, 1),
	DOES("jz not taken", 1, 9, 0, 7, OP(JZ), 2, 3, 0, OP(MOVI8), 1, 1),
	DOES("jnz taken", 0, 9, 0, 7, OP(JNZ), 2, 3, 0, OP(MOVI8), 1, 1),
	DOES("jneg taken", 0, -1ull, 0, 7, OP(JNEG), 2, 3, 0, OP(MOVI8), 1, 1),
	DOES("jpos not taken", 1, -1ull, 0, 7, OP(JPOS), 2, 3, 0, OP(MOVI8), 1, 1),
	DOES("jeq not taken", 1, 1, 2, 8, OP(JEQ), 2, 3, 3, 0, OP(MOVI8), 1, 1),
	DOES("jne taken", 0, 1, 2, 8, OP(JNE), 2, 3, 3, 0, OP(MOVI8), 1, 1),
	DOES("jlt is signed", 0, -1ull, 1, 8, OP(JLT), 2, 3, 3, 0, OP(MOVI8), 1, 1),
	DOES("jle is signed", 1, 1, -1ull, 8, OP(JLE), 2, 3, 3, 0, OP(MOVI8), 1, 1),
	DOES("jb is unsigned", 1, -1ull, 1, 8, OP(JB), 2, 3, 3, 0, OP(MOVI8), 1, 1),
	DOES("jbe is unsigned", 0, 1, -1ull, 8, OP(JBE), 2, 3, 3, 0, OP(MOVI8), 1, 1),
	STOPS("division by zero", SYSVM_ARITH, 0, 0, 1, 0, 4, OP(DIV), 1, 2, 3),
	STOPS("load of a kernel address", SYSVM_FAULT, 0, EFAULT, KERNEL_ADDRESS, 0, 5, OP(LD64), 1, 2, 0, 0),
	STOPS("store to a kernel address", SYSVM_FAULT, 0, EFAULT, KERNEL_ADDRESS, 0, 5,
	      OP(ST64), 2, 3, 0, 0),
	STOPS("a loop without end", SYSVM_FUEL, 0, 0, 0, 0, 3, OP(JMP), 0xfd, 0xff),
	STOPS("an error", SYSVM_ERROR, 0, EBADF, -1ull, 0, 3, CALL_OP(close), 4, 2),
	DOES("an error after goon", -EBADF, -1ull, 0, 4, OP(GOON), CALL_OP(close), 1, 2),
	REFUSED("no code", 0, 0, 0),
	REFUSED("an unknown opcode", 0, 2, 0, OP(END)),
	REFUSED("an instruction that is cut off", 0, 2, OP(MOV), 1),
	REFUSED("a jump into an instruction", 0, 4, OP(JMP), 0xfe, 0xff, OP(END)),
	REFUSED("a jump past the end", 0, 4, OP(JMP), 1, 0, OP(END)),
	REFUSED("goon before no call", 1, 3, OP(GOON), OP(END), OP(END)),
	REFUSED("no end", 0, 3, OP(MOV), 1, 2),
	REFUSED("an extended opcode without a row", 0, 4, SYSVM_OP_EXTENDED, 0xff, 0, OP(END)),
};

static void __init count(bool passed, const char *what, u32 status, u32 at)
{
	sysvm_selftest_result.checks++;
	if (passed)
		return;
	sysvm_selftest_result.failed++;
	pr_err("sysvm: selftest: %s: %s at byte %u\n", what, sysvm_status_name(status), at);
}

struct machine {
	struct work_struct work;
	struct pt_regs regs;
	struct sysvm_env env;
	struct sysvm_program program;
	u8 starts[SYSVM_STARTS_SIZE(sizeof(checks[0].code))];
	struct sysvm_page *page;
	u64 seq;
};

/* Returns the status, which the page holds with the rest. */
static u32 __init run(struct machine *m, const u8 *code, u32 len)
{
	long restart;

	m->program.code = code;
	m->program.len = len;
	m->program.starts = m->starts;
	m->program.data_base = 0x1000;
	if (sysvm_verify(code, len, m->starts, &m->page->pc, NULL, 0))
		return SYSVM_INVALID;
	m->page->fuel = 100;
	m->env.regs = &m->regs;
	m->env.deadline = jiffies + 10 * HZ;
	return sysvm_execute(m->page, &m->program, 0, ++m->seq, &m->env, &restart);
}

static void __init check_programs(struct machine *m, bool judged)
{
	const struct check *c;

	for (c = checks; c < checks + ARRAY_SIZE(checks); c++) {
		u32 status;

		/* Calls and backward jumps, at which such a task stops, too. */
		if (judged && (c->error == EBADF || c->code[0] == OP(GOON) || c->status == SYSVM_FUEL))
			continue;
		m->page->reg[1] = 0;
		m->page->reg[2] = c->r2;
		m->page->reg[3] = c->r3;
		status = run(m, c->code, c->len);
		count(status == c->status && m->page->pc == c->pc &&
		      (status == SYSVM_INVALID || (m->page->error == c->error && m->page->reg[1] == c->r1)),
		      c->what, status, m->page->pc);
	}
}

/* Calls whose results the kernel knows from elsewhere. Both forms. */
static void __init check_calls(struct machine *m)
{
	const struct {
		const char *what;
		u8 full, brief;
		u64 result;
	} calls[] = {
#define CALL(name, result) { #name, CALL_OP(name), SHORT_OP(name), result }
		CALL(getpid, task_tgid_vnr(current)),
		CALL(gettid, task_pid_vnr(current)),
		CALL(getuid, from_kuid_munged(current_user_ns(), current_uid())),
		CALL(geteuid, from_kuid_munged(current_user_ns(), current_euid())),
#undef CALL
	};
	unsigned int i;
	u32 status;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		const u8 full[] = { calls[i].full, 1, OP(END) }, brief[] = { calls[i].brief, OP(END) };

		status = run(m, full, sizeof(full));
		count(status == SYSVM_DONE && m->page->reg[1] == calls[i].result, calls[i].what, status,
		      m->page->pc);
		status = run(m, brief, sizeof(brief));
		count(status == SYSVM_DONE && m->page->reg[0] == calls[i].result, calls[i].what, status,
		      m->page->pc);
	}
}

/* A resume point of a program that has stopped may have been written over. */
static void __init check_resume(struct machine *m)
{
	const u8 code[] = { OP(MOVI8), 1, 5, OP(JMP), 0xfd, 0xff, OP(END) };
	long restart;
	u32 status;

	status = run(m, code, sizeof(code));
	count(status == SYSVM_FUEL && m->page->pc == 3 && m->page->reg[1] == 5, "spent fuel", status,
	      m->page->pc);
	m->page->fuel = 100;
	m->page->pc = 4;
	status = sysvm_execute(m->page, &m->program, 0, m->seq, &m->env, &restart);
	count(status == SYSVM_INVALID, "a resume point inside an instruction", status, m->page->pc);
}

/* A table of one page is found by dentries that point into it, and none by dentries that do not. */
static void __init check_buckets(void)
{
	const unsigned int shift = 32 - PAGE_SHIFT + 3;
	struct sysvm_buckets *buckets = kcalloc(2, sizeof(*buckets), GFP_KERNEL);
	struct hlist_bl_node **table = (struct hlist_bl_node **)get_zeroed_page(GFP_KERNEL);
	struct dentry *dentry = kzalloc(sizeof(*dentry), GFP_KERNEL);
	u32 i, hash = 0;

	for (i = 0; buckets && table && dentry && i < 1000; i++) {
		hash = hash * 1664525 + 1013904223;
		dentry->d_name.hash = hash;
		dentry->d_hash.pprev = &table[hash >> shift];
		if (i % 4 == 3) /* It is not the first of its bucket. */
			dentry->d_hash.pprev = (struct hlist_bl_node **)dentry;
		if (!buckets[0].base)
			sysvm_buckets_learn(&buckets[0], dentry);
		dentry->d_hash.pprev = &table[hash * 77 >> shift];
		if (!buckets[1].base)
			sysvm_buckets_learn(&buckets[1], dentry);
	}
	count(buckets && buckets[0].base == (unsigned long)table && buckets[0].shift == shift,
	      "a table of dentries that is there", SYSVM_IDLE, 0);
	count(buckets && !buckets[1].base, "a table of dentries that is not there", SYSVM_IDLE, 0);
	kfree(dentry);
	free_page((unsigned long)table);
	kfree(buckets);
}

static void __init look(struct work_struct *work)
{
	struct machine *m = container_of(work, struct machine, work);
	/* As sysvm_env_look() sees it: such a task's calls are not made. */
	bool judged = READ_ONCE(current_thread_info()->syscall_work);

	check_programs(m, judged);
	check_buckets();
	count(sysvm_open(NULL, NULL) == -EPERM, "an open by a kernel thread", SYSVM_IDLE, 0);
	if (!judged) {
		check_resume(m);
		check_calls(m);
	}
	sysvm_selftest_result.skipped_calls = judged;
}

/* After the rows are bound. 0, or the error with which the load ends. */
int __init sysvm_selftest(void)
{
	struct machine *m;
	int stray;

	if (!selftest)
		return 0;
	m = kzalloc(sizeof(*m), GFP_KERNEL);
	if (!m)
		return -ENOMEM;
	m->page = (struct sysvm_page *)get_zeroed_page(GFP_KERNEL);
	if (!m->page) {
		kfree(m);
		return -ENOMEM;
	}
	INIT_WORK(&m->work, look);
	schedule_work(&m->work);
	flush_work(&m->work);
	free_page((unsigned long)m->page);
	kfree(m);
	stray = sysvm_dispatch_find_stray();
	count(stray < 0, "a call index that does not lead to its row", SYSVM_IDLE, stray);
	stray = sysvm_dispatch_find_displaced();
	count(stray < 0, "a row that leads into the middle of a function", SYSVM_IDLE, stray);
	pr_info("sysvm: selftest: %u checks, %u failed%s\n", sysvm_selftest_result.checks,
		sysvm_selftest_result.failed,
		sysvm_selftest_result.skipped_calls ? ", calls not tried: they are audited or traced" : "");
	return sysvm_selftest_result.failed ? -EIO : 0;
}
