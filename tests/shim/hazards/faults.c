// SPDX-License-Identifier: MIT
/*
 * A collector's write barrier: pages are protected and opened by an own SIGSEGV handler. A system call into
 * such a page gets EFAULT and no signal; so must a call that is answered.
 */
#include "hazard.h"

static volatile sig_atomic_t faults;
static char *heap;

static void barrier(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	faults++;
	if ((char *)info->si_addr < heap || (char *)info->si_addr >= heap + 4 * 4096)
		_exit(9);
	mprotect((void *)((uintptr_t)info->si_addr & ~4095ul), 4096, PROT_READ | PROT_WRITE);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = barrier, .sa_flags = SA_SIGINFO }, old;
	struct stat *st;
	int fd;

	enter(argc, argv);
	make_text("data", "data\n");
	MUST(sigaction(SIGSEGV, &sa, NULL) == 0 && sigaction(SIGBUS, &sa, NULL) == 0);
	MUST(sigaction(SIGSEGV, NULL, &old) == 0);
	say("own handler", old.sa_sigaction == barrier);
	heap = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 5; i++) {
		MUST(mprotect(heap, 4 * 4096, PROT_READ) == 0);
		fd = open("data", O_RDONLY);
		st = (struct stat *)(heap + 4096);
		errno = 0;
		say("fstat into a protected page", fstat(fd, st));
		errno = 0;
		say("read into a protected page", read(fd, heap, 100));
		say("faults", faults);
		heap[0] = 1; /* the barrier opens this page */
		say("faults", faults);
		say("read into it now", read(fd, heap, 100));
		close(fd);
	}
	return 0;
}
