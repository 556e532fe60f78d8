// SPDX-License-Identifier: MIT
// Logs as people paste them: with strace's own messages in the middle of lines, what the program printed,
// dumps, tables, stacks, the endings of other systems.
#include "tests/traces/imported.h"
#include "traces/strace_args.h"
#include "traces/strace_lines.h"

namespace sysvm {
namespace {

TEST(ImportPasted, AMessageInTheMiddleOfALineLosesNothing) {
  const Imported got = imported(
      "[pid 500] clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLDstrace: "
      "Process 501 attached\n"
      " <unfinished ...>\n"
      "[pid 501] close(4) = 0\n"
      "[pid 500] <... clone resumed>, child_tidptr=0x7f5) = 501\n"
      "[pid 500] exit_group(0strace: Process 502 attached\n"
      ")               = ?\n");
  EXPECT_EQ(got.lines,
            "500/500 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, "
            "child_tidptr=0x7f5) = 501\n"
            "501/501 clone(child_stack=NULL, flags=0) = 0 child\n"
            "501/501 close(4) = 0\n"
            "500/500 exit_group(0) = ?\n");
  EXPECT_EQ(got.report.not_understood, 0u);
  EXPECT_EQ(processes(got), "500<0 ? exec 0\n501<500 ? fork -\n");
}

TEST(ImportPasted, SeveralMessagesMayCutOneLine) {
  const Imported got = imported(
      "[pid 500] vfork(strace: Process 501 attached\n"
      "strace: Process 502 attached\n"
      "strace: [ Process PID=501 runs in 64 bit mode. ]\n"
      " <unfinished ...>\n"
      "[pid 501] read(3strace: Process 503 attached\n"
      ", \"x\", 1)    = 1\n"
      "[pid 500] <... vfork resumed>)        = 501\n");
  EXPECT_EQ(got.lines, "500/500 vfork() = 501\n501/501 vfork() = 0 child\n501/501 read(3, \"x\", 1) = 1\n");
  EXPECT_EQ(got.report.not_understood, 0u);
}

TEST(ImportPasted, TheMessagesOfOldVersionsHaveNoName) {
  const Imported got = imported(
      "clone(Process 101 attached\n"
      "child_stack=0, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 101\n"
      "[pid   101] close(4)                    = 0\n");
  EXPECT_EQ(got.lines,
            "1/1 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f) = 101\n"
            "101/101 clone(child_stack=NULL, flags=0) = 0 child\n"
            "101/101 close(4) = 0\n");
}

TEST(ImportPasted, AMessageInsideAStringIsText) {
  const Imported got = imported("100 1.5 write(2, \"strace: Process 5 attached\", 26) = 26\n");
  EXPECT_EQ(got.lines, "100/100 write(2, \"strace: Process 5 attached\", 26) = 26\n");
}

TEST(ImportPasted, OldAttachLinesAreNoCallsAndTheLastThreadNeedsNoId) {
  const Imported got = imported(
      "Process 101 attached\n"
      "[pid   100] read(3,  <unfinished ...>\n"
      "[pid   101] close(4) = 0\n"
      "Process 100 suspended\n"
      "[pid   101] exit_group(0) = ?\n"
      "Process 100 resumed\n"
      "Process 101 detached\n"
      "[pid   100] <... read resumed> \"x\", 1) = 1\n"
      "--- SIGCHLD (Child exited) @ 0 (0) ---\n"
      "close(3) = 0\n");
  EXPECT_EQ(got.lines,
            "100/100 read(3, \"x\", 1) = 1\n"
            "101/101 close(4) = 0\n"
            "101/101 exit_group(0) = ?\n"
            "100/100 --- SIGCHLD {si_signo=SIGCHLD} ---\n"
            "100/100 close(3) = 0\n");
  EXPECT_EQ(got.report.not_understood, 0u);
}

TEST(ImportPasted, DumpsTablesStacksAndBlankLinesBelongToNoCall) {
  const Imported got = imported(
      "\xef\xbb\xbfread(3, \"abcdefgh\", 4096) = 8\r\n"
      " | 00000  61 62 63 64 65 66 67 68                           abcdefgh         |\r\n"
      "\r\n"
      "writev(1, [{iov_base=\"abc\", iov_len=3}], 1) = 3\n"
      "* 3 bytes in buffer 0\n"
      " | 00000  61 62 63                                          abc              |\n"
      "close(3) = 0\n"
      " > /usr/lib/x86_64-linux-gnu/libc.so.6(__close+0x17) [0xf7a17]\n"
      " > ./a(main+0x12) [0x1152]\n"
      "+++ exited with 0 +++\n"
      "% time     seconds  usecs/call     calls    errors syscall\n"
      "------ ----------- ----------- --------- --------- ----------------\n"
      " 60.00    0.000012           4         3         1 openat\n"
      "  0.00    0.000000           0         3           read\n"
      "------ ----------- ----------- --------- --------- ----------------\n"
      "100.00    0.000012                     6         1 total\n");
  EXPECT_EQ(got.lines,
            "1/1 read(3, \"abcdefgh\", 4096) = 8\n1/1 writev(1, {...}, 1) = 3\n1/1 close(3) = 0\n");
  EXPECT_EQ(got.report.not_understood, 0u) << got.report.examples.front();
}

TEST(ImportPasted, ATableAloneMakesNoTrace) {
  const Imported got = imported(
      "% time     seconds  usecs/call     calls    errors syscall\n"
      "------ ----------- ----------- --------- --------- ----------------\n"
      "  0.00    0.000000           0         3           read\n"
      "------ ----------- ----------- --------- --------- ----------------\n"
      "100.00    0.000000                     3           total\n");
  EXPECT_EQ(got.report.events, 0u);
}

TEST(ImportPasted, AnUnfinishedTableDoesNotSwallowTheLog) {
  const Imported got = imported(
      "% time     seconds  usecs/call     calls    errors syscall\n"
      "------ ----------- ----------- --------- --------- ----------------\n"
      "  0.00    0.000000           0         3           read\n"
      "close(3) = 0\nhello\n");
  EXPECT_EQ(got.lines, "1/1 close(3) = 0\n");
  EXPECT_EQ(got.report.not_understood, 1u);
}

TEST(ImportPasted, WhatTheProgramPrintedMeanwhileIsNoneOfTheCall) {
  const Imported got = imported(
      "write(1, \"one\\ntwo\\n\", 8one\n"
      "two\n"
      ")               = 8\n"
      "write(1, \"abc\", 3abc)                     = 3\n"
      "write(2, \"x\\n\\ny\\n\", 5x\n"
      "\n"
      "y\n"
      ")  = 5\n"
      "close(1)                                = 0\n");
  EXPECT_EQ(got.lines,
            "1/1 write(1, \"one\\ntwo\\n\", 8) = 8\n"
            "1/1 write(1, \"abc\", 3) = 3\n"
            "1/1 write(2, \"x\\n\\ny\\n\", 5) = 5\n"
            "1/1 close(1) = 0\n");
  EXPECT_EQ(got.report.not_understood, 0u);
}

TEST(ImportPasted, WhatAProgramPrintedMayLookLikeAnything) {
  const Imported got = imported(
      "copy_file_range(3, NULL, 1, NULL, 9223372035781033984, 0one\n"
      "two\"\n"
      ") = 8\n"
      "close(3)                                = 0\n");
  EXPECT_EQ(got.lines,
            "1/1 copy_file_range(3, NULL, 1, NULL, 9223372035781033984, ?) = 8\n1/1 close(3) = 0\n");
  EXPECT_EQ(got.report.not_understood, 0u);
}

TEST(ImportPasted, ACallWithoutItsEndDoesNotTakeTheNextWithIt) {
  const Imported got =
      imported("100 1.5 read(3, \"ab\n100 1.6 close(3) = 0\n100 1.7 close(4) = 0\n100 1.8 openat(AT_FDC");
  EXPECT_EQ(got.lines, "100/100 close(3) = 0\n100/100 close(4) = 0\n");
  EXPECT_EQ(got.report.not_understood, 2u);
  EXPECT_EQ(lost(got), 2u);
}

TEST(ImportPasted, ColoursAreNoText) {
  const Imported got = imported("\033[1mclose\033[0m(3) = \033[32m0\033[0m\n");
  EXPECT_EQ(got.lines, "1/1 close(3) = 0\n");
}

TEST(ImportPasted, ContextsOfSelinuxAreSkipped) {
  const Imported got = imported(
      "100 [unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023] openat(AT_FDCWD "
      "[unconfined_u:object_r:user_home_t:s0], \"/etc/passwd\" "
      "[system_u:object_r:passwd_file_t:s0!!system_u:object_r:etc_t:s0], O_RDONLY) = 3</etc/passwd> "
      "[system_u:object_r:passwd_file_t:s0]\n"
      "100 [unconfined_u:unconfined_r:unconfined_t:s0] read(3</etc/passwd> "
      "[system_u:object_r:passwd_file_t:s0], \"r\", 1) = 1\n");
  EXPECT_EQ(got.lines,
            "100/100 openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY) = 3\n100/100 read(3, \"r\", 1) = 1\n");
}

// As strace 6.1 -f -qq -k writes it when 101 exits.
TEST(ImportPasted, TheStackOfAnotherThreadMayCutALine) {
  const Imported got = imported(
      "101 exit_group(1)         = ?\n"
      "102 close(0 > /usr/lib/libc.so.6(_exit+0x29) [0xd4409]\n"
      " > /usr/bin/cat(+0x0) [0x3151]\n"
      "102 <... close resumed>)              = 0\n"
      " > /usr/lib/libc.so.6(__close+0x10) [0xf89f0]\n"
      "102 write(1, \"( > /a() [0x1]\", 14) = 14\n");
  EXPECT_EQ(got.lines,
            "101/101 exit_group(1) = ?\n102/102 close(0) = 0\n"
            "102/102 write(1, \"( > /a() [0x1]\", 14) = 14\n");
  EXPECT_EQ(got.report.not_understood, 0u);
}

TEST(ImportPasted, PathsOfDescriptorsMayHaveAnything) {
  for (const char* const path :
       {"/etc/passwd-", "/a->b", "/a>", "/a, 5) = 7", "/a\\74b\\76", "/dev/null<char 1:3>", "pipe:[123]",
        "TCP:[127.0.0.1:1->127.0.0.1:2]", "TCPv6:[[::1]:80->[::1]:5]", "UNIX-STREAM:[1->2, \"/a->b\"]",
        "anon_inode:[eventpoll]", "/a[b", "/tmp/x (deleted)", "/a>b"}) {
    const Imported got = imported(
        fmt::format("fstat(3<{0}>, {{st_mode=S_IFREG|0644, st_size=10, ...}}) = 0\n"
                    "read(3<{0}>, \"abc\", 4096) = 3\ndup2(3<{0}>, 4<{0}>) = 4<{0}>\nclose(3<{0}>) = 0\n",
                    path));
    EXPECT_EQ(got.lines,
              "1/1 fstat(3, {st_mode=S_IFREG|0644, st_size=10, ...}) = 0\n1/1 read(3, \"abc\", 4096) = 3\n"
              "1/1 dup2(3, 4) = 4\n1/1 close(3) = 0\n")
        << path;
  }
  EXPECT_EQ(imported("close(3</tmp/x>(deleted)) = 0\n").lines, "1/1 close(3) = 0\n");
}

TEST(ImportPasted, LongLinesAndBytesThatAreNoTextAreRead) {
  const std::string name(70'000, 'x');
  const Imported got =
      imported("open(\"/" + name +
               "\", O_RDONLY) = -1 ENAMETOOLONG (File name too long)\nopen(\"/\xff\xfe\", O_RDONLY) = 3\n");
  ASSERT_EQ(got.trace.events.size(), 2u);
  EXPECT_EQ(got.trace.strings[got.trace.events[0].path[0]].size(), name.size() + 1);
  EXPECT_EQ(got.trace.strings[got.trace.events[1].path[0]], "/\xff\xfe");
}

}  // namespace
}  // namespace sysvm
