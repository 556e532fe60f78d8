// SPDX-License-Identifier: MIT
#include "optimizer/lists/cold.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "common/numbers.h"
#include "optimizer/base/calls.h"
#include "optimizer/lists/lists.h"
#include "traces/descriptors.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

// Of each second that was waited, so much remains where the calls are made ahead: what several of them take
// side by side, what a walk's own work takes from the command, and what nobody could guess. Contents of files
// are read ahead with less work for each byte than names are looked up. Measured, on a machine whose storage
// answers in 0.1 ms, so that half of the waiting is work in the kernel; docs/benchmarks.md has predicted
// beside measured.
constexpr double kNamesRemain = 0.6;
constexpr double kContentsRemain = 0.45;
constexpr double kLeast = 0.1;  // of the run: less is not said

// A descriptor of a file: opened by its name, and no device.
bool is_file(std::string_view path) {
  return !path.empty() && path != "pipe" && path != "socket" && !path.starts_with("/dev/") &&
         !path.starts_with("/proc/");
}

enum class Ahead { kNot, kNames, kContents };

// What the prefetcher could do ahead of a call: the call itself where it changes nothing; of one that copies
// a file, the reading.
Ahead ahead_of(const Event& e, const Descriptors& fds) {
  const auto nr = static_cast<uint32_t>(e.nr);
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  if (!row) return Ahead::kNot;
  if (is_open(nr)) return (open_flags(nr, e.args) & O_ACCMODE) == O_RDONLY ? Ahead::kNames : Ahead::kNot;
  switch (nr) {
    case SYSVM_NR_read:
    case SYSVM_NR_pread64:
    case SYSVM_NR_readv:
    case SYSVM_NR_copy_file_range:
      return e.ret > 0 && is_file(fds.path(e.pid, static_cast<int32_t>(e.args[0]))) ? Ahead::kContents
                                                                                    : Ahead::kNot;
    default:
      return row->effect == SYSVM_EFFECT_PURE || nr == SYSVM_NR_getdents64 ? Ahead::kNames : Ahead::kNot;
  }
}

bool counts(const Event& e) {
  return e.tid == e.pid && !e.has(kSignal) && !e.has(kCompat) && !e.has(kForkChild) && !e.has(kNoExit);
}

// What a call of each kind takes where nothing is waited for: as long as the fastest tenth in the recording,
// with what recording adds to each of them.
std::unordered_map<uint32_t, uint64_t> hot_costs(const PackedTrace& trace) {
  std::unordered_map<uint32_t, std::vector<uint64_t>> durations;
  for (const PackedEvent& packed : trace.events) {
    const Event e = packed.event();
    if (counts(e) && e.ret >= 0) durations[static_cast<uint32_t>(e.nr)].push_back(e.dur_ns);
  }
  std::unordered_map<uint32_t, uint64_t> hot;
  for (auto& [nr, all] : durations) {
    const auto tenth = all.begin() + static_cast<ptrdiff_t>(all.size() / 10);
    std::nth_element(all.begin(), tenth, all.end());
    hot[nr] = *tenth;
  }
  return hot;
}

}  // namespace

double ColdOutlook::gain() const {
  const double wall = static_cast<double>(wall_ns), names = static_cast<double>(names_ns),
               contents = static_cast<double>(waited_ns - names_ns);
  return wall_ns ? wall / (wall - names * (1 - kNamesRemain) - contents * (1 - kContentsRemain)) : 1;
}

ColdOutlook cold_outlook(const std::vector<const PackedTrace*>& traces) {
  ColdOutlook out;
  for (const PackedTrace* trace : traces) {
    const std::unordered_map<uint32_t, uint64_t> hot = hot_costs(*trace);
    uint64_t names = 0, contents = 0;
    Descriptors fds;
    for (const PackedEvent& packed : trace->events) {
      const Event e = packed.event();
      const Ahead ahead = ahead_of(e, fds);
      fds.add(*trace, e);
      const auto cost = hot.find(static_cast<uint32_t>(e.nr));
      if (ahead == Ahead::kNot || !counts(e) || cost == hot.end() || e.dur_ns <= cost->second) continue;
      (ahead == Ahead::kNames ? names : contents) += e.dur_ns - cost->second;
      out.calls += e.dur_ns > kWaitNs;
    }
    const uint64_t wall = trace->stats ? trace->stats->wall_ns : 0;
    // Of several processes at once: no more than there was.
    names = std::min(names, wall);
    out.wall_ns += wall;
    out.names_ns += names;
    out.waited_ns += std::min(names + contents, wall);
  }
  return out;
}

std::string cold_text(const ColdOutlook& cold) {
  if (!cold.calls) return "";
  if (static_cast<double>(cold.waited_ns) < kLeast * static_cast<double>(cold.wall_ns)) return "";
  return fmt::format(
      "cold: {} of {} were waited for storage, in {} calls that could be made ahead; --prefetch=auto may "
      "make such a run {:.1f} times as fast\n",
      time_text(static_cast<double>(cold.waited_ns)), time_text(static_cast<double>(cold.wall_ns)),
      thousands(cold.calls), cold.gain());
}

}  // namespace sysvm
