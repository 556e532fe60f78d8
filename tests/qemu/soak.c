// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once, for as long as it is told: generations of a process with 8 threads that run programs
 * and check what they get, under timers at 1 kHz, with forks, a tracer that attaches and leaves, a seccomp
 * filter for all threads in mid-run, and an end that is an exit or SIGKILL at a random point.
 *
 *   guest_soak SECONDS      prints what it did; exit status 0 if no result was wrong
 *
 * What the kernel has left over is looked at by tests/qemu/soak.sh. No target of make check.
 */
#include "harness.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#define THREADS 8

static const char text[] = "0123456789abcdef";
static char path[64];
static volatile uint64_t signals_seen;
static volatile int filtered;

/* Shared with the parent: what the generations did. */
static struct {
	uint64_t runs, fallbacks, stops, wrong, forks, generations, killed, traced;
} *done;

static void add(uint64_t *what)
{
	__atomic_add_fetch(what, 1, __ATOMIC_RELAXED);
}

static void on_signal(int signal)
{
	(void)signal;
	signals_seen++;
}

static void wrong(const char *what, long long got)
{
	if (__atomic_add_fetch(&done->wrong, 1, __ATOMIC_RELAXED) < 20)
		printf("wrong: %s %lld\n", what, got);
}

static uint32_t define_reader(struct machine *m, struct stat *st, char *buffer)
{
	struct program *p = calloc(1, sizeof(*p));
	struct sysvm_define d = { 0 };
	char message[100] = "";
	uint32_t loop;

	set(p, 1, AT_FDCWD);
	set(p, 2, (uintptr_t)path);
	set(p, 4, (uintptr_t)st);
	set(p, 5, (uintptr_t)buffer);
	set(p, 6, sizeof(text));
	set(p, 10, 20);
	loop = p->len;
	CALL(p, openat, 20, 1, 2, 3, 3);
	CALL(p, fstat, 21, 20, 4);
	CALL(p, read, 22, 20, 5, 6);
	CALL(p, close, 23, 20);
	EMIT(p, SYSVM_OP_ADDI, 10, 10, 0xff, 0xff, 0xff, 0xff);
	EMIT(p, SYSVM_OP_JNZ, 10);
	int16_t back = (int16_t)(loop - (p->len + 2));
	emit(p, &back, 2);
	finish(p);
	d.code = (uintptr_t)p->code;
	d.code_len = p->len;
	d.message = (uintptr_t)message;
	d.message_len = sizeof(message);
	if (ioctl(m->fd, SYSVM_IOC_DEFINE, &d)) {
		printf("%s\n", message);
		wrong("define, errno", errno);
	}
	free(p);
	return d.proc;
}

static void *work(void *shared)
{
	struct machine m = { .fd = *(int *)shared };
	char buffer[32] = "";
	struct stat st;
	uint32_t proc;

	m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	if (m.page == MAP_FAILED)
		return NULL;
	proc = define_reader(&m, &st, buffer);
	for (unsigned int round = 0;; round++) {
		int ret;

		memset(buffer, 0, sizeof(buffer));
		m.page->fuel = SYSVM_FUEL_MAX;
		ret = machine_enter(&m, proc, ++m.seq);
		while (!ret && (m.page->status == SYSVM_YIELD || m.page->status == SYSVM_SIGNAL)) {
			add(&done->stops);
			ret = machine_resume(&m);
		}
		add(&done->runs);
		if (ret) {
			wrong("entry", ret);
		} else if (m.page->status == SYSVM_FALLBACK) {
			add(&done->fallbacks);
			/*
			 * Half of the work may be done: a descriptor may be open. The plain calls go on from
			 * there.
			 */
			if (m.page->pc && m.page->reg[20] < 1000 && (int64_t)m.page->reg[23])
				continue;
			if (filtered)
				usleep(1000);
			for (int fd = 40; fd < 400; fd++)
				close(fd);
		} else if (m.page->status != SYSVM_DONE) {
			wrong("status", m.page->status);
		} else if (st.st_size != sizeof(text) || m.page->reg[22] != sizeof(text) ||
			   memcmp(buffer, text, sizeof(text))) {
			wrong("content, read", m.page->reg[22]);
		}
		if (round % 64 == 0) { /* a page of its own again */
			munmap(m.page, SYSVM_PAGE_SIZE);
			m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
			if (m.page == MAP_FAILED)
				wrong("mmap, errno", errno);
			ioctl(m.fd, SYSVM_IOC_UNDEFINE, &proc);
			proc = define_reader(&m, &st, buffer);
		}
	}
	return NULL;
}

