// SPDX-License-Identifier: MIT
// Threads and processes of imported text: who made whom, what ran in it, and ids that are used again.
#include "tests/traces/imported.h"

namespace sysvm {
namespace {

TEST(ImportTasks, AChildMayExecBeforeItsMakerReturns) {
  const Imported got = imported(
      "100 clone3({flags=CLONE_VM|CLONE_VFORK|CLONE_CLEAR_SIGHAND, exit_signal=SIGCHLD, stack=0x7f00, "
      "stack_size=0x9000}, 88 <unfinished ...>\n"
      "101 rt_sigprocmask(SIG_BLOCK, NULL, ~[KILL STOP], 8) = 0\n"
      "101 execve(\"/bin/ls\", [\"ls\"], 0x7 /* 1 var */) = 0\n"
      "100 <... clone3 resumed>) = 101\n"
      "100 wait4(101, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 101\n");
  EXPECT_EQ(processes(got), "100<0 ? exec -\n101<100 ? fork -\n101<0 /bin/ls exec -\n");
  // The same with the exec as the child's first call.
  const Imported first = imported(
      "100 1.1 vfork( <unfinished ...>\n"
      "101 1.2 execve(\"/bin/ls\", [\"ls\"], 0x7 /* 1 var */ <unfinished ...>\n"
      "100 1.3 <... vfork resumed>) = 101\n"
      "101 1.4 <... execve resumed>) = 0\n"
      "101 1.5 +++ exited with 3 +++\n");
  EXPECT_EQ(processes(first), "100<0 ? exec -\n101<100 ? fork -\n101<0 /bin/ls exec 768\n");
}

TEST(ImportTasks, AChildMayBeGoneBeforeItsMakerReturns) {
  const Imported got = imported(
      "100 1.1 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>\n"
      "101 1.2 close(3) = 0\n"
      "101 1.3 exit_group(2) = ?\n"
      "101 1.4 +++ exited with 2 +++\n"
      "100 1.5 <... clone resumed>) = 101\n");
  EXPECT_EQ(processes(got), "100<0 ? exec -\n101<100 ? fork 512\n");
}

TEST(ImportTasks, ThreadsOfClone3AreThreads) {
  for (const char* const call : {
           "clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD|CLONE_SETTLS, child_tid=0x7f, exit_signal=0} => "
           "{parent_tid=[11]}, 88) = 11\n",
           "clone3({flags=CLONE_VM|CLONE_FROB|CLONE_THREAD, exit_signal=0}, 88) = 11\n",
           "clone3({flags=0x3d0f00, exit_signal=0}, 88) = 11\n",
           "clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD|CLONE_FROB) = 11\n",
           "clone3({flags=CLONE_VM|CLONE_THREAD <unfinished ...>\n"
           "10 <... clone3 resumed>, child_tid=0x7f} => {parent_tid=[11]}, 88) = 11\n",
           "clone3(0x7ffe, 0x58) = 11\n",  // -e raw: what it does at its end tells
       }) {
    const Imported got =
        imported(std::string("10 ") + call +
                 "11 close(3) = 0\n11 exit(0) = ?\n11 +++ exited with 0 +++\n10 close(4) = 0\n");
    EXPECT_NE(got.lines.find("10/11 close(3) = 0\n"), std::string::npos) << call << got.lines;
    EXPECT_EQ(got.trace.processes.size(), 1u) << call;
  }
}

TEST(ImportTasks, WhatAParentWaitsForIsAProcess) {
  const Imported got =
      imported("10 clone3(0x7ffe, 0x58) = 11\n11 close(3) = 0\n10 wait4(11, NULL, 0, NULL) = 11\n");
  EXPECT_EQ(processes(got), "10<0 ? exec -\n11<10 ? fork -\n");
  EXPECT_FALSE(noted(got, "clone3"));
  EXPECT_TRUE(noted(imported("10 clone3(0x7ffe, 0x58) = 11\n11 close(3) = 0\n"), "taken as a process"));
}

TEST(ImportTasks, AnIdThatIsUsedAgainIsAnother) {
  const Imported got = imported(
      "10 1.1 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD) = 11\n"
      "11 1.2 close(3) = 0\n"
      "11 1.3 exit(0) = ?\n"
      "11 1.4 +++ exited with 0 +++\n"
      "10 1.5 clone(child_stack=NULL, flags=SIGCHLD) = 20\n"
      "20 1.6 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>\n"
      "11 1.7 close(4) = 0\n"
      "20 1.8 <... clone resumed>) = 11\n"
      "11 1.9 exit_group(1) = ?\n"
      "11 2.0 +++ exited with 1 +++\n");
  EXPECT_EQ(got.lines,
            "10/10 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD) = 11\n"
            "10/11 clone(child_stack=NULL, flags=0) = 0 child\n"
            "10/11 close(3) = 0\n10/11 exit(0) = ?\n"
            "10/10 clone(child_stack=NULL, flags=SIGCHLD) = 20\n"
            "20/20 clone(child_stack=NULL, flags=0) = 0 child\n"
            "20/20 clone(child_stack=NULL, flags=SIGCHLD) = 11\n"
            "11/11 clone(child_stack=NULL, flags=0) = 0 child\n"
            "11/11 close(4) = 0\n11/11 exit_group(1) = ?\n");
  EXPECT_EQ(processes(got), "10<0 ? exec -\n20<10 ? fork -\n11<20 ? fork 256\n");
  std::vector<uint32_t> numbers;
  for (const Event& e : got.trace.events)
    if (e.tid == 11) numbers.push_back(e.seq);
  EXPECT_EQ(numbers, (std::vector<uint32_t>{0, 1, 2, 0, 1, 2}));
}

TEST(ImportTasks, TheEndOfAnIdMayBeQuiet) {  // strace -q=exit
  const Imported got = imported(
      "10 1.1 fork() = 11\n11 1.2 exit_group(3) = ?\n10 1.3 fork() = 12\n12 1.4 fork() = 11\n"
      "11 1.5 close(1) = 0\n");
  EXPECT_EQ(processes(got), "10<0 ? exec -\n11<10 ? fork 768\n12<10 ? fork -\n11<12 ? fork -\n");
}

TEST(ImportTasks, AChildsIdIsThatOfTheTracersNamespace) {
  const Imported got = imported("10 1.1 fork() = 3 /* 11 in strace's PID NS */\n11 1.2 close(1) = 0\n");
  EXPECT_EQ(processes(got), "10<0 ? exec -\n11<10 ? fork -\n");
}

TEST(ImportTasks, AThreadsExecGoesOnUnderTheFirstId) {
  for (const char* const text :
       {"11 1.2 execve(\"/bin/ls\", [\"ls\"], 0x7 /* 1 var */ <unfinished ...>\n"
        "10 1.3 +++ superseded by execve in pid 11 +++\n",
        "11 1.2 execve(\"/bin/ls\", [\"ls\"], 0x7 /* 1 var */ <pid changed to 10 ...>\n"}) {
    const Imported got =
        imported(std::string("10 1.1 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD) = 11\n") + text +
                 "10 1.4 <... execve resumed>) = 0\n10 1.5 +++ exited with 0 +++\n");
    EXPECT_EQ(processes(got), "10<0 ? exec -\n10<0 /bin/ls exec 0\n") << text;
    EXPECT_EQ(got.report.not_understood, 0u);
  }
}

TEST(ImportTasks, HalvesOfDifferentCallsAreNotJoined) {
  const Imported got =
      imported("10 1.1 read(3,  <unfinished ...>\n10 1.2 <... write resumed>, 4) = 4\n10 1.3 close(3) = 0\n");
  EXPECT_EQ(got.lines, "10/10 read(3, {...}, ?) = ?\n10/10 close(3) = 0\n");
  EXPECT_EQ(lost(got), 2u);
}

TEST(ImportTasks, RestartedCallsKeepTheirName) {
  const Imported got = imported(
      "10 1.1 poll([{fd=3, events=POLLIN}], 1, 100) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)\n"
      "10 1.2 --- SIGCONT {si_signo=SIGCONT, si_code=SI_USER, si_pid=1, si_uid=0} ---\n"
      "10 1.3 restart_syscall(<... resuming interrupted poll ...>) = 0\n");
  EXPECT_EQ(got.lines,
            "10/10 poll({...}, 1, 100) = ? ERESTART_RESTARTBLOCK\n"
            "10/10 --- SIGCONT {si_signo=SIGCONT, si_code=SI_USER} ---\n"
            "10/10 restart_syscall() = 0\n");
}

}  // namespace
}  // namespace sysvm
