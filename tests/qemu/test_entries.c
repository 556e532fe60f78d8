// SPDX-License-Identifier: GPL-2.0
/*
 * stat_entries: what each name of a directory gives is what the separate call gives, and which names take the
 * short way of kmod/names.c and which the call's own: row by row, for the rows that its head lists.
 */
#include "entries.h"

#include <pthread.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

static void plain_files_take_the_short_way(void)
{
	int fd = fresh_directory(200);
	struct names n;

	CHECK_EQ(mkdirat(fd, "directory", 01777), 0);
	CHECK_EQ(symlinkat("f1", fd, "link"), 0);
	CHECK_EQ(mknodat(fd, "fifo", S_IFIFO | 0644, 0), 0);
	CHECK_EQ(mknodat(fd, "char", S_IFCHR | 0644, makedev(1, 3)), 0);
	CHECK_EQ(fchownat(fd, "f7", 70000, 80000, 0), 0);
	CHECK_EQ(linkat(fd, "f8", fd, "f8-again", 0), 0);
	n = names_of(fd);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, n.count - 2); /* not "." and ".." */
	entries_compare(fd, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, &n, n.count - 2);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(umount(HERE), 0); /* nobody holds it */
}

static void names_that_are_not_there_take_the_plain_path(void)
{
	int fd = fresh_directory(2);
	struct names n = { 0 };

	names_add(&n, "gone");
	names_add(&n, "f0");
	names_add(&n, "gone");	/* negative now */
	names_add(&n, "f1");
	names_add(&n, "F1");
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 2);
	CHECK_EQ(unlinkat(fd, "f0", 0), 0);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 1);
}

static void what_is_no_name_takes_the_plain_path(void)
{
	char longest[300], *edge = (char *)pages(8192) + 4096;
	int fd = fresh_directory(1);
	struct names n = { 0 };

	CHECK_EQ(mkdirat(fd, "d", 0755), 0);
	names_add(&n, "");
	names_add(&n, ".");
	names_add(&n, "..");
	names_add(&n, "d/..");
	names_add(&n, "d/");
	names_add(&n, "/");
	names_add(&n, "f0/");
	names_add(&n, "...");
	memset(longest, 'x', sizeof(longest));
	longest[299] = 0;
	names_add(&n, longest);
	longest[256] = 0;
	names_add(&n, longest);
	longest[255] = 0; /* NAME_MAX, and there */
	CHECK(openat(fd, longest, O_CREAT | O_WRONLY | O_CLOEXEC, 0644) >= 0);
	names_add(&n, longest);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 1);

	/* A name that runs into memory that is not there. */
	CHECK_EQ(munmap(edge, 4096), 0);
	n = (struct names){ .bytes = (unsigned char *)edge - 24, .size = 24, .count = 1 };
	memcpy(n.bytes + 16, "\x18\0\0xxxxx", 8);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 0);
}

static void mount_points_take_the_plain_path(void)
{
	int fd = fresh_directory(3);
	struct names n;

	CHECK_EQ(mkdirat(fd, "m", 0700), 0);
	CHECK_EQ(mount("none", HERE "/m", "tmpfs", 0, "mode=0751"), 0);
	CHECK_EQ(mount(HERE "/f1", HERE "/f2", NULL, MS_BIND, NULL), 0);
	n = names_of(fd);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 2); /* f0 and f1 */
	CHECK_EQ(umount(HERE "/f2"), 0);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 3);
}

static void automounts_take_the_plain_path(void)
{
	int fd = open("/sys/kernel/debug", O_RDONLY | O_DIRECTORY);
	struct names n = { 0 };

	names_add(&n, "tracing");
	names_add(&n, "sysvm");
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 1);
}

static void links_are_followed_by_the_call_itself(void)
{
	int fd = fresh_directory(2);
	struct names n;

	CHECK_EQ(symlinkat("f1", fd, "to-a-file"), 0);
	CHECK_EQ(symlinkat("nowhere", fd, "to-nothing"), 0);
	CHECK_EQ(symlinkat("round", fd, "round"), 0);
	CHECK_EQ(symlinkat("..", fd, "up"), 0);
	n = names_of(fd);
	entries_compare(fd, 0, &n, 2);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 6);
}

static void dentries_with_a_say_of_their_own_take_the_plain_path(void)
{
	int fd = open("/proc/self", O_RDONLY | O_DIRECTORY);
	struct names n = { 0 };

	names_add(&n, "fd");
	names_add(&n, "maps");
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 0);
}

static void block_devices_take_the_plain_path(void)
{
	int fd = fresh_directory(1);
	struct names n = { 0 };

	CHECK_EQ(mknodat(fd, "block", S_IFBLK | 0644, makedev(7, 0)), 0);
	names_add(&n, "f0");
	names_add(&n, "block");
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 1);
}

static void other_flags_take_the_plain_path(void)
{
	int fd = fresh_directory(3);
	struct names n = names_of(fd);

	entries_compare(fd, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &n, 0);
	entries_compare(fd, AT_STATX_DONT_SYNC, &n, 0);
	entries_compare(fd, 0x40000000, &n, 0); /* EINVAL */
}

