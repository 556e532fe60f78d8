/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A sequence of calls made in two ways, plainly one by one, or as one program of the machine, so that a test
 * can say "equal" instead of repeating what the kernel does. The engine is the module's, or with
 * SYSVM_TEST_ENGINE=user the library's: the same tests hold for both.
 */
#ifndef SYSVM_TESTS_QEMU_WAYS_H
#define SYSVM_TESTS_QEMU_WAYS_H

#include "harness.h"

#include "libsysvm/sysvm.h"

#define MOST_STEPS 6
#define FIRST_RESULT 100 /* register */
#define NOT_MADE 0x4e4f54 /* a result that no call gives */

enum way { PLAINLY, IN_THE_MACHINE, WAYS };

struct step {
	unsigned int call; /* SYSVM_CALL_* */
	uint64_t args[6];
};

struct outcome {
	int64_t results[MOST_STEPS]; /* -errno; NOT_MADE behind the one that failed */
	int64_t other[8]; /* what else a test compares */
};

static inline bool with_user_engine(void)
{
	const char *name = getenv("SYSVM_TEST_ENGINE");

	return name && !strcmp(name, "user");
}

static inline struct sysvm_vm *new_machine(void)
{
	struct sysvm_vm *vm = aligned_alloc(64, sysvm_size());
	int err = vm ? sysvm_init(vm, with_user_engine() ? SYSVM_ENGINE_USER : SYSVM_ENGINE_KERNEL) : -ENOMEM;

	if (err)
		FAIL("sysvm_init: %s", strerror(-err));
	return vm;
}

static inline void load_into_page(struct sysvm_vm *vm, const struct program *p)
{
	CHECK(p->len <= SYSVM_PAGE_CODE_MAX);
	memcpy(sysvm_page(vm)->code, p->code, p->len);
	sysvm_page(vm)->code_len = p->len;
}

static inline void make_plainly(const struct step *steps, unsigned int n, struct outcome *out)
{
	for (unsigned int i = 0; i < n; i++) {
		const uint64_t *a = steps[i].args;
		long result = syscall(sysvm_syscall_by_index(steps[i].call)->nr, a[0], a[1], a[2], a[3], a[4],
				      a[5]);

		out->results[i] = result == -1 ? -errno : result;
		if (result == -1)
			break;
	}
}

static inline void make_in_the_machine(struct sysvm_vm *vm, const struct step *steps, unsigned int n,
				       struct outcome *out)
{
	struct program p = { 0 };
	uint32_t at[MOST_STEPS + 1];
	int err;

	for (unsigned int i = 0; i < n; i++) {
		uint8_t reg = 10 + 6 * i;

		at[i] = p.len;
		for (int a = 0; a < 6; a++)
			set(&p, reg + a, steps[i].args[a]);
		emit_call(&p, steps[i].call);
		EMIT(&p, FIRST_RESULT + i);
		for (unsigned int a = 0; a < sysvm_syscall_by_index(steps[i].call)->nargs; a++)
			EMIT(&p, reg + a);
		sysvm_page(vm)->reg[FIRST_RESULT + i] = NOT_MADE;
	}
	at[n] = p.len;
	finish(&p);
	load_into_page(vm, &p);
	err = sysvm_run_through(vm, SYSVM_PROC_PAGE, 1000);
	for (unsigned int i = 0; i < n; i++)
		out->results[i] = sysvm_page(vm)->reg[FIRST_RESULT + i];
	/* The kernel engine says it as the kernel does: the entry's own result. */
	for (unsigned int i = 0; i < n && err == -EINTR; i++)
		if (sysvm_page(vm)->pc >= at[i] && sysvm_page(vm)->pc < at[i + 1])
			out->results[i] = -EINTR;
	if (err != -EINTR &&
	    (err || (sysvm_page(vm)->status != SYSVM_DONE && sysvm_page(vm)->status != SYSVM_ERROR)))
		FAIL("run gave %d, status %u, pc %u, error %d", err, sysvm_page(vm)->status,
		     sysvm_page(vm)->pc, sysvm_page(vm)->error);
}

/* vm: NULL makes them plainly. */
static inline void make(struct sysvm_vm *vm, const struct step *steps, unsigned int n, struct outcome *out)
{
	for (int i = 0; i < MOST_STEPS; i++)
		out->results[i] = NOT_MADE;
	if (vm)
		make_in_the_machine(vm, steps, n, out);
	else
		make_plainly(steps, n, out);
}

static inline void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

static inline void expect_equal(const char *what, const struct outcome out[WAYS])
{
	for (int i = 0; i < MOST_STEPS; i++)
		if (out[PLAINLY].results[i] != out[IN_THE_MACHINE].results[i])
			FAIL("%s: call %d gave %lld in the machine, expected %lld as plainly", what, i,
			     (long long)out[IN_THE_MACHINE].results[i], (long long)out[PLAINLY].results[i]);
	for (int i = 0; i < 8; i++)
		if (out[PLAINLY].other[i] != out[IN_THE_MACHINE].other[i])
			FAIL("%s: other[%d] is %lld with the machine, expected %lld as without", what, i,
			     (long long)out[IN_THE_MACHINE].other[i], (long long)out[PLAINLY].other[i]);
}

/*
 * body in a process of its own for each way; the outcomes must be equal. vm is NULL for the plain one, which
 * has a descriptor where the other has the machine's.
 */
#define IN_BOTH_WAYS(what, body) \
	do { \
		struct outcome *outcomes_ = shared_memory(WAYS * sizeof(struct outcome)); \
		for (int way_ = 0; way_ < WAYS; way_++) \
			IN_CHILD({ \
				struct sysvm_vm *vm = way_ == PLAINLY ? NULL : new_machine(); \
				struct outcome *out = &outcomes_[way_]; \
				body; \
			}); \
		expect_equal(what, outcomes_); \
		munmap(outcomes_, WAYS * sizeof(struct outcome)); \
	} while (0)

#endif
