// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation of a load of the module, made to fail, one after the other. What must come out is a load
 * that is refused with nothing left behind, or one that is complete: all calls there, and gone again when it
 * is removed. kmemleak and the sanitizers look at the rest.
 *
 * Begins where the kernel's own loader is done: a load with a bad parameter ends before the module has
 * allocated anything, and says how many that took.
 *
 *   guest_faults_load [STEP]    where the calls are looked up, one after the other and all in the same way,
 *                               only each STEPth allocation fails: a load takes seconds there (1)
 *
 * Needs a kernel with fault injection (scripts/kasan-kernel). Leaves the module loaded as it was.
 */
#include "faults.h"

#include <sys/klog.h>

#define MANY 1000000
#define SLACK 20 /* a load takes a few more or less than the one before */

static int module;
static char selftest[200]; /* the test run's own parameters, and selftest=1 */

static int load(const char *parameters)
{
	return syscall(SYS_finit_module, module, parameters, 0);
}

static void unload(void)
{
	CHECK_EQ(syscall(SYS_delete_module, "sysvm", O_NONBLOCK), 0);
}

/* Calls that the loaded module has. */
static int calls(void)
{
	struct sysvm_query query;
	int fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC), n = 0;

	CHECK(fd >= 0);
	CHECK_EQ(ioctl(fd, SYSVM_IOC_QUERY, &query), 0);
	for (int i = 0; i < 4; i++)
		n += __builtin_popcountll(query.supported[i]);
	close(fd);
	return n;
}

static void expect_nothing_left(int n)
{
	static const char *const places[] = { "/dev/sysvm", "/sys/module/sysvm", "/sys/kernel/debug/sysvm",
					      "/sys/class/misc/sysvm", "/sys/kernel/tracing/events/sysvm" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (access(places[i], F_OK) == 0)
			FAIL("allocation %d of the load failed, and so did the load, but %s is there", n,
			     places[i]);
}

static int incomplete, refused;

/*
 * Some failures the kernel tells with a backtrace, which run.py would take for a complaint. So the console is
 * kept quiet meanwhile, and what the kernel complains of is looked for here.
 */
enum { READ_AND_CLEAR = 4, CONSOLE_LEVEL = 8 };

static void expect_no_complaint(int n)
{
	static const char *const complaints[] = {
		"WARNING:",	      "BUG:",	   "KASAN", "UBSAN", "Oops", "suspicious RCU",
		"locking dependency", "corruption"
	};
	static char log[1 << 20];
	int len = klogctl(READ_AND_CLEAR, log, sizeof(log) - 1);

	CHECK(len >= 0);
	log[len] = 0;
	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++)
		if (strstr(log, complaints[i]))
			FAIL("allocation %d of the load failed, and the kernel says:\n%s", n, log);
}

/* How many allocations a load takes. */
static int allocations_of(const char *parameters)
{
	int taken;

	arm(MANY);
	CHECK_EQ(load(parameters), 0);
	taken = MANY - left();
	arm(0);
	unload();
	return taken;
}

/* Loads with the nth allocation failing. False: it takes fewer. */
static bool load_without(int n, const char *parameters, int all)
{
	int ret, error, got;
	bool failed;

	arm(n);
	ret = load(parameters);
	error = errno;
	failed = disarm();
	if (ret && (!failed || error != ENOMEM))
		FAIL("allocation %d of the load %s: the load ended with errno %d (%s), expected ENOMEM", n,
		     failed ? "failed" : "did not fail", error, strerror(error));
	if (ret) {
		printf("without allocation %d: refused\n", n);
		refused++;
	} else {
		got = calls();
		if (got != all) {
			printf("without allocation %d: the module has %d of its %d calls\n", n, got, all);
			incomplete++;
		}
		unload();
	}
	expect_nothing_left(n);
	expect_no_complaint(n);
	return failed;
}

int main(int argc, char **argv)
{
	const char *parameters = getenv("SYSVM_PARAMETERS") ?: "";
	int step = argc > 1 ? atoi(argv[1]) : 1;
	int first, last, all;

	setvbuf(stdout, NULL, _IONBF, 0);
	module = open(getenv("SYSVM_MODULE") ?: "sysvm.ko", O_RDONLY | O_CLOEXEC);
	CHECK(module >= 0 && step > 0);
	faults_ready();
	write_file("/sys/kernel/rcu_expedited", "1"); /* each load waits for readers */
	all = calls();
	unload();
	CHECK_EQ(klogctl(CONSOLE_LEVEL, NULL, 1), 0);

	arm(MANY);
	CHECK_FAILS(load("mode=04777"), EINVAL);
	first = MANY - left();
	arm(0);
	last = allocations_of(parameters);
	printf("a load takes %d allocations, the loader's own are some %d of them\n", last, first);
	for (int n = first - SLACK; n <= first + SLACK; n++)
		load_without(n, parameters, all);
	for (int n = first + SLACK + 1; n <= last - SLACK; n += step)
		load_without(n, parameters, all);

	/* The selftest takes long, and allocates among the last. */
	snprintf(selftest, sizeof(selftest), "%s selftest=1", parameters);
	for (int n = last - SLACK + 1; load_without(n, selftest, all); n++)
		;
	printf("%d of %u loads refused\n", refused, failures);
	CHECK_EQ(load(parameters), 0);
	CHECK_EQ(klogctl(CONSOLE_LEVEL, NULL, 5), 0);
	write_file("/sys/kernel/rcu_expedited", "0");
	CHECK_EQ(incomplete, 0);
	/* most are made up for: by vmalloc, or by a probe of the plain kind */
	CHECK(refused && failures > 2 * SLACK);
	return 0;
}