static void descriptors_that_are_no_directory_take_the_plain_path(void)
{
	int fd = fresh_directory(3), file = openat(fd, "f0", O_RDONLY),
	    path = open(HERE, O_PATH | O_DIRECTORY);
	struct names n = { 0 };

	names_add(&n, "f0");
	names_add(&n, "f1");
	entries_compare(file, AT_SYMLINK_NOFOLLOW, &n, 0); /* ENOTDIR */
	entries_compare(99, AT_SYMLINK_NOFOLLOW, &n, 0);   /* EBADF */
	entries_compare(-1, AT_SYMLINK_NOFOLLOW, &n, 0);
	CHECK_EQ(chdir(HERE), 0);
	entries_compare(AT_FDCWD, AT_SYMLINK_NOFOLLOW, &n, 0);
	entries_compare(path, AT_SYMLINK_NOFOLLOW, &n, 2);
}

static void *wait_for_a_byte(void *arg)
{
	char byte;

	CHECK_EQ(read(*(int *)arg, &byte, 1), 1);
	return NULL;
}

/* Another thread may put another directory over the descriptor between two names. */
static void a_shared_table_of_descriptors_takes_the_plain_path(void)
{
	int fd = fresh_directory(5), ends[2];
	struct names n = names_of(fd);
	pthread_t other;

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pthread_create(&other, NULL, wait_for_a_byte, &ends[0]), 0);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(pthread_join(other, NULL), 0);
	while (access("/proc/self/task", F_OK) == 0) { /* the thread has let go of the table */
		struct stat st;

		CHECK_EQ(stat("/proc/self/task", &st), 0);
		if (st.st_nlink == 3)
			break;
	}
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 5);
}

static void a_directory_that_was_removed_has_no_names(void)
{
	int fd = fresh_directory(0), below;
	struct names n;

	CHECK_EQ(mkdirat(fd, "d", 0755), 0);
	below = openat(fd, "d", O_RDONLY | O_DIRECTORY);
	CHECK(openat(below, "x", O_CREAT | O_WRONLY | O_CLOEXEC, 0644) >= 0);
	n = names_of(below);
	entries_compare(below, AT_SYMLINK_NOFOLLOW, &n, 1);
	CHECK_EQ(renameat(fd, "d", fd, "e"), 0); /* moved: the descriptor is still it */
	entries_compare(below, AT_SYMLINK_NOFOLLOW, &n, 1);
	CHECK_EQ(unlinkat(below, "x", 0), 0);
	CHECK_EQ(unlinkat(fd, "e", AT_REMOVEDIR), 0);
	entries_compare(below, AT_SYMLINK_NOFOLLOW, &n, 0);
}

static void a_directory_that_may_not_be_searched_is_refused_for_each_name(void)
{
	int fd = fresh_directory(10);
	struct names n = names_of(fd);

	CHECK_EQ(fchmod(fd, 0700), 0);
	IN_CHILD({
		struct machine m = machine_open();
		struct record *records;

		CHECK_EQ(setresgid(65534, 65534, 65534), 0);
		CHECK_EQ(setresuid(65534, 65534, 65534), 0);
		records = entries_run(&m, fd, AT_SYMLINK_NOFOLLOW, &n);
		for (size_t i = 0; i < n.count; i++)
			CHECK_EQ(records[i].result, -EACCES);
	});
}

/* Another process takes the right away in the middle of a run: from some name on, all are refused. */
static void the_right_to_search_is_asked_for_at_each_name(void)
{
	int fd = fresh_directory(2000);
	struct names n = { 0 };
	int *turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status;

	for (unsigned int i = 0; i < 2000; i++) { /* no dots: those have a way of their own */
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		names_add(&n, name);
	}
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		struct machine m = machine_open();
		unsigned int mixed = 0;

		CHECK_EQ(setresgid(65534, 65534, 65534), 0);
		CHECK_EQ(setresuid(65534, 65534, 65534), 0);
		for (int i = 0; i < 3000 && !mixed; i++) {
			struct record *records = entries_run(&m, fd, AT_SYMLINK_NOFOLLOW, &n);

			for (size_t j = 0; j < n.count; j++) {
				CHECK(!records[j].result || records[j].result == -EACCES);
				if (j && records[j].result && !records[j - 1].result)
					mixed = 1;
			}
			munmap(records, STRIDE * (n.count + 1));
		}
		__atomic_store_n(turn, 1, __ATOMIC_RELEASE);
		_exit(mixed ? 0 : 9);
	}
	while (!__atomic_load_n(turn, __ATOMIC_ACQUIRE)) {
		fchmod(fd, 0700);
		usleep(300);
		fchmod(fd, 0755);
		usleep(300);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void results_that_cannot_be_written_are_the_calls_error(void)
{
	struct machine m = machine_open();
	struct program p = entries_program(false, 0);
	int fd = fresh_directory(2);
	char *edge = (char *)pages(8192) + 4096;
	struct names n = { 0 };

	names_add(&n, "f0");
	CHECK_EQ(munmap(edge, 4096), 0);
	machine_load(&m, &p);
	entries_set(&m, fd, AT_SYMLINK_NOFOLLOW, &n, edge - 64, STRIDE);
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, ++m.seq), 0);
	while (m.page->status == SYSVM_YIELD)
		CHECK_EQ(machine_resume(&m), 0);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(((struct record *)(edge - 64))->result, -EFAULT);
	CHECK_EQ(m.page->reg[R_RECORD], (uintptr_t)edge - 64 + STRIDE);

	/* A record that is not there: as a store of the program's. */
	entries_set(&m, fd, AT_SYMLINK_NOFOLLOW, &n, edge, STRIDE);
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, ++m.seq), 0);
	CHECK_EQ(m.page->status, SYSVM_FAULT);
	CHECK_EQ(m.page->error, EFAULT);
}

