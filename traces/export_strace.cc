// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <set>

#include "traces/descriptors.h"
#include "traces/export.h"
#include "traces/in_order.h"
#include "traces/strace_text.h"

namespace sysvm {

namespace {

struct End {
  uint64_t ts_ns;
  int32_t tid;
  int32_t status;  // as wait(2) gives it
};

std::vector<End> ends_of(const TraceInfo& info) {
  std::vector<End> out;
  for (const ThreadEnd& t : info.thread_ends)
    if (!t.alive && t.tid != t.pid) out.push_back({t.end_ns, t.tid, 0});
  for (const Process& p : info.processes)
    if (p.exit_status) out.push_back({p.end_ns.value_or(0), p.pid, *p.exit_status});
  std::stable_sort(out.begin(), out.end(), [](const End& a, const End& b) { return a.ts_ns < b.ts_ns; });
  return out;
}

std::string end_text(int32_t status) {
  if (WIFSIGNALED(status))
    return fmt::format("+++ killed by {}{} +++", signal_name(WTERMSIG(status)),
                       WCOREDUMP(status) ? " (core dumped)" : "");
  return fmt::format("+++ exited with {} +++", WEXITSTATUS(status));
}

// Of a new descriptor: "</etc/passwd>". fds: as they are after the call.
std::string made_path(const TraceInfo& info, const Event& e, const Descriptors& fds) {
  const CallInfo* call = e.has(kCompat) ? nullptr : info.call(e.nr);
  if (!call || call->result != "FD" || e.ret < 0) return "";
  return in_brackets(fds.path(e.pid, static_cast<int32_t>(e.ret)));
}

}  // namespace

Result<TraceInfo> export_strace(const std::string& path, const Output& out, StraceTimes times, bool paths) {
  // Cut, not rounded: so no call ends after the thread's next begins.
  auto seconds = [&](uint64_t ns) {
    return times == StraceTimes::kNanoseconds
               ? fmt::format("{}.{:09}", ns / 1'000'000'000, ns % 1'000'000'000)
               : fmt::format("{}.{:06}", ns / 1'000'000'000, ns / 1000 % 1'000'000);
  };
  std::vector<End> ends;
  size_t next_end = 0;
  std::set<int32_t> compat;  // processes that strace would take for 32-bit ones
  Descriptors fds;
  uint64_t shift = 0;  // from the trace's clock to the time of day, wrapping
  auto prefix = [&](int32_t tid, uint64_t ts_ns) {
    return fmt::format("{:<5} {} ", tid, seconds(ts_ns + shift));
  };
  auto write_ends = [&](uint64_t until) {
    bool ok = true;
    for (; ok && next_end < ends.size() && ends[next_end].ts_ns < until; ++next_end)
      ok = out(prefix(ends[next_end].tid, ends[next_end].ts_ns) + end_text(ends[next_end].status) + "\n");
    return ok;
  };
  auto info = for_each_in_order(
      path,
      [&](const TraceInfo& whole) {
        ends = ends_of(whole);
        shift = whole.header.realtime_ns - whole.header.boottime_ns;
        if (whole.header.realtime_ns == 0) shift = 0;
      },
      [&](const Event& e, const TraceInfo& so_far) {
        if (e.has(kForkChild)) {  // strace shows the parent's side alone
          if (paths) fds.add(so_far, e);
          return true;
        }
        if (!write_ends(e.ts_ns)) return false;
        std::string call = paths ? format_call(so_far, e, fds) : format_call(so_far, e);
        if (paths) fds.add(so_far, e);
        if (!e.has(kSignal) && e.has(kCompat) != (compat.count(e.pid) > 0)) {  // strace's own words for it
          if (!out(fmt::format("strace: [ Process PID={} runs in {} bit mode. ]\n", e.pid,
                               e.has(kCompat) ? 32 : 64)))
            return false;
          if (e.has(kCompat))
            compat.insert(e.pid);
          else
            compat.erase(e.pid);
        }
        if (e.has(kCompat) && call.starts_with("i386_")) call.erase(0, 5);
        std::string line = prefix(e.tid, e.ts_ns) + call;
        if (!e.has(kSignal)) {
          line += " = " + format_result(so_far, e);
          if (paths) line += made_path(so_far, e, fds);
          if (!e.has(kNoExit)) line += fmt::format(" <{}>", seconds(e.dur_ns));
        }
        return out(line + "\n");
      });
  if (info) write_ends(~0ull);
  return info;
}

}  // namespace sysvm
