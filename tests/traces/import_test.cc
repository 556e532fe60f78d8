// SPDX-License-Identifier: MIT
// Text of strace and perf script, and what becomes of it: thread, process, call and result, as strace_text.h
// writes them. What the text does not show reads "?".
#include "traces/import.h"

#include <sstream>

#include "tests/traces/imported.h"
#include "traces/strace_args.h"

namespace sysvm {
namespace {

TEST(ImportStrace, ReadsCallsStringsErrorsAndTimes) {
  const Imported got = imported(
      "100 1700000000.000001 openat(AT_FDCWD</tmp/a,b(c>, \"x\\n"
      "\\\"\\1\\x41.h\", O_RDONLY|O_CLOEXEC) = 3</tmp/x, y> <0.000250>\n"
      "100 1700000000.000300 read(3</tmp/x>, \"a, b) = 7\"..., 4096) = 4096 <0.000010>\n"
      "100 1700000000.000400 newfstatat(AT_FDCWD, \"y\", 0x7ffe0, AT_SYMLINK_NOFOLLOW) = -1 ENOENT (No such "
      "file or directory) <0.1>\n"
      "100 1700000000.000500 fstat(3, {st_mode=S_IFREG|0644, st_size=12, ...}) = 0 <0.000001>\n"
      "100 1700000000.000600 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = "
      "0x7fbd38bca000 <0.1>\n"
      "100 1700000000.000700 fcntl(3, F_GETFD)        = 0x1 (flags FD_CLOEXEC) <0.1>\n"
      "100 1700000000.000800 poll([{fd=3, events=POLLIN}], 1, -1) = 1 ([{fd=3, revents=POLLIN}]) <0.1>\n"
      "100 1700000000.000900 exit_group(7)   = ?\n"
      "100 1700000000.001000 +++ exited with 7 +++\n");
  EXPECT_EQ(
      got.lines,
      "100/100 openat(AT_FDCWD, \"x\\n\\\"\\001A.h\", O_RDONLY|O_CLOEXEC) = 3\n"
      "100/100 read(3, \"a, b) = 7\"..., 4096) = 4096\n"
      "100/100 newfstatat(AT_FDCWD, \"y\", 0x7ffe0, AT_SYMLINK_NOFOLLOW) = -1 ENOENT (No such file or "
      "directory)\n"
      "100/100 fstat(3, {st_mode=S_IFREG|0644, st_size=12, ...}) = 0\n"
      "100/100 mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7fbd38bca000\n"
      "100/100 fcntl(3, F_GETFD) = 1\n"
      "100/100 poll({...}, 1, -1) = 1\n"
      "100/100 exit_group(7) = ?\n");
  EXPECT_EQ(got.report.not_understood, 0u);
  EXPECT_EQ(got.trace.events[0].ts_ns, 1700000000'000001000u);
  EXPECT_EQ(got.trace.events[0].dur_ns, 250'000u);
  EXPECT_EQ(got.trace.header.realtime_ns, 1700000000'000001000u);
  ASSERT_EQ(got.trace.processes.size(), 1u);
  EXPECT_EQ(*got.trace.processes[0].exit_status, 7 << 8);
  for (uint32_t i = 0; i < got.trace.events.size(); ++i) EXPECT_EQ(got.trace.events[i].seq, i);
}

TEST(ImportStrace, JoinsUnfinishedCallsAndTellsThreadsFromProcesses) {
  const Imported got = imported(
      "10 1.000001 execve(\"/bin/sh\", [\"sh\", \"-c\", \"a \\\"b\\\"\"...], 0x7ffd /* 37 vars */) = 0\n"
      "10 1.000002 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD "
      "<unfinished ...>\n"
      "11 1.000003 close(3<pipe:[1]> <unfinished ...>\n"
      "10 1.000004 <... clone resumed>, child_tidptr=0x7fbd389d9a10) = 11\n"
      "10 1.000005 wait4(-1,  <unfinished ...>\n"
      "11 1.000006 <... close resumed>)        = 0\n"
      "11 1.000007 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, child_tid=0x7f, exit_signal=0} => "
      "{parent_tid=[12]}, 88) = 12\n"
      "12 1.000008 read(0,  <unfinished ...>\n"
      "11 1.000009 exit_group(0)     = ?\n"
      "12 1.000010 <... read resumed> <unfinished ...>) = ?\n"
      "12 1.000011 +++ exited with 0 +++\n"
      "11 1.000012 +++ exited with 0 +++\n"
      "10 1.000013 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11\n"
      "10 1.000014 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=11, si_uid=0} ---\n"
      "10 1.000015 nanosleep({tv_sec=1, tv_nsec=0}, 0x7f) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)\n"
      "10 1.000016 +++ killed by SIGSEGV (core dumped) +++\n");
  EXPECT_EQ(got.lines,
            "10/10 execve(\"/bin/sh\", [\"sh\", \"-c\", \"a \\\"b\\\"\"], 0x7ffd) = 0\n"
            "10/10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, "
            "child_tidptr=0x7fbd389d9a10) = 11\n"
            "11/11 clone(child_stack=NULL, flags=0) = 0 child\n"
            "11/11 close(3) = 0\n"
            "10/10 wait4(-1, {...}, 0, NULL) = 11\n"
            "11/11 clone3({...}, 88) = 12\n"
            "11/12 clone3(NULL, 0) = 0 child\n"
            "11/12 read(0, {...}, ?) = ?\n"
            "11/11 exit_group(0) = ?\n"
            "10/10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---\n"
            "10/10 nanosleep({...}, 0x7f) = ? ERESTART_RESTARTBLOCK\n");
  EXPECT_EQ(got.report.not_understood, 0u) << got.report.examples.front();
  ASSERT_EQ(got.trace.processes.size(), 2u);
  EXPECT_EQ(got.trace.processes[0].argv, (std::vector<std::string>{"sh", "-c", "a \"b\""}));
  EXPECT_EQ(*got.trace.processes[0].exit_status, 11 | 0x80);
  EXPECT_EQ(got.trace.processes[1].parent, 10);
  EXPECT_FALSE(got.trace.processes[1].execed);
  EXPECT_EQ(*got.trace.processes[1].exit_status, 0);
}

// The same call with everything that strace can put around it.
TEST(ImportStrace, KnowsAllDecorations) {
  for (const char* line : {
           "close(3) = 0",
           "close(3)                                = 0",
           "100 close(3) = 0",
           "[pid   100] close(3) = 0",
           "[pid 100<cat>] close(3</a<char 1:3>>) = 0",
           "100<cat> 12:00:01 close(3) = 0",
           "100 12:00:01.123456 close(3) = 0 <0.000012>",
           "12:00:01.123456 (+     0.000012) close(3) = 0",
           "     0.000123 close(3) = 0",
           "1700000000 close(3) = 0",
           "1700000000.123456789 close(3) = 0",
           "100 [   3] [00007f49f5919ad7] close(3) = 0",
           "100 1700000000.123456 close(3<TCP:[127.0.0.1:1->127.0.0.1:2]>) = 0 (INJECTED)\r",
       }) {
    const Imported got = imported(std::string(line) + "\n > /usr/lib/libc.so.6(read+0x12) [0x10a]\n");
    EXPECT_EQ(got.report.not_understood, 0u) << line;
    ASSERT_EQ(got.trace.events.size(), 1u) << line;
    EXPECT_NE(got.lines.find("close(3) = 0\n"), std::string::npos) << line << ": " << got.lines;
  }
}

TEST(ImportStrace, TellsWhatItDoesNotUnderstand) {
  const Imported got = imported(
      "100 1.5 close(3) = 0\nhello world\n100 1.6 open(\"no end = 3\n100 1.7 frobnicate(1) = 2\n"
      "100 1.8 madvise(0x1000, 4096, MADV_TELEPORT) = 0\n");
  EXPECT_EQ(got.report.not_understood, 2u);
  ASSERT_EQ(got.report.examples.size(), 2u);
  EXPECT_EQ(got.report.examples[0], "line 2: hello world");
  std::string notes;
  for (const std::string& note : got.report.notes) notes += note + "\n";
  EXPECT_NE(notes.find("frobnicate"), std::string::npos) << notes;
  EXPECT_NE(notes.find("MADV_TELEPORT"), std::string::npos) << notes;
  ASSERT_EQ(got.trace.events.size(), 2u);
  EXPECT_FALSE(got.trace.events[1].knows(2));
  EXPECT_EQ(lost(got), 3u);  // the two lines, and the call that no table has
}

TEST(ImportStrace, SurvivesAnyText) {
  const std::string good =
      "100 1.5 openat(AT_FDCWD</a>, \"x\\n\", O_RDONLY|O_CLOEXEC) = 3</x> <0.1>\n"
      "100 1.6 read(3, [{a=1}], 1<<3) = ?\n"
      "[pid 7] <... x resumed>\n7 12:00:00 clone(flags=1) = 9\n9 --- SIGCHLD {si_code=1} ---\n"
      "9 +++ killed by SIGKILL +++\n";
  uint32_t state = 1;
  for (int round = 0; round < 300; ++round) {
    std::string text = good;
    for (int changes = 0; changes < 3; ++changes) {
      state = state * 1664525 + 1013904223;
      text[state % text.size()] = "<>()[]{}\"\\,= /*0x|~\n"[(state >> 16) % 20];
    }
    imported(text);
  }
}

TEST(ImportPerf, JoinsTheHalvesOfCalls) {
  const Imported got = imported(
      "              sh 10/10 [001] 13065.701466:  raw_syscalls:sys_exit: NR 59 = 0\n"
      "          my cat 10/10 13065.702443000: raw_syscalls:sys_enter: NR 56 (1200011, 0, 0, 7f1ea0bf7a10, "
      "0, 1)\n"
      "              sh 10/10 13065.702631:  raw_syscalls:sys_exit: NR 56 = 11\n"
      "              sh 11/11 13065.708971:  raw_syscalls:sys_exit: NR 56 = 0\n"
      "              sh 11/12 13065.709000: raw_syscalls:sys_enter: NR 0 (3, 7ffd, 1000, 0, 0, 0)\n"
      "              sh 11/11 13065.709001: raw_syscalls:sys_enter: NR 3 (ffffffff, 0, 0, 0, 0, 0)\n"
      "              sh 11/12 13065.709002:  raw_syscalls:sys_exit: NR 0 = -9\n"
      "              sh 11/11 13065.709003:  raw_syscalls:sys_exit: NR 3 = 0\n"
      "              sh 11/11 13065.710358: raw_syscalls:sys_enter: NR 231 (2, e7, 3c, 0, 0, 0)\n",
      true);
  EXPECT_EQ(got.lines,
            "10/10 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, "
            "child_tidptr=0x7f1ea0bf7a10) = 11\n"
            "11/11 clone(child_stack=NULL, flags=0) = 0 child\n"
            "11/12 read(3, 0x7ffd, 4096) = -1 EBADF (Bad file descriptor)\n"
            "11/11 close(-1) = 0\n"
            "11/11 exit_group(2) = ?\n");
  EXPECT_EQ(got.trace.events[0].dur_ns, 188'000u);
  EXPECT_EQ(got.report.not_understood, 0u) << got.report.examples.front();
}

TEST(ImportFormat, IsGuessedFromTheText) {
  auto guess = [](const char* text) {
    std::istringstream in(text);
    return guess_import_format(in);
  };
  EXPECT_EQ(guess("100 1.5 close(3)  = 0\n"), ImportFormat::kStrace);
  EXPECT_EQ(guess("# x\n sh 1 [0] 1.5: raw_syscalls:sys_exit: NR 3 = 0\n"), ImportFormat::kPerfScript);
  EXPECT_EQ(guess("     0.000 ( 0.007 ms): ls/1234 close(fd: 3) = 0\n"), ImportFormat::kPerfTrace);
  EXPECT_EQ(guess("hello\n"), ImportFormat::kUnknown);
}

TEST(StraceConstants, AreEvaluated) {
  EXPECT_EQ(constant("O_WRONLY|O_CREAT|0x100000"), 0x100041u);
  EXPECT_EQ(constant("AT_FDCWD"), ~0ull - 99);
  EXPECT_EQ(constant("-1"), ~0ull);
  EXPECT_EQ(constant("0644"), 0644u);
  EXPECT_EQ(constant("1<<3|2"), 10u);
  EXPECT_EQ(constant("makedev(0x8, 0x1)"), 0x801u);
  EXPECT_EQ(constant("TCGETS or SNDCTL_TMR_TIMEBASE"), 0x5401u);
  EXPECT_EQ(constant("SIGRT_3"), 35u);
  EXPECT_FALSE(constant("NO_SUCH_NAME"));
  EXPECT_FALSE(constant("1 2"));
  EXPECT_FALSE(constant(""));
}

}  // namespace
}  // namespace sysvm
