// SPDX-License-Identifier: MIT
// Events and the lines they become, side by side; the lines are what strace prints for the same calls.
#include "traces/strace_text.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "traces/calls.h"

namespace sysvm {
namespace {

TraceInfo sample() {
  TraceInfo info;
  info.header.calls = known_calls();
  info.strings.push_back("/etc/passwd");          // 1
  info.strings.push_back("user.\"name\"\n\x01");  // 2
  return info;
}

struct Line {
  Event event;
  std::string call, result;
};

Event call(int32_t nr, std::array<uint64_t, 6> args, int64_t ret, uint32_t path0 = 0, uint32_t path1 = 0,
           uint32_t flags = 0) {
  Event e;
  e.nr = nr;
  e.args = args;
  e.ret = ret;
  e.path = {path0, path1};
  e.flags = flags;
  return e;
}

TEST(StraceText, DecodesCalls) {
  constexpr uint64_t kCwd32 = 0xffffff9c, kCwd64 = ~0ull - 99;
  Event stat = call(SYS_newfstatat, {kCwd32, 0x7000, 0x8000, AT_SYMLINK_NOFOLLOW}, 0, 1, 0, kHasStat);
  stat.st_mode = 0100644;
  stat.st_size = 1234;
  stat.st_dev = 0xfe01;
  Event signal = call(kSignalNr, {17, 1}, 0, 0, 0, kSignal);
  const Line kLines[] = {
      {call(SYS_openat, {kCwd32, 0x7000, O_RDONLY | O_CLOEXEC, 0x1234}, 3, 1),
       "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC)", "3"},
      {call(SYS_openat, {kCwd64, 0x7000, O_WRONLY | O_CREAT | O_TRUNC, 0644}, -13, 1),
       "openat(AT_FDCWD, \"/etc/passwd\", O_WRONLY|O_CREAT|O_TRUNC, 0644)", "-1 EACCES (Permission denied)"},
      {call(SYS_openat, {5, 0, O_RDWR, 0}, -14), "openat(5, NULL, O_RDWR)", "-1 EFAULT (Bad address)"},
      {stat,
       "newfstatat(AT_FDCWD, \"/etc/passwd\", {st_mode=S_IFREG|0644, st_size=1234, st_dev=makedev(0xfe, "
       "0x1), ...}, "
       "AT_SYMLINK_NOFOLLOW)",
       "0"},
      {call(SYS_read, {3, 0x7ffe0000, 32768}, 17), "read(3, 0x7ffe0000, 32768)", "17"},
      {call(SYS_close, {0xffffffff}, -9), "close(-1)", "-1 EBADF (Bad file descriptor)"},
      {call(SYS_lseek, {3, ~0ull, 1}, 5), "lseek(3, -1, SEEK_CUR)", "5"},
      {call(SYS_getxattr, {0x1, 0x2, 0, 0}, -61, 1, 2),
       "getxattr(\"/etc/passwd\", \"user.\\\"name\\\"\\n\\001\", NULL, 0)", "-1 ENODATA (No data available)"},
      {call(SYS_mmap, {0, 4096, 5, 2, 3, 0}, 0x7f0000000000),
       "mmap(NULL, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE, 3, 0)", "0x7f0000000000"},
      {call(SYS_fcntl, {3, 1}, 0), "fcntl(3, F_GETFD)", "0"},
      {call(SYS_fcntl, {3, 2, 1}, 0), "fcntl(3, F_SETFD, FD_CLOEXEC)", "0"},
      {call(SYS_fcntl, {3, 6, 0x7ffe00000000}, 0), "fcntl(3, F_SETLK, 0x7ffe00000000)", "0"},
      {call(SYS_ioctl, {1, 0x5401, 0x9000}, -25), "ioctl(1, TCGETS, 0x9000)",
       "-1 ENOTTY (Inappropriate ioctl for device)"},
      {call(SYS_fadvise64, {3, 0, 0, 2}, 0), "fadvise64(3, 0, 0, POSIX_FADV_SEQUENTIAL)", "0"},
      {call(SYS_kill, {100, 9}, 0), "kill(100, SIGKILL)", "0"},
      {call(SYS_exit_group, {7}, 0, 0, 0, kNoExit), "exit_group(7)", "?"},
      {call(SYS_pause, {}, -514, 0, 0, kRestarted), "pause()", "? ERESTARTNOHAND"},
      {signal, "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---", "0"},
      {call(999, {1, 2, 3, 4, 5, 6}, -38), "syscall_999(0x1, 0x2, 0x3, 0x4, 0x5, 0x6)",
       "-1 ENOSYS (Function not implemented)"},
      {call(20, {}, 55, 0, 0, kCompat), "i386_getpid()", "55"},
  };
  const TraceInfo info = sample();
  for (const Line& line : kLines) {
    EXPECT_EQ(format_call(info, line.event), line.call);
    EXPECT_EQ(format_result(info, line.event), line.result) << line.call;
  }
}

TEST(StraceText, ReadsWithoutTheTableToo) {
  TraceInfo bare;
  EXPECT_EQ(format_call(bare, call(257, {1}, 0)), "syscall_257(0x1, NULL, NULL, NULL, NULL, NULL)");
}

// The header of a trace is input: fewer arguments than the call has, and strings that are not there.
TEST(StraceText, SurvivesAStrangeTable) {
  TraceInfo info;
  info.header.calls = {{SYS_read, "read", {"PATH", "PATH", "PATH"}, ""},
                       {SYS_open, "open", {"PATH"}, "FD"},
                       {SYS_close, "close", {"FD", "FD", "FD", "FD", "FD", "FD", "FD", "FD"}, ""},
                       {SYS_openat, "openat", {}, "FD"}};
  EXPECT_EQ(format_call(info, call(SYS_close, {1}, 0)), "close(1, 0, 0, 0, 0, 0)");
  EXPECT_EQ(format_call(info, call(SYS_openat, {1, 2}, 0)), "openat()");
  EXPECT_EQ(format_call(info, call(SYS_open, {1, 2}, 0, 77)), "open(0x1)");
  EXPECT_EQ(format_call(info, call(0, {1, 2, 3}, 0, 5, 6)), "read(0x1, 0x2, 0x3)");
}

TEST(StraceText, NamesOnlyTheRestartsThatThereAre) {
  TraceInfo info;
  Event e;
  e.flags = kRestarted;
  auto text = [&](int64_t ret) {
    e.ret = ret;
    return format_result(info, e);
  };
  EXPECT_EQ(text(-512), "? ERESTARTSYS");
  EXPECT_EQ(text(-516), "? ERESTART_RESTARTBLOCK");
  for (int64_t other : {int64_t{-511}, int64_t{-517}, int64_t{0}, INT64_MIN, INT64_MAX})
    EXPECT_EQ(text(other), "? " + std::to_string(other));
}

}  // namespace
}  // namespace sysvm
