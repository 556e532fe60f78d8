// SPDX-License-Identifier: MIT
#include "optimizer/lists/cold.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "optimizer/base/calls.h"
#include "optimizer/lists/lists.h"
#include "traces/descriptors.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

// The share of waiting time that remains where calls are made ahead: what several of them take side by side,
// and what could not be guessed. docs/benchmarks.md has the measurements.
constexpr double kRemains = 0.3;
constexpr double kLeast = 0.1;  // of the run: less is not said

// A descriptor of a file: opened by its name, and no device.
bool is_file(std::string_view path) {
  return !path.empty() && path != "pipe" && path != "socket" && !path.starts_with("/dev/") &&
         !path.starts_with("/proc/");
}

// Looks up or reads what lies on storage, and changes nothing.
bool could_be_made_ahead(const Event& e, const Descriptors& fds) {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr));
  if (!row) return false;
  if (is_open(static_cast<uint32_t>(e.nr)))
    return (open_flags(static_cast<uint32_t>(e.nr), e.args) & O_ACCMODE) == O_RDONLY;
  if (e.nr == SYSVM_NR_read) return e.ret > 0 && is_file(fds.path(e.pid, static_cast<int32_t>(e.args[0])));
  return row->effect == SYSVM_EFFECT_PURE || e.nr == SYSVM_NR_getdents64;
}

}  // namespace

double ColdOutlook::gain() const {
  const double wall = static_cast<double>(wall_ns);
  const double saved = (1 - kRemains) * static_cast<double>(std::min(waited_ns, wall_ns));
  return wall_ns ? wall / (wall - saved) : 1;
}

ColdOutlook cold_outlook(const std::vector<const PackedTrace*>& traces) {
  ColdOutlook out;
  for (const PackedTrace* trace : traces) {
    uint64_t waited = 0;
    Descriptors fds;
    for (const PackedEvent& packed : trace->events) {
      const Event e = packed.event();
      const bool waits = could_be_made_ahead(e, fds);
      fds.add(*trace, e);
      if (!waits || e.tid != e.pid || e.has(kSignal) || e.has(kCompat) || e.has(kForkChild) ||
          e.has(kNoExit) || e.dur_ns <= kWaitNs)
        continue;
      waited += e.dur_ns - kWaitNs;
      ++out.calls;
    }
    const uint64_t wall = trace->stats ? trace->stats->wall_ns : 0;
    out.wall_ns += wall;
    out.waited_ns += std::min(waited, wall);  // several may wait at once: no more than the run's own time
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
