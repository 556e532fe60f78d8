// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <map>

#include "traces/export.h"
#include "traces/reader.h"
#include "traces/strace_text.h"

namespace sysvm {

namespace {

// A frame's name may not have what separates frames and counts.
std::string frame(std::string_view text) {
  std::string out(text.substr(text.rfind('/') + 1));
  for (char& c : out)
    if (c == ';' || c == ' ' || static_cast<unsigned char>(c) < 32 || c == 127) c = '_';
  return out.empty() ? "unknown" : out;
}

}  // namespace

// Grows with the number of different stacks, not with the trace.
Result<TraceInfo> export_folded(const std::string& path, FoldedWeight weight, const Output& out) {
  struct Key {
    int32_t pid;
    int32_t nr;
    int error;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, uint64_t> sums;
  std::map<std::string, uint64_t> stacks;
  auto info = for_each_chunk(path, [&](Columns& c, const TraceInfo&) {
    for (size_t i = 0; i < c.size(); ++i) {
      if (c.flags[i] & (kSignal | kForkChild)) continue;
      const bool failed = c.ret[i] < 0 && c.ret[i] >= -4095 && !(c.flags[i] & kRestarted);
      const int32_t nr = c.flags[i] & kCompat ? -2 : c.nr[i];
      sums[{c.pid[i], nr, failed ? static_cast<int>(-c.ret[i]) : 0}] +=
          weight == FoldedWeight::kTime ? c.dur_ns[i] : 1;
    }
    return true;
  });
  if (!info) return info;
  std::map<int32_t, std::string> program;  // what a process ran last
  for (const Process& p : info->processes)
    program[p.pid] = frame(!p.exe.empty() ? p.exe : p.argv.empty() ? "" : p.argv[0]);
  for (const auto& [key, sum] : sums) {
    std::string stack = program.count(key.pid) ? program[key.pid] : "unknown";
    stack += ";" + (key.nr == -2 ? "i386_call" : frame(info->call_name(key.nr)));
    if (key.error) stack += ";" + errno_name(key.error);
    stacks[stack] += sum;
  }
  for (const auto& [stack, sum] : stacks)
    if (sum && !out(fmt::format("{} {}\n", stack, sum))) break;
  return info;
}

}  // namespace sysvm
