// SPDX-License-Identifier: MIT
/*
 * Every way in which exec fails, and the odd ones in which it does not: errno and effect as without us. execs
 * FOLDER
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *words[] = { "echo", "ran", NULL }, *list[] = { "A=1", NULL };
static char folder[256], long_name[5000], long_word[200000];

static const char *at(const char *name)
{
	static char path[4][512];
	static int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[next]), "%s/%s", folder, name);
	return path[next];
}

static void file(const char *name, const char *text, int mode)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (write(fd, text, strlen(text)) < 0)
		exit(3);
	fchmod(fd, (mode_t)mode);
	close(fd);
}

static void script(const char *name, const char *line)
{
	char text[1024];

	snprintf(text, sizeof(text), "#!%s\n", line);
	file(name, text, 0755);
}

struct attempt {
	int dirfd, flags;
	const char *path;
	char **argv, **envp;
};

static int attempt(const struct attempt *a)
{
	if (a->dirfd == AT_FDCWD && !a->flags)
		syscall(SYS_execve, a->path, a->argv, a->envp);
	else
		syscall(SYS_execveat, a->dirfd, a->path, a->argv, a->envp, a->flags);
	return errno;
}

static void *in_thread(void *a)
{
	_exit(attempt(a));
}

static void report(const char *name, const char *how, pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	printf("%s, %s: %x\n", name, how, status);
	fflush(stdout);
}

static void try(const char *name, int dirfd, const char *path, char **argv, char **envp, int flags)
{
	struct attempt a = { dirfd, flags, path, argv, envp };
	pthread_t thread;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0)
		_exit(attempt(&a));
	report(name, "fork", pid);
	if ((pid = vfork()) == 0)
		_exit(attempt(&a));
	report(name, "vfork", pid);
	if ((pid = fork()) == 0) {
		pthread_create(&thread, NULL, in_thread, &a);
		pthread_join(thread, NULL);
	}
	report(name, "thread", pid);
}

/*
 * What the started shell says of itself: folder, session, group, mask, ignored signals, whether descriptor 7
 * is there.
 */
static void spawn(const char *name, short flags)
{
	char *shell[] = {
		"sh", "-c",
		"pwd; read p n s pp g t rest < /proc/self/stat; echo $((g == p)) $((t == p)); "
		"grep -E 'SigBlk|SigIgn|Groups|Uid' /proc/self/status; ls /proc/self/fd | grep -c 7",
		NULL
	};
	posix_spawn_file_actions_t actions;
	struct sched_param priority = { 0 };
	posix_spawnattr_t attributes;
	sigset_t signals;
	int error;
	pid_t pid = -1;

	fflush(stdout);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, flags);
	posix_spawnattr_setsigmask(&attributes, &signals);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setschedparam(&attributes, &priority);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 7, "/etc/passwd", O_RDONLY, 0);
	posix_spawn_file_actions_addchdir_np(&actions, "/usr");
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	error = posix_spawn(&pid, "/bin/sh", &actions, &attributes, shell,
			    (char *[]){ "PATH=/usr/bin:/bin", NULL });
	if (error)
		printf("%s: error %d\n", name, error);
	else
		report(name, "posix_spawn", pid);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
}

