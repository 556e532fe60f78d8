// SPDX-License-Identifier: MIT
#include "traces/own_time.h"

#include <algorithm>
#include <utility>

namespace sysvm {

namespace {

using Span = std::pair<uint64_t, uint64_t>;

// In order, and each moment once: a file may say anything.
std::vector<Span> joined(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end());
  std::vector<Span> out;
  for (const Span& s : spans) {
    if (s.second <= s.first) continue;
    if (!out.empty() && s.first <= out.back().second)
      out.back().second = std::max(out.back().second, s.second);
    else
      out.push_back(s);
  }
  return out;
}

}  // namespace

OwnTime::OwnTime(const TraceInfo& info) {
  std::unordered_map<int32_t, std::vector<Span>> spans;
  for (const Throttle& t : info.throttles) spans[t.tid].emplace_back(t.from_ns, t.to_ns);
  for (auto& [tid, all] : spans) {
    uint64_t before = 0;
    for (const auto& [from, to] : joined(std::move(all))) {
      held_[tid].push_back({from, to, before});
      before += to - from;
    }
  }
}

uint64_t OwnTime::held(int32_t tid, uint64_t until_ns) const {
  const auto found = held_.find(tid);
  if (found == held_.end()) return 0;
  const std::vector<Interval>& all = found->second;
  auto after =
      std::partition_point(all.begin(), all.end(), [&](const Interval& i) { return i.from_ns < until_ns; });
  if (after == all.begin()) return 0;
  const Interval& last = *--after;
  return last.before_ns + std::min(until_ns, last.to_ns) - last.from_ns;
}

uint64_t own_wall_ns(const TraceInfo& info, uint64_t calls, uint64_t first_ns, uint64_t last_ns) {
  const uint64_t wall = info.stats && info.stats->wall_ns ? info.stats->wall_ns
                        : last_ns > first_ns              ? last_ns - first_ns
                                                          : 0;
  std::vector<Span> spans;
  for (const Throttle& t : info.throttles) spans.emplace_back(t.from_ns, t.to_ns);
  uint64_t other = calls * info.header.call_cost_ns;
  for (const auto& [from, to] : joined(std::move(spans))) other += to - from;
  return wall > other ? wall - other : wall;
}

}  // namespace sysvm
