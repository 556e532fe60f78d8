// SPDX-License-Identifier: MIT
// Programs that know their own calls (workload.c), recorded and counted through the backend under test.
#pragma once

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tracer/counter.h"
#include "tracer/recorder.h"
#include "traces/reader.h"

namespace sysvm {

inline Backend backend = Backend::kBpf;  // of --backend
inline bool is_bpf() { return backend == Backend::kBpf; }

inline Command workload(std::vector<std::string> args) {
  Command command;
  command.argv = {SYSVM_WORKLOAD};
  command.argv.insert(command.argv.end(), args.begin(), args.end());
  return command;
}

struct Recorded {
  RecordReport report;
  Trace trace;

  std::vector<Event> all(int32_t nr) const {
    std::vector<Event> out;
    for (const Event& e : trace.events)
      if (e.nr == nr) out.push_back(e);
    return out;
  }
  size_t marks() const { return all(SYS_getppid).size(); }
  // Processes in the order of their numbers; what each ended with.
  std::map<int32_t, int32_t> ends() const {
    std::map<int32_t, int32_t> out;
    for (const Process& p : trace.processes)
      if (p.exit_status) out[p.pid] = *p.exit_status;
    return out;
  }
};

// Records, and checks what holds for every trace: nothing lost, every thread's numbers without a hole.
inline Recorded record_workload(const Command& command, size_t ring_bytes = 1u << 20) {
  Recorded out;
  const std::string file = testing::TempDir() + "tracer_test." + std::to_string(getpid()) + ".trace";
  RecordOptions options;
  options.command = command;
  options.output = file;
  options.backend = backend;
  options.ring_bytes = ring_bytes;
  int exit_code = 0;
  auto report = record(options, exit_code);
  EXPECT_TRUE(report) << report.message();
  if (!report) return out;
  out.report = *report;
  auto trace = read_trace(file);
  unlink(file.c_str());
  EXPECT_TRUE(trace) << trace.message();
  if (!trace) return out;
  out.trace = std::move(*trace);
  EXPECT_EQ(out.trace.damage, "");
  EXPECT_EQ(out.report.lost, 0u);
  EXPECT_EQ(out.report.events, out.trace.events.size());
  std::map<int32_t, std::set<uint32_t>> numbers;
  for (const Event& e : out.trace.events)
    EXPECT_TRUE(numbers[e.tid].insert(e.seq).second)
        << "thread " << e.tid << " used number " << e.seq << " twice";
  for (const auto& [tid, seen] : numbers)
    EXPECT_EQ(*seen.rbegin() + 1, seen.size()) << "hole in thread " << tid;
  return out;
}

inline EntryCounts count_workload(const Command& command, const std::string& site_file = "") {
  CountOptions options;
  options.command = command;
  options.backend = backend;
  options.site_file = site_file;
  int exit_code = 0;
  auto counts = count_entries(options, exit_code);
  EXPECT_TRUE(counts) << counts.message();
  return counts ? *counts : EntryCounts{};
}

inline uint64_t entries_of(const EntryCounts& counts, const std::string& name) {
  for (const CallCount& c : counts.calls)
    if (c.name == name) return c.entries;
  return 0;
}

}  // namespace sysvm
