// SPDX-License-Identifier: GPL-2.0
/*
 * Every allocation that the module's entries make, made to fail, one after the other:
 * /proc/thread-self/fail-nth lets the Nth allocation of this thread fail, so N counts up until the operation
 * gets by without reaching it. What must come out is success or ENOMEM, and nothing may be left behind:
 * kmemleak and the sanitizers look at that. (Those of the load: faults_load.c.)
 *
 * Needs a kernel with fault injection (scripts/kasan-kernel). Prints how many allocations failed; 0 is a
 * failure.
 */
#include "faults.h"

#define WITH_EACH_FAILURE(statement, result, cleanup) \
	for (int n = 1;; n++) { \
		bool failed; \
		errno = 0; \
		arm(n); \
		statement; \
		failed = disarm(); \
		if ((long)(result) == -1) \
			CHECK(failed && (errno == ENOMEM || errno == EAGAIN)); \
		else \
			cleanup; \
		if (!failed) \
			break; \
	}

int main(void)
{
	struct machine m = { 0 };
	struct program p = { 0 };
	struct sysvm_define d = { 0 };
	static char message[100];
	void *page;
	int fd, ret;

	faults_ready();

	WITH_EACH_FAILURE(fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC), fd, close(fd));
	m.fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	CHECK(m.fd >= 0);
	WITH_EACH_FAILURE(page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0),
			  page, munmap(page, SYSVM_PAGE_SIZE));
	m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	CHECK(m.page != MAP_FAILED);

	for (int i = 0; i < 3000; i++) /* larger than a page: from vmalloc */
		EMIT(&p, SYSVM_OP_ADD, 1, 2, 3);
	CALL(&p, getpid, 1);
	finish(&p);
	d.code = (uintptr_t)p.code;
	d.code_len = p.len;
	d.message = (uintptr_t)message;
	d.message_len = sizeof(message);
	WITH_EACH_FAILURE(ret = ioctl(m.fd, SYSVM_IOC_DEFINE, &d), ret,
			  ioctl(m.fd, SYSVM_IOC_UNDEFINE, &d.proc));
	CHECK_EQ(ioctl(m.fd, SYSVM_IOC_DEFINE, &d), 0);
	WITH_EACH_FAILURE(m.page->fuel = 10000; m.page->status = SYSVM_IDLE; m.seq++;
			  ret = syscall(SYS_fadvise64, m.fd, m.seq, d.proc, SYSVM_ADVICE_RUN), ret,
			  CHECK(m.page->status == SYSVM_DONE || m.page->status == SYSVM_YIELD));
	printf("%u allocations failed\n", failures);
	CHECK(failures >= 6);
	return 0;
}