int main(int argc, char **argv)
{
	char **bad = (char **)8, *bad_word[] = { "echo", (char *)8, NULL },
	     *big[] = { "echo", long_word, NULL };
	char *cut[] = { "A=1", "B=2", NULL }, **end, *page, *name;
	int echo = open("/bin/echo", O_RDONLY | O_CLOEXEC),
	    bin = open("/bin", O_RDONLY | O_DIRECTORY | O_CLOEXEC), busy;
	int path_only = open("/bin/echo", O_PATH | O_CLOEXEC);

	snprintf(folder, sizeof(folder), "%s", argc > 1 ? argv[1] : "/tmp");
	memset(long_name, 'n', sizeof(long_name) - 1);
	memset(long_word, 'w', sizeof(long_word) - 1);
	/* The list and a string that end where their page does. */
	page = (char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 4096, 4096);
	end = (char **)(page + 4096) - 3;
	name = strcpy(page + 4096 - 256 - sizeof("LD_PRE"), "LD_PRE");
	memcpy(end, cut, sizeof(cut));

	try("runs", AT_FDCWD, "/bin/echo", words, list, 0);
	try("nothing given", AT_FDCWD, "/bin/echo", NULL, NULL, 0);
	try("no environment", AT_FDCWD, "/usr/bin/env", words, NULL, 0);
	try("ENOENT", AT_FDCWD, "/nonexistent", words, list, 0);
	try("no name", AT_FDCWD, "", words, list, 0);
	try("ENOTDIR", AT_FDCWD, "/etc/passwd/x", words, list, 0);
	try("EACCES", AT_FDCWD, "/etc/passwd", words, list, 0);
	try("a folder", AT_FDCWD, "/etc", words, list, 0);
	try("ENAMETOOLONG", AT_FDCWD, long_name, words, list, 0);
	try("EFAULT path", AT_FDCWD, (char *)8, words, list, 0);
	try("EFAULT words", AT_FDCWD, "/bin/echo", bad, list, 0);
	try("EFAULT word", AT_FDCWD, "/bin/echo", bad_word, list, 0);
	try("EFAULT list", AT_FDCWD, "/bin/echo", words, bad, 0);
	try("EFAULT variable", AT_FDCWD, "/bin/echo", words, bad_word, 0);
	try("a list up to its page's end", AT_FDCWD, "/usr/bin/env", words, end, 0);
	end[2] = "C=3";
	try("a list without an end", AT_FDCWD, "/bin/echo", words, end, 0);
	list[0] = name;
	try("a variable short of a page's end", AT_FDCWD, "/usr/bin/env", words, list, 0);
	list[0] = memcpy(page + 4096 - 5, "LD_P", 5);
	try("a variable up to its page's end", AT_FDCWD, "/usr/bin/env", words, list, 0);
	list[0] = memcpy(page + 4096 - 5, "LD_PR", 5);
	try("a variable without an end", AT_FDCWD, "/bin/echo", words, list, 0);
	list[0] = "A=1";
	try("E2BIG", AT_FDCWD, "/bin/echo", big, list, 0);
	file("text", "no format\n", 0755);
	try("ENOEXEC", AT_FDCWD, at("text"), words, list, 0);
	file("empty", "", 0755);
	try("an empty file", AT_FDCWD, at("empty"), words, list, 0);
	if (symlink("loop", at("loop")))
		return 3;
	try("ELOOP", AT_FDCWD, at("loop"), words, list, 0);
	if (mkfifo(at("fifo"), 0755))
		return 3;
	try("a pipe", AT_FDCWD, at("fifo"), words, list, 0);
	script("script", "/bin/echo");
	try("a script", AT_FDCWD, at("script"), words, list, 0);
	script("spaces", "  /bin/echo  two words ");
	try("spaces in its line", AT_FDCWD, at("spaces"), words, list, 0);
	file("cut", "#!/bin/echo", 0755);
	try("no end of its line", AT_FDCWD, at("cut"), words, list, 0);
	script("none", "/nonexistent");
	try("no interpreter", AT_FDCWD, at("none"), words, list, 0);
	script("nested", at("script"));
	try("a script's script", AT_FDCWD, at("nested"), words, list, 0);
	script("itself", at("itself"));
	try("its own interpreter", AT_FDCWD, at("itself"), words, list, 0);
	snprintf(long_name, 200, "/%s",
		 "bin/../bin/../bin/../bin/../bin/../bin/../bin/../bin/../bin/../bin/../bin/../bin/../bin/../"
		 "bin/echo");
	script("long", long_name);
	try("a long line", AT_FDCWD, at("long"), words, list, 0);
	memset(long_name, '/', 300);
	strcpy(long_name + 300, "bin/echo");
	script("longer", long_name);
	try("a line that is too long", AT_FDCWD, at("longer"), words, list, 0);
	file("busy", "", 0755);
	busy = open(at("busy"), O_WRONLY);
	try("ETXTBSY", AT_FDCWD, at("busy"), words, list, 0);
	close(busy);
	try("fexecve", echo, "", words, list, AT_EMPTY_PATH);
	try("fexecve of O_PATH", path_only, "", words, list, AT_EMPTY_PATH);
	try("execveat", bin, "echo", words, list, 0);
	try("execveat, absolute", -1, "/bin/echo", words, list, 0);
	try("execveat, no folder", echo, "echo", words, list, 0);
	try("execveat, no descriptor", 999, "echo", words, list, 0);
	try("execveat, unknown flag", bin, "echo", words, list, 0x40000000);
	if (symlink("/bin/echo", at("link")))
		return 3;
	spawn("no flags", 0);
	spawn("a session", POSIX_SPAWN_SETSID);
	spawn("a group", POSIX_SPAWN_SETPGROUP);
	spawn("a mask", POSIX_SPAWN_SETSIGMASK);
	spawn("default signals", POSIX_SPAWN_SETSIGDEF);
	spawn("all", POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
			     POSIX_SPAWN_SETSCHEDULER);
	spawn("own ids", POSIX_SPAWN_RESETIDS);
	try("execveat, a link", AT_FDCWD, at("link"), words, list, AT_SYMLINK_NOFOLLOW);
	return 0;
}