static void *fork_again_and_again(void *unused)
{
	for (;;) {
		int status;
		pid_t pid = fork();

		(void)unused;
		if (!pid) {
			struct machine m = { .fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC) };
			struct program p = { 0 };

			if (m.fd < 0)
				_exit(0);
			m.page = mmap(NULL, SYSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
			CALL(&p, getpid, 1);
			finish(&p);
			if (m.page != MAP_FAILED && !machine_run(&m, &p) && m.page->status == SYSVM_DONE &&
			    m.page->reg[1] != (uint64_t)getpid())
				_exit(9);
			_exit(0);
		}
		if (pid < 0)
			continue;
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		add(&done->forks);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
			wrong("getpid of a child", 9);
		usleep(5000);
	}
}

static void filter_all(void)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog filter = { 1, code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	filtered = 1;
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
}

static void generation(unsigned int seed, unsigned int ms)
{
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct timespec pause = { ms / 2000, ms / 2 % 1000 * 1000000L };
	int fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
	pthread_t thread;

	if (fd < 0)
		_exit(1);
	sigaction(SIGALRM, &action, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, work, &fd);
	pthread_create(&thread, NULL, fork_again_and_again, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (nanosleep(&pause, &pause) < 0)
		;
	if (seed % 3 == 0)
		filter_all();
	pause = (struct timespec){ ms / 2000, ms / 2 % 1000 * 1000000L };
	while (nanosleep(&pause, &pause) < 0)
		;
	_exit(0);
}

/* Comes and goes; the traced process is stopped and let go on, with all its signals. */
static void trace_for_a_while(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD))
		return;
	ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	for (int i = 0; i < 50; i++) {
		if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
			return;
		if (i == 49)
			break;
		ptrace(i % 2 ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0,
		       WSTOPSIG(status) & 0x80 || status >> 16 ? 0 : WSTOPSIG(status));
		usleep(200);
		if (i == 48)
			ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	}
	ptrace(PTRACE_DETACH, pid, 0, WSTOPSIG(status) & 0x80 || status >> 16 ? 0 : WSTOPSIG(status));
	add(&done->traced);
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	unsigned int seed = 1;
	int fd;

	setvbuf(stdout, NULL, _IONBF, 0);
	done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(path, sizeof(path), "/tmp/soak-%d", getpid());
	fd = open(path, O_CREAT | O_RDWR, 0600);
	CHECK_EQ(write(fd, text, sizeof(text)), sizeof(text));
	while (time(NULL) < end && !done->wrong) {
		unsigned int ms = 300 + seed * 7919 % 1500;
		pid_t pid = fork();
		int status;

		if (!pid)
			generation(seed, ms);
		add(&done->generations);
		usleep(ms * 300);
		if (seed % 2)
			trace_for_a_while(pid);
		if (seed % 5 < 2) {
			usleep(seed * 104729 % 400000);
			kill(pid, SIGKILL);
			add(&done->killed);
		}
		while (waitpid(pid, &status, __WALL) >= 0 && !WIFEXITED(status) && !WIFSIGNALED(status))
			ptrace(PTRACE_DETACH, pid, 0, 0);
		seed++;
	}
	printf("runs %llu fallbacks %llu stops %llu forks %llu generations %llu killed %llu traced %llu "
	       "wrong %llu\n",
	       (unsigned long long)done->runs, (unsigned long long)done->fallbacks,
	       (unsigned long long)done->stops, (unsigned long long)done->forks,
	       (unsigned long long)done->generations, (unsigned long long)done->killed,
	       (unsigned long long)done->traced, (unsigned long long)done->wrong);
	return done->wrong || done->runs < 100;
}
