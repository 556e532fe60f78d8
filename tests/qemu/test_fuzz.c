// SPDX-License-Identifier: GPL-2.0
/*
 * Random pages: what is in them is anybody's, so whatever they hold the kernel answers with a status and is
 * well afterwards (the console is looked at by run.py). Half of the pages are noise, half are made of real
 * instructions with random operands, most of which the verifier accepts. The seed is printed (SYSVM_FUZZ_SEED
 * repeats it); a page that does harm is the one whose number is on the last line.
 *
 * Calls that would end, block or bend the test itself (a wait on a socket, a lower limit, a truncated log)
 * are left out of what it makes. The rest run for real, so it runs in a namespace and a folder of its own.
 */
#include "harness.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#define PAGES 20000
#define SECONDS 12

#define ARENA 65536

static uint64_t state;
static uint8_t *arena; /* the only good address that programs know: they write to it as well */

static uint32_t random32(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

static uint64_t random_value(void)
{
	static const uint64_t interesting[] = { 0, 1, 2, 3, 4, 8, 4096, -1, -100, 0x7fffffff, 0x80000000,
						0xffffffff, 0xffffffff81000000, 0x7ffffffff000,
						0x8000000000000000 };

	switch (random32() % 4) {
	case 0:
		return interesting[random32() % (sizeof(interesting) / sizeof(interesting[0]))];
	case 1:
		return random32() % 64;
	case 2:
		return (uint64_t)random32() << 32 | random32();
	}
	return (uintptr_t)arena + random32() % ARENA;
}

/* Calls that wait, that change what the test stands on, or that fill the disk. */
static bool is_left_out(unsigned int index)
{
	switch (index) {
	case SYSVM_CALL_munmap:
	case SYSVM_CALL_mmap:
	case SYSVM_CALL_madvise:
	case SYSVM_CALL_prlimit64:
	case SYSVM_CALL_epoll_wait:
	case SYSVM_CALL_fallocate:
	case SYSVM_CALL_flock:
	case SYSVM_CALL_mprotect:
	case SYSVM_CALL_mremap:
	case SYSVM_CALL_brk:
	case SYSVM_CALL_accept:
	case SYSVM_CALL_recvmmsg:
		return true;
	}
	return false;
}

static uint32_t random_program(uint8_t *code, uint32_t room)
{
	uint32_t len = 0;

	for (;;) {
		uint8_t bytes[16] = { 0 };
		uint32_t size;

		for (uint32_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = random32() % 8 ? random32() % 16 : random32();
		/* Most calls may fail and the program goes on: what comes later is worth reaching. */
		bytes[0] = random32() % 3 ? SYSVM_OP_GOON : 0x03 + random32() % 0x93;
		if (bytes[0] == SYSVM_OP_GOON)
			sysvm_put_call_op(bytes + 1, random32() % 175);
		bool prefix = bytes[0] == SYSVM_OP_GOON;
		unsigned int op = sysvm_op_at(bytes, sizeof(bytes), prefix);
		if (op >= SYSVM_OP_CALL_FULL && is_left_out(sysvm_call_ops[op].index))
			continue;
		size = sysvm_insn_size(op) + prefix;
		/* a short way, often an instruction's start */
		if (bytes[0] >= SYSVM_OP_JMP && bytes[0] <= SYSVM_OP_JBE) {
			int16_t distance = random32() % 4 ? 0 : (int)(random32() % 60) - 40;

			memcpy(bytes + size - 2, &distance, 2);
		}
		if (size <= prefix || len + size + 1 > room)
			break;
		memcpy(code + len, bytes, size);
		len += size;
		if (random32() % 40 == 0)
			break;
	}
	code[len++] = SYSVM_OP_END;
	return len;
}

static void fill(struct sysvm_page *page)
{
	uint8_t *bytes = (uint8_t *)page;
	bool noise = random32() % 2;

	for (int i = 0; i < SYSVM_NREGS; i++)
		page->reg[i] = random_value();
	if (noise) {
		for (int i = 0; i < SYSVM_HEADER_SIZE; i++)
			bytes[i] = random32();
		for (int i = 0; i < SYSVM_PAGE_CODE_MAX; i++)
			page->code[i] = random32();
		page->code_len = random32() % 3000;
		return;
	}
	page->fuel = 1 + random32() % 2000;
	page->code_len = random_program(page->code, 16 + random32() % 400);
}

static void a_stray_signal(int signal)
{
	(void)signal;
}

static void enter_own_world(void)
{
	struct itimerval timer = { { 0, 20000 }, { 0, 20000 } };
	struct sigaction action = { .sa_handler = a_stray_signal };

	CHECK_EQ(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS), 0);
	CHECK_EQ(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	CHECK_EQ(mount("fuzz", "/mnt", "tmpfs", 0, "size=16m"), 0);
	CHECK_EQ(chdir("/mnt"), 0);
	CHECK_EQ(mkdir("root", 0755), 0);
	CHECK_EQ(chroot("root"), 0);
	for (int fd = 0; fd < 3; fd++) /* not the report */
		CHECK_EQ(dup2(open("/log", O_CREAT | O_RDWR, 0600), fd), fd);
	/* What waits is woken again and again. */
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	CHECK_EQ(sigaction(SIGPIPE, &action, NULL), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void random_pages_do_no_harm(void)
{
	struct machine m = machine_open();
	unsigned int outcomes[16] = { 0 }, other = 0, pages = 0;
	int log = fcntl(1, F_DUPFD_CLOEXEC, 900);
	uint64_t seed;
	time_t end = time(NULL) + SECONDS;

	seed = getenv("SYSVM_FUZZ_SEED") ? strtoull(getenv("SYSVM_FUZZ_SEED"), NULL, 0)
					 : (uint64_t)time(NULL) * 2654435761u ^ getpid();
	state = seed;
	dprintf(log, "seed %#llx\n", (unsigned long long)seed);
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(arena != MAP_FAILED);
	enter_own_world();
	for (; pages < PAGES && time(NULL) < end; pages++) {
		int ret;

		fill(m.page);
		ret = machine_enter(&m, random32() % 8 ? SYSVM_PROC_PAGE : random32(), 1 + random32() % 4);
		if (ret) {
			other++;
		} else {
			if (m.page->status >= 16) {
				dprintf(log, "page %u: status %u\n", pages, m.page->status);
				_exit(1);
			}
			outcomes[m.page->status]++;
		}
	}
	dprintf(log,
		"%u pages: done %u, error %u, fault %u, fuel %u, signal %u, invalid %u, arith %u, yield %u; "
		"not run %u\n",
		pages, outcomes[SYSVM_DONE], outcomes[SYSVM_ERROR], outcomes[SYSVM_FAULT],
		outcomes[SYSVM_FUEL], outcomes[SYSVM_SIGNAL], outcomes[SYSVM_INVALID], outcomes[SYSVM_ARITH],
		outcomes[SYSVM_YIELD], other);
	/* Enough of them, and not all refused at the door. */
	if (pages < 1000 || outcomes[SYSVM_DONE] + outcomes[SYSVM_ERROR] < pages / 20) {
		dprintf(log,
			"expected 1000 pages at least, a twentieth of them done or stopped by an error\n");
		_exit(1);
	}
}

static const struct test tests[] = {
	TEST(random_pages_do_no_harm),
};
TEST_MAIN(tests)
