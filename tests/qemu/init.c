/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The first and only process that the guest's kernel starts: it makes the host's files visible, loads the
 * module, runs the tests, reports, and switches the guest off.
 *
 * The idea is WireGuard's: a tiny static init is the whole test system, and what it has to say goes to a
 * second serial port, so nobody reads the console to decide whether a test passed. The host's root comes in
 * read-only by 9p below an overlay: every program and every built file is found at the path that it has on
 * the host, and writes go to memory.
 *
 * /jobs in the initrd says what to do, a line each, fields separated by tabs:
 *   module PATH             load it (finit_module), with the rest of the line as parameters; tests see
 *                           $SYSVM_MODULE and $SYSVM_PARAMETERS
 *   test NAME SECONDS CMD   run CMD with /bin/sh -c
 *   shell                   /bin/bash on the console
 *
 * The report, a line each:
 *   guest RELEASE                          init runs
 *   ready                                  the host's files are there
 *   module ok PATH | module ERROR PATH
 *   begin NAME / | OUTPUT... / end NAME exit N MS | signal N MS | timeout MS
 *   fatal WHAT: ERROR                      the guest cannot go on
 *   done
 *
 * Does not decide: tests/qemu/run.py reads the report. Tested by tests/qemu (a guest that boots is its test).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_MAX (256 * 1024) /* bytes of output that one test may report; a serial port is slow */

static int report_fd = -1;

static void put(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(report_fd, data, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			data += n;
			len -= n;
		}
	}
}

__attribute__((format(printf, 1, 2))) static void report(const char *format, ...)
{
	char line[1024];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put(line, len < (int)sizeof(line) ? len : (int)sizeof(line) - 1);
}

__attribute__((noreturn)) static void power_off(void)
{
	tcdrain(report_fd);
	sync();
	reboot(RB_POWER_OFF);
	_exit(1); /* Not reached; the kernel would panic, and the guest end by panic=-1. */
}

__attribute__((noreturn)) static void fatal(const char *what)
{
	report("fatal %s: %s\n", what, strerror(errno));
	power_off();
}

static void must_mount(const char *source, const char *target, const char *type, unsigned long flags,
		       const char *data)
{
	mkdir(target, 0755);
	if (mount(source, target, type, flags, data) < 0)
		fatal(target);
}

/* A serial port as a plain pipe: no echo, no translation of newlines. */
static void make_raw(int fd)
{
	struct termios termios;

	if (tcgetattr(fd, &termios) == 0) {
		cfmakeraw(&termios);
		tcsetattr(fd, TCSANOW, &termios);
	}
}

static int load_module(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, parameters, 0) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/*
 * The initrd's own modules, in the order of their names: run.py numbers them so that each finds what it
 * needs.
 */
