// SPDX-License-Identifier: MIT
#include "traces/completeness.h"

#include <algorithm>

namespace sysvm {

void Completeness::gap(int32_t tid, int32_t pid, uint64_t count, uint64_t from_ns, uint64_t to_ns) {
  gaps_.push_back({tid, pid, count, from_ns, to_ns});
}

void Completeness::add(const Columns& c) {
  for (size_t i = 0; i < c.size(); ++i) {
    auto [at, fresh] = now_.try_emplace(c.tid[i], lives_.size());
    // Of one thread, events come in order of their numbers; a lower one is that of a new thread with its id.
    if (fresh || c.seq[i] < lives_[at->second].next) {
      at->second = lives_.size();
      lives_.push_back({c.tid[i], c.pid[i], 0, 0});
    }
    Life& life = lives_[at->second];
    if (c.seq[i] > life.next) gap(life.tid, life.pid, c.seq[i] - life.next, life.last_ns, c.ts_ns[i]);
    life.next = c.seq[i] + 1;
    life.last_ns = c.ts_ns[i] + c.dur_ns[i];
  }
}

void Completeness::finish(const TraceInfo& info) {
  // A flight recorder drops the beginnings by design.
  if (info.header.window_ns) std::erase_if(gaps_, [](const Gap& g) { return g.from_ns == 0; });

  std::unordered_map<int32_t, std::vector<const ThreadEnd*>> ends;
  for (const ThreadEnd& end : info.thread_ends) ends[end.tid].push_back(&end);
  for (auto& [tid, list] : ends)
    std::stable_sort(list.begin(), list.end(),
                     [](const ThreadEnd* a, const ThreadEnd* b) { return a->end_ns < b->end_ns; });
  // The end of a life is the first that is not before its last event. What is left ended without any event.
  for (const Life& life : lives_) {
    auto& list = ends[life.tid];
    auto end =
        std::find_if(list.begin(), list.end(), [&](const ThreadEnd* e) { return e->end_ns >= life.last_ns; });
    if (end == list.end()) {
      ++open_ends_;
      continue;
    }
    if ((*end)->next_seq > life.next)
      gap(life.tid, life.pid, (*end)->next_seq - life.next, life.last_ns, (*end)->end_ns);
    list.erase(end);
  }
  for (const auto& [tid, list] : ends)
    for (const ThreadEnd* end : list)
      if (end->next_seq && !info.header.window_ns) gap(tid, end->pid, end->next_seq, 0, end->end_ns);
  std::stable_sort(gaps_.begin(), gaps_.end(), [](const Gap& a, const Gap& b) { return a.to_ns < b.to_ns; });
  for (const Gap& g : gaps_) missing_ += g.count;
}

bool Completeness::proven(const TraceInfo& info) const {
  return gaps_.empty() && open_ends_ == 0 && info.losses.empty() && info.stats && info.damage.empty();
}

}  // namespace sysvm
