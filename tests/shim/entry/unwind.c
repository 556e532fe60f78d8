// SPDX-License-Identifier: MIT
/*
 * Single-steps through calls and unwinds at every instruction: main must be reached from each, also in a
 * slot, in shim_entry and below. A debugger, a profiler and pthread_cancel see such places.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

static uintptr_t main_low, main_high;
static unsigned long steps, lost;
static int stepping;

struct walk {
	int frames, reached;
};

static _Unwind_Reason_Code frame(struct _Unwind_Context *context, void *data)
{
	struct walk *w = data;
	uintptr_t ip = _Unwind_GetIP(context);

	if (ip >= main_low && ip < main_high)
		w->reached = 1;
	return ++w->frames < 40 && !w->reached ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void trap(int s, siginfo_t *i, void *context)
{
	ucontext_t *u = context;
	struct walk w = { 0, 0 };

	(void)s;
	(void)i;
	if (!stepping) {
		u->uc_mcontext.gregs[REG_EFL] &= ~0x100;
		return;
	}
	steps++;
	_Unwind_Backtrace(frame, &w);
	if (!w.reached && lost++ < 5) {
		Dl_info info = { 0 };
		uintptr_t ip = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];

		dladdr((void *)ip, &info);
		printf("lost at %s+%#lx, %d frames\n", info.dli_fname ? info.dli_fname : "?",
		       ip - (uintptr_t)info.dli_fbase, w.frames);
	}
}

#define STEP_ON() \
	(stepping = 1, ({ __asm__ volatile("pushf; orq $0x100, (%%rsp); popf" : : : "cc", "memory"); }))

int main(void)
{
	struct sigaction a = { .sa_sigaction = trap, .sa_flags = SA_SIGINFO };
	struct walk warm = { 0, 0 };
	char b[16];
	pid_t parent;
	int fd;

	extern char after_main[];
	main_low = (uintptr_t)main;
	main_high = (uintptr_t)after_main;
	_Unwind_Backtrace(frame, &warm);
	sigaction(SIGTRAP, &a, NULL);
	STEP_ON();
	parent = getppid();
	fd = open("/etc/passwd", O_RDONLY);
	if (read(fd, b, 4) != 4 || lseek(fd, 0, SEEK_SET) != 0)
		lost++;
	close(fd);
	stepping = 0;
	printf("%s, %lu lost\n", steps > 50 ? "stepped" : "not stepped", lost);
	return lost != 0 || parent <= 0;
}
__asm__(".text\n.globl after_main\nafter_main:\n");