static void overlays_give_what_they_give_one_by_one(void)
{
	int fd = fresh_directory(0);
	struct names n;

	CHECK_EQ(mkdirat(fd, "lower", 0755) | mkdirat(fd, "upper", 0755) | mkdirat(fd, "work", 0755), 0);
	CHECK_EQ(mkdirat(fd, "all", 0755), 0);
	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), i % 2 ? "lower/l%d" : "upper/u%d", i);
		CHECK(openat(fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0640) >= 0);
	}
	CHECK_EQ(mount("none", HERE "/all", "overlay", 0,
		       "lowerdir=" HERE "/lower,upperdir=" HERE "/upper,workdir=" HERE "/work"), 0);
	fd = open(HERE "/all", O_RDONLY | O_DIRECTORY);
	n = names_of(fd);
	CHECK_EQ(n.count, 22);
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 20);
	CHECK_EQ(fchmodat(fd, "l1", 0600, 0), 0); /* copied up */
	CHECK_EQ(unlinkat(fd, "l3", 0), 0);	  /* a whiteout */
	names_add(&n, "gone");
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 19); /* known not to be there: negative dentries */
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 19);
}

static void set_parameter(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/module/sysvm/parameters/%s", name);
	fd = open(path, O_WRONLY);
	CHECK_EQ(write(fd, value, strlen(value)), (long)strlen(value));
	close(fd);
}

static void parameters_switch_it_off(void)
{
	int fd = fresh_directory(50);
	struct names n = names_of(fd);

	set_parameter("wide", "N");
	entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 0);
	set_parameter("wide", "Y");
	for (int ahead = 0; ahead <= 17; ahead++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", ahead == 17 ? 255 : ahead);
		set_parameter("ahead", text);
		entries_compare(fd, AT_SYMLINK_NOFOLLOW, &n, 50);
	}
	set_parameter("ahead", "16");
}

static void statx_is_made_as_it_is(void)
{
	struct machine m = machine_open();
	struct program p = entries_program(true, 0);
	int fd = fresh_directory(20);
	unsigned char *records = pages(272 * 20), *at;
	struct names n = { 0 };

	for (int i = 0; i < 20; i++)
		names_add(&n, (char[]){ 'f', '0' + i % 10, 0 });
	at = n.bytes;
	machine_load(&m, &p);
	entries_set(&m, fd, AT_SYMLINK_NOFOLLOW, &n, records, 272 * n.count);
	m.page->reg[R_MASK] = STATX_ALL;
	CHECK_EQ(machine_enter(&m, SYSVM_PROC_PAGE, ++m.seq), 0);
	while (m.page->status == SYSVM_YIELD)
		CHECK_EQ(machine_resume(&m), 0);
	CHECK_EQ(m.page->status, SYSVM_DONE);
	CHECK_EQ(m.page->reg[R_RESULT], SYSVM_ENTRIES_ALL);
	for (size_t i = 0; i < n.count; i++, at += dirent_length(at)) {
		struct statx x;

		CHECK_EQ(syscall(SYS_statx, fd, at + 19, AT_SYMLINK_NOFOLLOW, STATX_ALL, &x), 0);
		CHECK(!memcmp(records + 272 * i + 16, &x, sizeof(x)));
	}
}

static const struct test tests[] = {
	TEST(plain_files_take_the_short_way),
	TEST(names_that_are_not_there_take_the_plain_path),
	TEST(what_is_no_name_takes_the_plain_path),
	TEST(mount_points_take_the_plain_path),
	TEST(automounts_take_the_plain_path),
	TEST(links_are_followed_by_the_call_itself),
	TEST(dentries_with_a_say_of_their_own_take_the_plain_path),
	TEST(block_devices_take_the_plain_path),
	TEST(other_flags_take_the_plain_path),
	TEST(descriptors_that_are_no_directory_take_the_plain_path),
	TEST(a_shared_table_of_descriptors_takes_the_plain_path),
	TEST(a_directory_that_was_removed_has_no_names),
	TEST(a_directory_that_may_not_be_searched_is_refused_for_each_name),
	TEST(the_right_to_search_is_asked_for_at_each_name),
	TEST(results_that_cannot_be_written_are_the_calls_error),
	TEST(overlays_give_what_they_give_one_by_one),
	TEST(parameters_switch_it_off),
	TEST(statx_is_made_as_it_is),
};

TEST_MAIN(tests)
