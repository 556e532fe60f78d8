// SPDX-License-Identifier: MIT
// What four programs do for each file, as strace shows it (Debian 12: grep 3.8, coreutils 9.1, gawk 5.2,
// sed 4.9).
// "%d" is the number of the file.
#pragma once

namespace sysvm {

inline constexpr char kGrepFile[] = R"(
openat(4, "f%d.h", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=2292}, AT_EMPTY_PATH) = 0
read(3, "1\n2\n"..., 98304) = 2292
read(3, "", 94208) = 0
close(3) = 0
)";

inline constexpr char kGrepDirectory[] = R"(
openat(5, "d%d", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC|O_DIRECTORY) = 3
newfstatat(3, "", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0
fcntl(3, F_GETFL) = 100000
fcntl(3, F_SETFD, FD_CLOEXEC) = 0
newfstatat(5, "d%d", {st_mode=S_IFDIR|0755, st_size=4096}, AT_SYMLINK_NOFOLLOW) = 0
fcntl(3, F_DUPFD_CLOEXEC, 3) = 6
getdents64(3, buf, 32768) = 360
getdents64(3, buf, 32768) = 0
close(3) = 0
)";

inline constexpr char kMd5sum[] = R"(
openat(AT_FDCWD, "f%d", O_RDONLY) = 3
fadvise64(3, 0, 0, POSIX_FADV_SEQUENTIAL) = 0
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=7893}, AT_EMPTY_PATH) = 0
read(3, "1\n2\n"..., 32768) = 7893
read(3, "", 24576) = 0
lseek(3, 0, SEEK_CUR) = 7893
close(3) = 0
write(1, "14b1e6044ff5"..., 39) = 39
)";

// gawk asks for st_size bytes if that is less than st_blksize.
inline constexpr char kGawk[] = R"(
openat(AT_FDCWD, "small%d", O_RDONLY) = 3
fcntl(3, F_GETFD) = 0
fcntl(3, F_SETFD, FD_CLOEXEC) = 0
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=1092}, AT_EMPTY_PATH) = 0
ioctl(3, TCGETS, buf) = -25
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=1092}, AT_EMPTY_PATH) = 0
read(3, "1\n2\n"..., 1092) = 1092
read(3, "", 1092) = 0
close(3) = 0
openat(AT_FDCWD, "big%d", O_RDONLY) = 3
fcntl(3, F_GETFD) = 0
fcntl(3, F_SETFD, FD_CLOEXEC) = 0
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=6393}, AT_EMPTY_PATH) = 0
ioctl(3, TCGETS, buf) = -25
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=6393}, AT_EMPTY_PATH) = 0
read(3, "1\n2\n"..., 4096) = 4096
read(3, "1\n2\n"..., 4096) = 2297
read(3, "", 4096) = 0
close(3) = 0
)";

inline constexpr char kSed[] = R"(
openat(AT_FDCWD, "f%d", O_RDONLY) = 3
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=9393}, AT_EMPTY_PATH) = 0
read(3, "1\n2\n"..., 4096) = 4096
read(3, "1\n2\n"..., 4096) = 4096
read(3, "1\n2\n"..., 4096) = 1201
read(3, "", 4096) = 0
close(3) = 0
)";

// sqlite3, one SELECT: three locks, then a look for journals. The database is open for writing.
inline constexpr char kSelect[] = R"(
fcntl(3, F_SETLK, buf) = 0
fcntl(3, F_SETLK, buf) = 0
fcntl(3, F_SETLK, buf) = 0
newfstatat(AT_FDCWD, "/var/t.db-journal", buf, 0) = -2
pread64(3, buf, 16, 24) = 16
newfstatat(AT_FDCWD, "/var/t.db-wal", buf, 0) = -2
newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=8192}, AT_EMPTY_PATH) = 0
fcntl(3, F_SETLK, buf) = 0
write(1, buf, 9) = 9
)";

// find -ls, one directory with two files.
inline constexpr char kFindLs[] = R"(
openat(5, "d%d", O_RDONLY|O_DIRECTORY) = 6
newfstatat(6, "", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0
fcntl(6, F_DUPFD_CLOEXEC, 3) = 7
getdents64(6, buf, 32768) = 240
getdents64(6, buf, 32768) = 0
close(6) = 0
close(4) = 0
fcntl(7, F_DUPFD_CLOEXEC, 0) = 4
newfstatat(7, "one", {st_mode=S_IFREG|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0
newfstatat(AT_FDCWD, "/etc/localtime", {st_mode=S_IFREG|0644, st_size=114}, 0) = 0
newfstatat(7, "two", {st_mode=S_IFREG|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0
newfstatat(AT_FDCWD, "/etc/localtime", {st_mode=S_IFREG|0644, st_size=114}, 0) = 0
close(7) = 0
)";

}  // namespace sysvm