static void load_initrd_modules(void)
{
	struct dirent **entries;
	int n = scandir("/modules", &entries, NULL, alphasort);
	char path[512];

	for (int i = 0; i < n; i++) {
		int ret;

		if (entries[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/modules/%s", entries[i]->d_name);
		ret = load_module(path, "");
		if (ret < 0 && ret != -EEXIST) {
			errno = -ret;
			fatal(path);
		}
	}
}

static void bring_loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
}

static void enter_host_root(void)
{
	must_mount("host", "/host", "9p", MS_RDONLY,
		   "trans=virtio,version=9p2000.L,cache=loose,msize=512000");
	must_mount("upper", "/upper", "tmpfs", 0, "size=80%");
	mkdir("/upper/data", 0755);
	mkdir("/upper/work", 0755);
	must_mount("overlay", "/guest", "overlay", 0,
		   "lowerdir=/host,upperdir=/upper/data,workdir=/upper/work");
	must_mount("proc", "/guest/proc", "proc", 0, NULL);
	must_mount("sysfs", "/guest/sys", "sysfs", 0, NULL);
	must_mount("devtmpfs", "/guest/dev", "devtmpfs", 0, NULL);
	must_mount("devpts", "/guest/dev/pts", "devpts", 0, "ptmxmode=0666");
	must_mount("tmpfs", "/guest/dev/shm", "tmpfs", 0, NULL);
	must_mount("tmpfs", "/guest/run", "tmpfs", 0, NULL);
	must_mount("debugfs", "/guest/sys/kernel/debug", "debugfs", 0, NULL);
	must_mount("tracefs", "/guest/sys/kernel/tracing", "tracefs", 0, NULL);
	must_mount("cgroup2", "/guest/sys/fs/cgroup", "cgroup2", 0, NULL);
	/*
	 * It takes the place of the initrd's root, as switch_root does: a task whose root is not that of its
	 * mount namespace cannot make a user namespace, so there would be no containers.
	 */
	if (chdir("/guest") < 0)
		fatal("/guest");
	must_mount(".", "/", NULL, MS_MOVE, NULL);
	if (chroot(".") < 0 || chdir("/") < 0)
		fatal("chroot");
	/* As a system without a login would have them. */
	symlink("/proc/self/fd", "/dev/fd");
	chmod("/tmp", 01777);
	sethostname("guest", 5);
	bring_loopback_up();
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Test output goes into the report with "| " before each line, so no test can write a verdict. */
static void report_output(const char *data, size_t len, bool *at_line_start, size_t *room)
{
	for (size_t i = 0; i < len && *room; i++, (*room)--) {
		if (*at_line_start)
			put("| ", 2);
		put(&data[i], 1);
		*at_line_start = data[i] == '\n';
	}
}

static void run_test(const char *name, int seconds, const char *command)
{
	long start = now_ms(), took;
	bool at_line_start = true, exited = false, timed_out = false;
	size_t room = OUTPUT_MAX;
	char buffer[4096];
	int output[2], status = 0, dead_status;
	pid_t pid, dead;

	report("begin %s\n", name);
	if (pipe2(output, O_CLOEXEC) < 0)
		fatal("pipe");
	pid = fork();
	if (pid < 0)
		fatal("fork");
	if (pid == 0) {
		setsid();
		chmod("/dev/null", 0666); /* A random program may have changed it by its descriptor 0. */
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(output[1], 1);
		dup2(output[1], 2);
		if (chdir("/tmp") < 0)
			_exit(126);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	close(output[1]);
	for (;;) {
		struct pollfd wait = { .fd = output[0], .events = POLLIN };
		/*
		 * What a test leaves running may hold the pipe open: after the exit only what is there is
		 * read.
		 */
		int ready = poll(&wait, 1, exited ? 0 : 10);
		ssize_t n = ready > 0 ? read(output[0], buffer, sizeof(buffer)) : -1;

		if (n > 0)
			report_output(buffer, n, &at_line_start, &room);
		if (exited && n <= 0)
			break;
		if (n == 0 && !exited)
			usleep(2000);
		if (!exited && now_ms() - start > seconds * 1000L) {
			timed_out = true;
			kill(-pid, SIGKILL);
		}
		while ((dead = waitpid(-1, &dead_status, WNOHANG)) > 0) {
			if (dead != pid)
				continue; /* An orphan: init is everybody's parent. */
			exited = true;
			status = dead_status;
			kill(-pid, SIGKILL);
		}
	}
	close(output[0]);
	took = now_ms() - start;
	if (!at_line_start)
		put("\n", 1);
	if (timed_out)
		report("end %s timeout %ld\n", name, took);
	else if (WIFSIGNALED(status))
		report("end %s signal %d %ld\n", name, WTERMSIG(status), took);
	else
		report("end %s exit %d %ld\n", name, WEXITSTATUS(status), took);
}

static void run_shell(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd;

		setsid();
		fd = open("/dev/ttyS0", O_RDWR);
		ioctl(fd, TIOCSCTTY, 1);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execl("/bin/bash", "bash", "--norc", "-i", NULL);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static char *next_field(char **rest)
{
	char *field = strsep(rest, "\t");

	return field ? field : (char *)"";
}

static void do_job(char *line)
{
	char *verb = next_field(&line);

	if (!strcmp(verb, "module")) {
		const char *path = next_field(&line);
		int ret = load_module(path, line ? line : "");

		setenv("SYSVM_MODULE", path, 1);
		setenv("SYSVM_PARAMETERS", line ? line : "", 1);
		report("module %s %s\n", ret ? strerror(-ret) : "ok", path);
	} else if (!strcmp(verb, "test")) {
		const char *name = next_field(&line);
		int seconds = atoi(next_field(&line));

		run_test(name, seconds, line ? line : "");
	} else if (!strcmp(verb, "shell")) {
		run_shell();
	} else if (*verb) {
		report("fatal unknown job %s\n", verb);
	}
}

int main(void)
{
	struct utsname name;
	char *line = NULL;
	size_t size = 0;
	FILE *jobs;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	report_fd = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	make_raw(report_fd);
	uname(&name);
	report("guest %s\n", name.release);

	jobs = fopen("/jobs", "re");
	if (!jobs)
		fatal("/jobs");
	load_initrd_modules();
	enter_host_root();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 0);
	setenv("LC_ALL", "C.UTF-8", 1);
	report("ready\n");
	while (getline(&line, &size, jobs) > 0) {
		line[strcspn(line, "\n")] = 0;
		do_job(line);
	}
	report("done\n");
	power_off();
}
