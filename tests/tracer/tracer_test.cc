// SPDX-License-Identifier: MIT
// Programs that know their own calls, recorded and counted: what was issued is what is in the trace. The same
// tests for both backends: tracer_test --backend=bpf|ptrace. Without the rights for eBPF it says so and ends
// with 77 (skipped).
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include "tests/tracer/workload_runs.h"
#include "tracer/bpf_session.h"
#include "tracer/counter.h"
#include "tracer/elf.h"
#include "tracer/recorder.h"
#include "traces/reader.h"

namespace sysvm {
namespace {

TEST(Record, BeginsWithTheExecAndSeesEveryCall) {
  const Recorded r = record_workload(workload({"calls", "1000"}));
  ASSERT_FALSE(r.trace.events.empty());
  EXPECT_EQ(r.trace.events.front().nr, SYS_execve);
  EXPECT_EQ(r.trace.strings[r.trace.events.front().path[0]], SYSVM_WORKLOAD);
  EXPECT_EQ(r.marks(), 1000u);
  EXPECT_EQ(r.all(SYS_execve).size(), 1u);
  ASSERT_EQ(r.all(SYS_exit_group).size(), 1u);
  EXPECT_TRUE(r.all(SYS_exit_group)[0].has(kNoExit));
  for (const Event& e : r.all(SYS_getppid)) EXPECT_EQ(e.ret, getpid());
  EXPECT_TRUE(WIFEXITED(r.report.wait_status) && WEXITSTATUS(r.report.wait_status) == 0);
}

TEST(Record, FollowsAForkStorm) {
  const Recorded r = record_workload(workload({"forks", "300"}));
  EXPECT_EQ(r.marks(), 300u);
  EXPECT_EQ(r.report.processes, 301u);
  size_t child_returns = 0;
  for (const Event& e : r.trace.events) child_returns += e.has(kForkChild);
  EXPECT_EQ(child_returns, 300u);
  size_t ended_with_1 = 0;
  for (const auto& [pid, status] : r.ends()) ended_with_1 += status == 0x100;
  EXPECT_EQ(r.ends().size(), 301u);
  EXPECT_EQ(ended_with_1, 150u);
}

TEST(Record, FollowsThreads) {
  const Recorded r = record_workload(workload({"threads", "2000"}));
  EXPECT_EQ(r.marks(), 16000u);
  EXPECT_EQ(r.report.processes, 1u);
  EXPECT_EQ(r.report.threads, 9u);
  std::map<int32_t, size_t> marks;
  for (const Event& e : r.all(SYS_getppid)) ++marks[e.tid];
  EXPECT_EQ(marks.size(), 8u);
  for (const auto& [tid, n] : marks) EXPECT_EQ(n, 2000u);
}

TEST(Record, FollowsAnExecFromAThreadThatIsNotTheFirst) {
  const Recorded r = record_workload(workload({"exec_thread", "50"}));
  EXPECT_EQ(r.marks(), 2 + 3 + 50u);
  EXPECT_EQ(r.report.processes, 1u);
  size_t images = 0;
  for (const Process& p : r.trace.processes) images += p.execed;
  EXPECT_EQ(images, 2u);
  // The new image goes on under the process id, with its own execve first.
  const std::vector<Event> execs = r.all(SYS_execve);
  ASSERT_EQ(execs.size(), 2u);
  EXPECT_EQ(execs[1].tid, execs[1].pid);
  EXPECT_EQ(execs[1].ret, 0);
}

TEST(Record, SeesCallsThatASeccompFilterAnswers) {
  const Recorded r = record_workload(workload({"seccomp", "100"}));
  EXPECT_EQ(r.marks(), 100u);
  for (const Event& e : r.all(SYS_getppid)) {
    EXPECT_EQ(e.ret, -EPERM);
    if (is_bpf()) {
      EXPECT_TRUE(e.has(kNoEnter));
    }
  }
}

TEST(Record, SeesTheLastCallOfAKilledProcess) {
  const Recorded r = record_workload(workload({"sigkill", "10"}));
  EXPECT_EQ(r.marks(), 10u);
  const std::vector<Event> pauses = r.all(SYS_pause);
  ASSERT_EQ(pauses.size(), 1u);
  EXPECT_TRUE(pauses[0].flags & (kNoExit | kRestarted));
  EXPECT_GT(pauses[0].dur_ns, 1'000'000u);
  size_t killed = 0;
  for (const auto& [pid, status] : r.ends()) killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  EXPECT_EQ(killed, 1u);
}

TEST(Record, SeesEveryThreadOfAProcessThatExits) {
  const Recorded r = record_workload(workload({"exit_threads", "10"}));
  EXPECT_EQ(r.all(SYS_pause).size(), 16u);
  EXPECT_EQ(r.report.threads, 17u);
  EXPECT_EQ(r.marks(), 10u);
  ASSERT_EQ(r.ends().size(), 1u);
  EXPECT_EQ(r.ends().begin()->second, 5 << 8);
}

TEST(Record, FollowsVforkAndExec) {
  const Recorded r = record_workload(workload({"vforks", "40"}));
  EXPECT_EQ(r.marks(), 40u);
  EXPECT_EQ(r.report.processes, 41u);
  EXPECT_EQ(r.all(SYS_execve).size(), 41u);
  for (const Process& p : r.trace.processes)
    if (p.execed) {
      EXPECT_EQ(p.exe, SYSVM_WORKLOAD);
      EXPECT_EQ(p.build_id, read_elf(SYSVM_WORKLOAD)->build_id);
      ASSERT_EQ(p.argv.size(), 3u);
    }
}

TEST(Record, SeesSignalsAndReturnsFromTheirHandlers) {
  const Recorded r = record_workload(workload({"sigreturn", "200"}));
  EXPECT_EQ(r.marks(), 200u);
  EXPECT_EQ(r.all(SYS_rt_sigreturn).size(), 200u);
  size_t signals = 0;
  for (const Event& e : r.trace.events) signals += e.has(kSignal) && e.args[0] == SIGUSR1;
  EXPECT_EQ(signals, 200u);
  EXPECT_EQ(r.report.signals, 200u);
}

TEST(Record, ReadsAPathUpToTheEndOfItsPage) {
  const Recorded r = record_workload(workload({"page_end", "1"}));
  size_t found = 0, faults = 0;
  for (const Event& e : r.all(SYS_openat)) {
    found += r.trace.strings[e.path[0]] == "/page/end/path" && !e.has(kPathFault);
    faults += e.has(kPathFault) && e.ret == -EFAULT && e.path[0] == kNoString;
  }
  EXPECT_EQ(found, 1u);
  EXPECT_EQ(faults, 1u);
}

TEST(Record, MarksCallsThroughThe32BitGate) {
  const Recorded r = record_workload(workload({"compat", "100"}));
  size_t compat = 0;
  for (const Event& e : r.trace.events) compat += e.has(kCompat) && e.nr == 20;
  EXPECT_EQ(compat, 100u);
  EXPECT_EQ(r.marks(), 100u);
}

TEST(Record, KeepsWhatTheStatFamilyReturned) {
  const Recorded r = record_workload(workload({"stats", "20"}));
  struct stat st;
  ASSERT_EQ(stat(SYSVM_WORKLOAD, &st), 0);
  size_t right = 0;
  for (const Event& e : r.trace.events)
    if (e.has(kHasStat) && r.trace.strings[e.path[0]] == SYSVM_WORKLOAD)
      right +=
          e.st_mode == st.st_mode && e.st_size == static_cast<uint64_t>(st.st_size) && e.st_dev == st.st_dev;
  EXPECT_EQ(right, 40u);
}

// What runs on after a stop is the same sleep under another number; both halves are there, and can be
// distinguished.
TEST(Record, TellsARestartedCall) {
  const Recorded r = record_workload(workload({"restart", "2"}));
  EXPECT_EQ(r.marks(), 2u);
  const int32_t leader = r.trace.processes.front().pid;
  std::vector<Event> sleeps, restarts;
  for (const Event& e : r.all(SYS_clock_nanosleep))
    if (e.pid == leader) sleeps.push_back(e);
  for (const Event& e : r.all(SYS_restart_syscall))
    if (e.pid == leader) restarts.push_back(e);
  ASSERT_EQ(sleeps.size(), 1u);
  ASSERT_GE(restarts.size(), 1u);  // one for each signal on the way: SIGCONT may come apart from SIGSTOP
  EXPECT_TRUE(sleeps[0].has(kRestarted));
  EXPECT_EQ(sleeps[0].ret, -516);  // ERESTART_RESTARTBLOCK: the program does not see it
  EXPECT_EQ(restarts.back().ret, 0);
  EXPECT_GT(restarts[0].ts_ns, sleeps[0].ts_ns + sleeps[0].dur_ns);
}

std::string data_of(const Recorded& r, int32_t nr, DataKind kind) {
  const std::vector<Event> calls = r.all(nr);
  if (calls.empty()) return "no such call";
  const Event& e = calls.back();
  EXPECT_TRUE(e.has(kHasData)) << nr;
  EXPECT_EQ(e.data_kind, kind) << nr;
  return r.trace.strings[e.data];
}

template <typename T>
T at(const std::string& bytes, size_t offset) {
  T out{};
  EXPECT_LE(offset + sizeof(T), bytes.size());
  if (offset + sizeof(T) <= bytes.size()) memcpy(&out, bytes.data() + offset, sizeof(T));
  return out;
}

TEST(Record, KeepsTheStructuresThatDataFlowNeeds) {
  const Recorded r = record_workload(workload({"structures", "1"}));
  ASSERT_EQ(r.marks(), 1u);
  using namespace std::string_literals;
  for (int32_t nr : {SYS_writev, SYS_readv, SYS_sendmsg}) {
    const std::string iov = data_of(r, nr, DataKind::kIovec);
    ASSERT_EQ(iov.size(), 32u) << nr;
    EXPECT_EQ(at<uint64_t>(iov, 8), 3u);
    EXPECT_EQ(at<uint64_t>(iov, 24), 5u);
  }
  const int32_t pipe_nr = r.all(SYS_pipe).empty() ? SYS_pipe2 : SYS_pipe;
  const std::string fds = data_of(r, pipe_nr, DataKind::kFds),
                    pair = data_of(r, SYS_socketpair, DataKind::kFds);
  ASSERT_EQ(fds.size(), 8u);
  EXPECT_EQ(static_cast<int32_t>(r.all(SYS_readv).back().args[0]), at<int32_t>(fds, 0));
  EXPECT_EQ(static_cast<int32_t>(r.all(SYS_writev).back().args[0]), at<int32_t>(fds, 4));
  EXPECT_EQ(static_cast<int32_t>(r.all(SYS_sendmsg).back().args[0]), at<int32_t>(pair, 0));
  for (int32_t nr : {SYS_epoll_ctl, SYS_epoll_wait}) {
    const std::string events = data_of(r, nr, DataKind::kEpoll);
    ASSERT_EQ(events.size(), 12u) << nr;
    EXPECT_EQ(at<uint64_t>(events, 4), 0x1122334455667788u);
  }
  const std::string polled = data_of(r, SYS_poll, DataKind::kPoll);
  EXPECT_EQ(at<int32_t>(polled, 0), at<int32_t>(pair, 4));
  EXPECT_NE(data_of(r, SYS_getdents64, DataKind::kDirent).find("\10a file with a name\0"s),
            std::string::npos);
}

// Contents are kept only if asked for; as a hash they say no more than that two buffers are equal.
TEST(Record, KeepsContentsOnlyAsAskedFor) {
  const std::string file = testing::TempDir() + "tracer_test.data." + std::to_string(getpid());
  auto contents = [&](uint16_t bytes, bool hash) {
    RecordOptions options;
    options.command = workload({"contents", "1"});
    options.output = file;
    options.backend = backend;
    options.capture.data_bytes = bytes;
    options.hash_data = hash;
    options.calibrate = false;
    int exit_code = 0;
    EXPECT_TRUE(record(options, exit_code));
    auto trace = read_trace(file);
    unlink(file.c_str());
    Recorded r;
    if (trace) r.trace = std::move(*trace);
    return r;
  };
  for (const Event& e : contents(0, false).trace.events) EXPECT_NE(e.data_kind, DataKind::kBytes);
  const Recorded whole = contents(7, false);
  EXPECT_EQ(data_of(whole, SYS_write, DataKind::kBytes), "the pas");
  EXPECT_EQ(data_of(whole, SYS_read, DataKind::kBytes), "the pas");
  const Recorded one = contents(64, true), two = contents(64, true);
  const std::string written = data_of(one, SYS_write, DataKind::kHash);
  EXPECT_EQ(written.size(), 8u);
  EXPECT_EQ(written, data_of(one, SYS_read, DataKind::kHash));
  EXPECT_NE(written, data_of(two, SYS_write, DataKind::kHash)) << "each recording has a key of its own";
  for (const std::string& s : one.trace.strings) EXPECT_EQ(s.find("swordfish"), std::string::npos);
}

// getppid is called through libc's syscall(), so the word at the stack pointer is the way back into the
// workload.
TEST(Record, KeepsTheCallersAddress) {
  const Recorded r = record_workload(workload({"vforks", "3"}));
  const MappingIndex index(r.trace);
  for (const Event& e : r.all(SYS_getppid)) {
    const auto place = index.place(e.pid, e.caller, e.ts_ns);
    ASSERT_TRUE(place);
    EXPECT_EQ(place->path, SYSVM_WORKLOAD);
  }
}

// Registers at the entry, though the kernel has others at the return.
TEST(Record, KeepsTheArgumentsOfTheEntry) {
  const Recorded r = record_workload(workload({"vforks", "3"}));
  for (const Event& e : r.all(SYS_execve)) {
    EXPECT_EQ(e.ret, 0);
    EXPECT_NE(e.args[0], 0u);
    EXPECT_NE(e.args[1], 0u);
    EXPECT_EQ(r.trace.strings[e.path[0]], SYSVM_WORKLOAD);
  }
}

TEST(Record, NamesCallSitesByBuildId) {
  const Recorded r = record_workload(workload({"vforks", "5"}));
  const MappingIndex index(r.trace);
  std::set<std::string> files;
  for (const Event& e : r.trace.events) {
    if (e.has(kSignal)) continue;
    const auto place = index.place(e.pid, e.site(), e.ts_ns);
    // The first execve was called by the recorder's own child, before its image.
    if (&e == &r.trace.events.front()) continue;
    ASSERT_TRUE(place) << e.nr << " of " << e.tid;
    EXPECT_FALSE(place->build_id.empty()) << place->path;
    files.insert(place->path.substr(place->path.rfind('/') + 1));
  }
  EXPECT_TRUE(files.count("libc.so.6"));
  EXPECT_TRUE(std::any_of(files.begin(), files.end(),
                          [](const std::string& f) { return f.starts_with("ld-linux"); }));
}

TEST(Record, EndsWithTheCommandAndCountsWhoIsLeft) {
  const Recorded r = record_workload(workload({"orphan", "3"}));
  EXPECT_EQ(r.marks(), 3u);
  EXPECT_EQ(WEXITSTATUS(r.report.wait_status), 7);
  EXPECT_EQ(r.report.left_running, 1u);
}

// Threads without a C library, which make exactly 1 + n + 1 events each: the return of their clone, n calls,
// exit. The ring holds a fraction of what they make between two looks of the reader.
constexpr uint32_t kStorm = 30000;
struct Storm {
  RecordReport report;
  Trace trace;
  std::map<int32_t, uint64_t> seen;     // by thread of the storm
  std::map<int32_t, uint64_t> missing;  // numbers without an event, up to where its numbering went
};

Storm record_storm_once(bool lossless, int drain_interval_ms) {
  Storm out;
  const std::string file = testing::TempDir() + "tracer_test.storm." + std::to_string(getpid());
  RecordOptions options;
  options.command = workload({"raw_threads", std::to_string(kStorm)});
  options.output = file;
  options.backend = backend;
  options.lossless = lossless;
  options.ring_bytes = 1u << 20;
  options.drain_interval_ms = drain_interval_ms;
  options.calibrate = false;
  int exit_code = 0;
  auto report = record(options, exit_code);
  EXPECT_TRUE(report) << report.message();
  auto trace = read_trace(file);
  unlink(file.c_str());
  EXPECT_TRUE(trace) << trace.message();
  if (!report || !trace) return out;
  EXPECT_EQ(WEXITSTATUS(report->wait_status), 0);
  std::map<int32_t, std::set<uint32_t>> numbers;
  for (const Event& e : trace->events) EXPECT_TRUE(numbers[e.tid].insert(e.seq).second);
  EXPECT_EQ(trace->thread_ends.size(), 5u);
  for (const ThreadEnd& t : trace->thread_ends) {
    if (t.tid == t.pid) continue;
    EXPECT_TRUE(numbers[t.tid].empty() || *numbers[t.tid].rbegin() < t.next_seq);
    out.seen[t.tid] = numbers[t.tid].size();
    out.missing[t.tid] = t.next_seq - numbers[t.tid].size();
  }
  out.report = *report;
  out.trace = std::move(*trace);
  return out;
}

// A machine that is itself slow (an emulated one) fills the ring only if the reader is slower still.
Storm record_storm(bool lossless) {
  Storm storm = record_storm_once(lossless, 20);
  return storm.report.throttles + storm.report.lost > 0 ? storm : record_storm_once(lossless, 500);
}

TEST(Record, LosesNothingWhenTheReaderIsSlow) {
  const Storm storm = record_storm(true);
  EXPECT_EQ(storm.report.lost, 0u);
  ASSERT_EQ(storm.seen.size(), 4u);
  for (const auto& [tid, n] : storm.seen) EXPECT_EQ(n, kStorm + 2) << tid;
  if (!is_bpf()) return;
  EXPECT_GT(storm.report.throttles, 0u) << "the ring did not fill, so nothing was tested";
  uint64_t held = 0;
  for (const Throttle& t : storm.trace.throttles) {
    EXPECT_LT(t.from_ns, t.to_ns);
    EXPECT_TRUE(storm.seen.count(t.tid) || t.tid == storm.trace.processes[0].pid) << t.tid;
    held += t.to_ns - t.from_ns;
  }
  EXPECT_EQ(held, storm.report.throttled_ns);
}

TEST(Record, CountsEveryLossByThread) {
  if (!is_bpf()) return;  // ptrace cannot lose: the other tests show that it has all.
  const Storm storm = record_storm(false);
  EXPECT_GT(storm.report.lost, 1000u) << "the ring did not overflow, so nothing was tested";
  ASSERT_EQ(storm.seen.size(), 4u);
  uint64_t missing = 0, counted = 0;
  for (const auto& [tid, n] : storm.seen) {
    EXPECT_EQ(n + storm.missing.at(tid), kStorm + 2) << tid;
    missing += storm.missing.at(tid);
  }
  for (const Loss& l : storm.trace.losses) {
    EXPECT_LT(l.from_ns, l.to_ns);
    if (l.reason == LossReason::kRingFull) counted += l.count;
  }
  const ThreadEnd& leader = *std::find_if(storm.trace.thread_ends.begin(), storm.trace.thread_ends.end(),
                                          [](const ThreadEnd& t) { return t.tid == t.pid; });
  uint64_t of_leader = 0;
  for (const Event& e : storm.trace.events) of_leader += e.tid == leader.tid;
  EXPECT_EQ(counted, missing + leader.next_seq - of_leader);
  EXPECT_EQ(storm.report.throttles, 0u);
}

// A parent that waits for stops, a child that sleeps in epoll_wait, and a third process that is held back all
// the time: the program itself ends with 0 only if it noticed nothing.
TEST(Record, HoldingBackIsInvisible) {
  const std::string file = testing::TempDir() + "tracer_test.held." + std::to_string(getpid());
  RecordOptions options;
  options.command = workload({"unnoticed", "60000"});
  options.output = file;
  options.backend = backend;
  options.ring_bytes = RING_MIN;
  options.drain_interval_ms = 20;
  options.calibrate = false;
  int exit_code = 0;
  auto report = record(options, exit_code);
  unlink(file.c_str());
  ASSERT_TRUE(report) << report.message();
  EXPECT_EQ(report->wait_status, 0);
  EXPECT_EQ(report->lost, 0u);
  if (is_bpf()) {
    EXPECT_GT(report->throttles, 0u) << "nothing was held back, so nothing was tested";
  }
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (!strcmp(argv[i], "--backend=ptrace")) backend = Backend::kPtrace;
  }
  if (is_bpf()) {
    auto session = BpfSession::open({});
    if (!session) {
      fprintf(stderr, "skipped: %s\n", session.message().c_str());
      return 77;
    }
  } else {
    CountOptions options;
    options.backend = backend;
    options.command.argv = {"true"};
    int exit_code;
    if (auto counts = count_entries(options, exit_code); !counts) {
      fprintf(stderr, "skipped: %s\n", counts.message().c_str());
      return 77;
    }
  }
  return RUN_ALL_TESTS();
}

}  // namespace sysvm

int main(int argc, char** argv) { return sysvm::main(argc, argv); }
