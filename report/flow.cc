// SPDX-License-Identifier: MIT
#include "report/flow.h"

#include <algorithm>
#include <functional>

namespace sysvm::page {

uint32_t Flow::child(uint32_t parent, uint32_t name) {
  const uint64_t key = static_cast<uint64_t>(parent) << 32 | name;
  if (const auto at = children_.find(key); at != children_.end()) return at->second;
  if (nodes_.size() >= kMostNodes) return 0;
  const auto number = static_cast<uint32_t>(nodes_.size());
  children_.emplace(key, number);
  Step step;
  step.name = name;
  step.parent = parent;
  nodes_.push_back(step);
  return number;
}

void Flow::add(const TraceInfo& info, const Event& e, uint32_t name, std::string_view place) {
  Where& at = threads_[e.tid];
  if (e.flags & (kSignal | kForkChild)) {
    at = {};
    return;
  }
  const CallInfo* call = e.has(kCompat) ? nullptr : info.call(e.nr);
  const bool names_one = e.path[0] != kNoString && !info.strings[e.path[0]].empty();
  const bool makes = call && call->result == "FD" && e.ret >= 0;
  const uint64_t about = names_one || makes ? std::hash<std::string_view>{}(place) | 1 : 0;
  if (makes || (names_one && about != at.place)) {
    at.node = 0;
    at.depth = 0;
    at.place = about;
  }
  // Too long a way, or a tree that is full, goes on in one step.
  if ((!at.node || nodes_[at.node].name != name) && at.depth < kDeepest) {
    const bool last = ++at.depth == kDeepest;
    at.node = child(at.node, last ? kMore : name);
    ++nodes_[at.node].times;
  }
  ++nodes_[at.node].calls;
  nodes_[at.node].ns += e.dur_ns;
}

std::vector<Step> Flow::steps(double share, size_t most) const {
  // Sums of branches: children stand after their parents.
  std::vector<uint64_t> calls(nodes_.size()), ns(nodes_.size());
  for (size_t i = nodes_.size(); i-- > 0;) {
    calls[i] += nodes_[i].calls;
    ns[i] += nodes_[i].ns;
    if (!i) break;
    calls[nodes_[i].parent] += calls[i];
    ns[nodes_[i].parent] += ns[i];
  }
  const double least_calls = share * static_cast<double>(calls[0]),
               least_ns = share * static_cast<double>(ns[0]);
  std::vector<uint32_t> kept;
  for (uint32_t i = 0; i < nodes_.size(); ++i)
    if (!i || static_cast<double>(calls[i]) >= least_calls ||
        (ns[i] && static_cast<double>(ns[i]) >= least_ns))
      kept.push_back(i);
  if (kept.size() > most) {  // the widest; a parent is as wide as its children
    std::stable_sort(kept.begin(), kept.end(), [&](uint32_t a, uint32_t b) {
      return std::max(calls[a] * 1.0 / calls[0], ns[a] * 1.0 / std::max<uint64_t>(1, ns[0])) >
             std::max(calls[b] * 1.0 / calls[0], ns[b] * 1.0 / std::max<uint64_t>(1, ns[0]));
    });
    kept.resize(most);
    std::sort(kept.begin(), kept.end());
  }
  std::unordered_map<uint32_t, uint32_t> number;
  std::vector<Step> out;
  for (const uint32_t i : kept) {
    const auto parent = number.find(nodes_[i].parent);
    if (i && parent == number.end()) continue;
    number[i] = static_cast<uint32_t>(out.size());
    out.push_back(nodes_[i]);
    out.back().parent = i ? parent->second : 0;
  }
  return out;
}

}  // namespace sysvm::page
