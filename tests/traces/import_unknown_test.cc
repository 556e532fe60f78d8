// SPDX-License-Identifier: MIT
// What the text does not say, and what nobody here knows, stays unknown: it never becomes a value that might
// be one.
#include "tests/traces/imported.h"

namespace sysvm {
namespace {

struct Case {
  const char* text;
  const char* expected;
};

void expect(std::initializer_list<Case> cases) {
  for (const Case& c : cases)
    EXPECT_EQ(imported(std::string(c.text) + "\n").lines, std::string("1/1 ") + c.expected + "\n") << c.text;
}

TEST(ImportUnknown, ErrorsAreTheirOwnOrNone) {
  expect({
      {"ioctl(3, 0x1234, 0) = -1 ENOTSUPP (Unknown error 524)",
       "ioctl(3, 0x1234, NULL) = -1 errno 524 (unknown error)"},
      {"ioctl(3, 0x1234, 0) = -1 ENOIOCTLCMD (Unknown error 515)",
       "ioctl(3, 0x1234, NULL) = -1 errno 515 (unknown error)"},
      {"close(3) = -1 EWOULDBLOCK (Resource temporarily unavailable)",
       "close(3) = -1 EAGAIN (Resource temporarily unavailable)"},
      {"close(3) = -1 (errno 524)", "close(3) = -1 errno 524 (unknown error)"},
      {"close(3) = -1 E??? (Unknown error 530)", "close(3) = -1 errno 530 (unknown error)"},
      {"close(3) = -1 ENOTSUP (Operation not supported)",
       "close(3) = -1 EOPNOTSUPP (Operation not supported)"},
      {"close(3) = -1 EOPNOTSUPP (Operation not supported)",
       "close(3) = -1 EOPNOTSUPP (Operation not supported)"},
      {"close(3) = -1 EFROB (Frobnication failed)", "close(3) = -1 E??? (error not known)"},
      {"getpriority(PRIO_PROCESS, 0) = -1", "getpriority(0, 0) = -1 E??? (error not known)"},
      {"lseek(3, 0, SEEK_END) = 18446744073709551615", "lseek(3, 0, SEEK_END) = -1 E??? (error not known)"},
      {"lseek(3, -46, SEEK_CUR) = 57", "lseek(3, -46, SEEK_CUR) = 57"},
      {"umask(022) = 0022", "umask(022) = 18"},
      {"open(\"/a\", O_RDONLY) = -1 ENOENT (\xe6\xb2\xa1\xe6\x9c\x89)",
       "open(\"/a\", O_RDONLY) = -1 ENOENT (No such file or directory)"},
  });
}

TEST(ImportUnknown, ConstantsHaveTheirValueOrNone) {
  expect({
      {"ioctl(0, SNDCTL_TMR_TIMEBASE or TCGETS, 0x7ffe) = 0", "ioctl(0, TCGETS, 0x7ffe) = 0"},
      {"ioctl(0, _IOC(_IOC_READ, 0x54, 0x30, 0x4), 0x7ffe) = 0", "ioctl(0, TIOCGPTN, 0x7ffe) = 0"},
      {"ioctl(0, _IOC(_IOC_READ|_IOC_WRITE, 0xde, 0xad, 0x10), 0x7ffe) = 0",
       "ioctl(0, 0xc010dead, 0x7ffe) = 0"},
      {"ioctl(0, _IO('T', 0x1), 0x7ffe) = 0", "ioctl(0, TCGETS, 0x7ffe) = 0"},
      {"ioctl(0, _IOC(_IOC_READ, FROB, 0x30, 0x4), 0x7ffe) = 0", "ioctl(0, ?, 0x7ffe) = 0"},
      {"ioctl(0, FROB_GET, 0x7ffe) = 0", "ioctl(0, ?, 0x7ffe) = 0"},
      {"madvise(0x1000, 4096, MADV_TELEPORT) = 0", "madvise(0x1000, 4096, ?) = 0"},
      {"open(\"/a\", O_RDONLY|O_FROB) = 3", "open(\"/a\", ?) = 3"},
      {"mmap(NULL, 8, PROT_READ, MAP_PRIVATE|21<<MAP_HUGE_SHIFT, 3, 0) = 0x7f",
       "mmap(NULL, 8, PROT_READ, MAP_PRIVATE|0x54000000, 3, 0) = 0x7f"},
  });
}

TEST(ImportUnknown, NumbersAreNumbersOrUnknown) {
  expect({
      {"close(12x4) = 0", "close(?) = 0"},
      {"close(0x) = 0", "close(?) = 0"},
      {"close(09) = 0", "close(?) = 0"},
      {"close(99999999999999999999) = 0", "close(?) = 0"},
      {"read(3, \"ab\", 4x) = 2", "read(3, \"ab\", ?) = 2"},
  });
  EXPECT_EQ(imported("close(3) = 1x\n").report.not_understood, 1u);
}

TEST(ImportUnknown, AnEventSaysWhatItLacks) {
  const Imported got =
      imported("read(3, 0x7ffe, FROB) = -1 EFROB (x)\nfstat(3, {st_mode=S_IFREG|0644, st_size=1}) = 0\n");
  ASSERT_EQ(got.trace.events.size(), 2u);
  const Event &read = got.trace.events[0], &stat = got.trace.events[1];
  EXPECT_TRUE(read.knows(0) && read.knows(1) && !read.knows(2));
  EXPECT_TRUE(read.has(kUnknownRet) && read.has(kUnknownValue));
  EXPECT_EQ(read.ret, kUnknownError);
  // Of a pointer that is shown by what it points to only the address is missing: what follows from it does.
  EXPECT_TRUE(stat.knows(0) && !stat.knows(1) && !stat.has(kUnknownValue));
}

TEST(ImportUnknown, CallsOfNoTableAreLeftOutAndCounted) {
  const Imported got = imported(
      "syscall_0xffffffffffffffff(0x1, 0x2) = -1 ENOSYS (Function not implemented)\nfrobnicate(1) = 2\n"
      "close(3) = 0\n");
  EXPECT_EQ(got.lines, "1/1 close(3) = 0\n");
  EXPECT_EQ(lost(got), 2u);
  EXPECT_TRUE(noted(got, "frobnicate"));
  const Imported perf = imported(
      "sh 10/10 1.000001: raw_syscalls:sys_enter: NR -1 (1, 2, 3, 4, 5, 6)\n"
      "sh 10/10 1.000002:  raw_syscalls:sys_exit: NR -1 = -38\n"
      "sh 10/10 1.000003: raw_syscalls:sys_enter: NR 3 (1, 0, 0, 0, 0, 0)\n"
      "sh 10/10 1.000004:  raw_syscalls:sys_exit: NR 3 = 0\n",
      true);
  EXPECT_EQ(perf.lines, "10/10 close(1) = 0\n");
  EXPECT_EQ(lost(perf), 1u);
  EXPECT_EQ(imported("syscall_0x1f4(0x1, 0x2) = 0\n").trace.events[0].nr, 500);
  EXPECT_EQ(imported("SYS_318(0x1) = 0\n").trace.events[0].nr, 318);
}

TEST(ImportUnknown, SignalsAreNamedByNumberToo) {
  const Imported got = imported(
      "7 --- SIGRTMIN {si_signo=SIGRTMIN, si_code=SI_TKILL, si_pid=7, si_uid=0} ---\n"
      "7 --- SIGRT_3 {si_signo=SIGRT_3, si_code=SI_TKILL, si_pid=7, si_uid=0} ---\n"
      "7 --- SIGRT_32 {si_signo=SIGRT_32, si_code=SI_TKILL} ---\n"
      "7 +++ killed by SIGRT_3 +++\n"
      "8 --- SIG_34 {si_signo=SIG_34} ---\n"
      "8 --- 35 {si_signo=35, si_code=-6} ---\n"
      "8 --- stopped by SIGSTOP ---\n"
      "8 --- SIGSEGV (Segmentation fault) @ 0 (0) ---\n"
      "8 +++ killed by SIGSEGV (core dumped) +++\n"
      "9 --- SIGWAITING ---\n");
  std::vector<uint64_t> signals;
  for (const Event& e : got.trace.events) signals.push_back(e.args[0]);
  EXPECT_EQ(signals, (std::vector<uint64_t>{32, 35, 64, 34, 35, 11}));
  EXPECT_EQ(processes(got), "7<0 ? exec 35\n8<0 ? exec 139\n");
  EXPECT_EQ(got.report.not_understood, 1u);  // the one that Linux does not have
  EXPECT_TRUE(got.trace.events[0].knows(1) && !got.trace.events[3].knows(1));
}

TEST(ImportUnknown, NotUnderstoodIsNeverComplete) {
  EXPECT_EQ(lost(imported("close(3) = 0\n")), 0u);
  const Imported got = imported("100 1.5 close(3) = 0\n100 1.6 read(3, \"a\n100 1.7 close(4) = 0\n");
  ASSERT_EQ(got.trace.losses.size(), 1u);
  EXPECT_EQ(got.trace.losses[0].reason, LossReason::kText);
  EXPECT_EQ(lost(imported("100 1.5 <... read resumed>\"a\", 1) = 1\n100 1.6 close(3) = 0\n")), 1u);
  EXPECT_EQ(imported("hello\nworld\n").report.events, 0u);
}

TEST(Import32Bit, PartsKeepTheirTable) {
  // -o: not in the file
  for (const char* const message : {"strace: [ Process PID=77 runs in 32 bit mode. ]\n",
                                    "[ Process PID=77 runs in 32 bit mode. ]\n", ""}) {
    const Imported got =
        imported(std::string("execve(\"./a32\", [\"./a32\"], 0x7ffe /* 3 vars */) = 0\n") + message +
                 "brk(NULL) = 0x804b000\n"
                 "open(\"/etc/hosts\", O_RDONLY) = 3\n"
                 "fstat64(3, {st_mode=S_IFREG|0644, st_size=10, ...}) = 0\n"
                 "mmap2(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) = 0xf7f00000\n"
                 "close(3) = 0\n"
                 "execve(\"./a64\", [\"./a64\"], 0x7ffe /* 3 vars */) = 0\n"
                 "strace: [ Process PID=77 runs in 64 bit mode. ]\n"
                 "close(3) = 0\n");
    std::vector<int32_t> numbers;
    for (const Event& e : got.trace.events) numbers.push_back(e.has(kCompat) ? -e.nr : e.nr);
    EXPECT_EQ(numbers, (std::vector<int32_t>{59, -45, -5, -197, -192, -6, -11, 3})) << message;
    EXPECT_NE(got.lines.find("i386_open(\"/etc/hosts\", "), std::string::npos);
    EXPECT_EQ(got.report.not_understood, 0u);
    for (const Event& e : got.trace.events) EXPECT_EQ(e.tid, 77) << message;
  }
}

TEST(Import32Bit, AChildOfOneIsOne) {
  const Imported got = imported(
      "77 execve(\"./a32\", [\"./a32\"], 0x7ffe /* 3 vars */) = 0\n"
      "77 mmap2(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) = 0xf7f00000\n"
      "77 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f <unfinished ...>\n"
      "78 close(3) = 0\n"
      "77 <... clone resumed>) = 78\n");
  for (const Event& e : got.trace.events) {
    EXPECT_TRUE(e.tid != 78 || e.has(kCompat)) << e.nr;
  }
  EXPECT_EQ(processes(got), "77<0 ./a32 exec -\n78<77 ./a32 fork -\n");
}

}  // namespace
}  // namespace sysvm
