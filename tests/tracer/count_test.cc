// SPDX-License-Identifier: MIT
// Counting without a file: what was issued is what was counted.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "tests/tracer/workload_runs.h"
#include "tracer/elf.h"

namespace sysvm {
namespace {

TEST(Count, AgreesWithTheRecording) {
  for (const auto& args : std::vector<std::vector<std::string>>{{"calls", "1000"},
                                                                {"forks", "50"},
                                                                {"seccomp", "70"},
                                                                {"vforks", "10"},
                                                                {"sigreturn", "30"},
                                                                {"compat", "20"},
                                                                {"page_end", "1"},
                                                                {"stats", "5"}}) {
    const Recorded r = record_workload(workload(args));
    const EntryCounts c = count_workload(workload(args));
    EXPECT_EQ(c.entries, r.report.calls) << args[0];
    EXPECT_EQ(entries_of(c, "getppid"), r.marks()) << args[0];
    EXPECT_EQ(c.left_running, 0u);
    uint64_t by_thread = 0;
    for (const ThreadCount& t : c.threads) by_thread += t.entries;
    EXPECT_EQ(by_thread, c.entries) << args[0];
    EXPECT_EQ(c.tasks, c.threads.size()) << args[0];
  }
}

TEST(Count, TellsTheEntriesOfOneFileApart) {
  // getppid is called through libc's syscall(), so all marks lie in libc, and the calls of ld.so do not.
  const Recorded r = record_workload(workload({"calls", "10"}));
  std::string libc;
  for (const Mapping& m : r.trace.mappings)
    if (m.path.find("libc.so") != std::string::npos) libc = m.path;
  ASSERT_FALSE(libc.empty());
  const EntryCounts c = count_workload(workload({"forks", "20"}), libc);
  uint64_t marks_inside = 0;
  for (const CallCount& call : c.calls)
    if (call.name == "getppid") marks_inside = call.inside;
  EXPECT_EQ(marks_inside, 20u);
  EXPECT_GT(c.inside, 20u);
  EXPECT_LT(c.inside, c.entries);
  EXPECT_EQ(count_workload(workload({"calls", "10"}), "/bin/sh").inside, 0u);
}

TEST(Count, RunsTheCommandAsItIsTold) {
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  CountOptions options;
  options.backend = backend;
  options.command.argv = {"sh", "-c", "pwd; echo $MARK; exit 7"};
  options.command.env = std::vector<std::string>{"MARK=here", "PATH=/usr/bin:/bin"};
  options.command.cwd = "/usr";
  options.command.fds = {-1, out[1], -1};
  int exit_code = 0;
  auto counts = count_entries(options, exit_code);
  close(out[1]);
  ASSERT_TRUE(counts) << counts.message();
  char text[64] = {};
  EXPECT_GT(read(out[0], text, sizeof text - 1), 0);
  close(out[0]);
  EXPECT_STREQ(text, "/usr\nhere\n");
  EXPECT_EQ(WEXITSTATUS(counts->wait_status), 7);
  EXPECT_GT(counts->wall_ns, 0u);
}

TEST(Count, SaysWhyACommandCannotRun) {
  CountOptions options;
  options.backend = backend;
  int exit_code = 0;
  options.command.argv = {"no-such-command-anywhere"};
  auto missing = count_entries(options, exit_code);
  ASSERT_FALSE(missing);
  EXPECT_EQ(exit_code, 127);
  EXPECT_EQ(missing.message(), "no-such-command-anywhere: command not found");
  options.command.argv = {"/etc/passwd"};
  auto denied = count_entries(options, exit_code);
  ASSERT_FALSE(denied);
  EXPECT_EQ(exit_code, 126);
}

}  // namespace
}  // namespace sysvm
