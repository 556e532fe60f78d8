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

// "libc.so.6+0x10e0a4" for an address, "" if no mapping is known. A process that executes another program has
// others from then on.
class Places {
 public:
  explicit Places(TraceInfo info) : info_(std::move(info)), index_(info_) {}
  const std::string& of(int32_t pid, uint64_t address, uint64_t ts_ns) {
    auto [at, fresh] = known_.try_emplace({pid, address});
    if (fresh && address)
      if (const auto place = index_.place(pid, address, ts_ns))
        at->second = fmt::format("{}+{:#x}", frame(place->path), place->offset);
    return at->second;
  }
  void forget() { known_.clear(); }

 private:
  const TraceInfo info_;
  const MappingIndex index_;
  std::map<std::pair<int32_t, uint64_t>, std::string> known_;
};

}  // namespace

// Grows with the number of different stacks, not with the trace.
Result<TraceInfo> export_folded(const std::string& path, FoldedWeight weight, const Output& out,
                                bool frames) {
  constexpr int32_t kExecve = 59, kExecveat = 322, kCompatNr = -2;
  struct Key {
    int32_t pid;
    int32_t nr;
    int error;
    std::string frames;
    auto operator<=>(const Key&) const = default;
  };
  std::map<Key, uint64_t> sums;
  std::map<std::string, uint64_t> stacks;
  Places places(frames ? TRY(read_trace_info(path)) : TraceInfo{});
  auto info = for_each_chunk(path, [&](Columns& c, const TraceInfo&) {
    for (size_t i = 0; i < c.size(); ++i) {
      if (c.flags[i] & (kSignal | kForkChild)) continue;
      const bool failed = c.ret[i] < 0 && c.ret[i] >= -4095 && !(c.flags[i] & kRestarted);
      const int32_t nr = c.flags[i] & kCompat ? kCompatNr : c.nr[i];
      Key key{c.pid[i], nr, failed ? static_cast<int>(-c.ret[i]) : 0, ""};
      if (frames) {
        const std::string& caller = places.of(c.pid[i], c.caller[i], c.ts_ns[i]);
        const std::string& site = places.of(c.pid[i], c.ip[i] >= 2 ? c.ip[i] - 2 : 0, c.ts_ns[i]);
        if (!site.empty()) key.frames = (caller.empty() ? "" : ";" + caller) + ";" + site;
        if ((nr == kExecve || nr == kExecveat) && !failed) places.forget();
      }
      sums[std::move(key)] += weight == FoldedWeight::kTime ? c.dur_ns[i] : 1;
    }
    return true;
  });
  if (!info) return info;
  std::map<int32_t, std::string> program;  // what a process ran last
  for (const Process& p : info->processes)
    program[p.pid] = frame(!p.exe.empty() ? p.exe : p.argv.empty() ? "" : p.argv[0]);
  for (const auto& [key, sum] : sums) {
    std::string stack = program.count(key.pid) ? program[key.pid] : "unknown";
    stack += key.frames + ";" + (key.nr == kCompatNr ? "i386_call" : frame(info->call_name(key.nr)));
    if (key.error) stack += ";" + errno_name(key.error);
    stacks[stack] += sum;
  }
  for (const auto& [stack, sum] : stacks)
    if (sum && !out(fmt::format("{} {}\n", stack, sum))) break;
  return info;
}

}  // namespace sysvm
