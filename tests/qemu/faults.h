/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Fault injection: the Nth allocation of this thread from now on fails. Needs a kernel with
 * CONFIG_FAULT_INJECTION (scripts/kasan-kernel).
 */
#ifndef SYSVM_TESTS_QEMU_FAULTS_H
#define SYSVM_TESTS_QEMU_FAULTS_H

#include "harness.h"

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(write(fd, text, strlen(text)) > 0);
	close(fd);
}

static int fail_nth;
static unsigned int failures;

static inline void faults_ready(void)
{
	write_file("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	write_file("/sys/kernel/debug/failslab/verbose", "0");
	write_file("/sys/kernel/debug/fail_page_alloc/verbose", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	CHECK(fail_nth >= 0);
}

static inline void arm(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	CHECK_EQ(pwrite(fail_nth, text, len, 0), len);
}

/* How many allocations more it would have taken. */
static inline int left(void)
{
	char text[16] = "";

	CHECK(pread(fail_nth, text, sizeof(text) - 1, 0) > 0);
	return atoi(text);
}

/* True if the allocation that was to fail did. */
static inline bool disarm(void)
{
	bool failed = !left();

	arm(0);
	failures += failed;
	return failed;
}

#endif
