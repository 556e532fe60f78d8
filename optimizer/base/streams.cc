// SPDX-License-Identifier: MIT
#include "optimizer/base/streams.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "optimizer/base/calls.h"
#include "optimizer/base/images.h"
#include "optimizer/base/loader.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

bool unusable(const PackedEvent& e) {
  return e.flags() &
         (kNoEnter | kNoExit | kRestarted | kForkChild | kCompat | kSignal | kNrChanged | kUnknownValue);
}

// The first event of a second thread of each process, where there is one.
std::unordered_map<int32_t, uint64_t> second_threads(const PackedTrace& trace) {
  std::unordered_map<int32_t, uint64_t> out;
  for (const PackedEvent& e : trace.events)
    if (e.tid() != e.pid()) {
      auto [at, fresh] = out.try_emplace(e.pid(), e.ts_ns());
      if (!fresh) at->second = std::min(at->second, e.ts_ns());
    }
  return out;
}

// Which opens the dynamic loader made.
class LoadersOpens {
 public:
  explicit LoadersOpens(const PackedTrace& trace) : index_(trace) {}
  bool has(const PackedEvent& e) {
    if (!is_open(static_cast<uint32_t>(e.nr())) || !e.site()) return false;
    const uint64_t key = e.site() ^ static_cast<uint64_t>(e.pid()) << 40;
    const auto [at, fresh] = known_.try_emplace(key, false);
    if (fresh) {
      const Mapping* mapping = index_.find(e.pid(), e.site(), e.ts_ns());
      at->second = mapping && is_loader(mapping->path);
    }
    return at->second;
  }

 private:
  MappingIndex index_;
  std::unordered_map<uint64_t, bool> known_;
};

void split_one(const PackedTrace& trace, std::vector<Stream>& out, StreamCounts& counts) {
  const Images images(trace);
  const auto threaded = second_threads(trace);
  LoadersOpens loaders(trace);
  std::vector<char> uses(trace.events.kinds());  // of each kind of event: 'y', 'n', 0: not known yet
  std::map<int32_t, std::vector<const PackedEvent*>> threads;
  std::vector<const PackedEvent*>* last = nullptr;
  for (const PackedEvent& e : trace.events) {
    if (!last || last->back()->tid() != e.tid()) last = &threads[e.tid()];
    last->push_back(&e);
  }

  for (auto& [tid, events] : threads) {
    const auto earlier = [](const PackedEvent* a, const PackedEvent* b) { return a->seq() < b->seq(); };
    if (!std::is_sorted(events.begin(), events.end(), earlier))
      std::stable_sort(events.begin(), events.end(), earlier);
    size_t from = 0;  // where the present stream begins
    auto cut = [&](size_t to, size_t next) {
      const size_t begin = std::exchange(from, next);
      if (begin == to) return;
      Stream& stream = out.emplace_back();
      stream.trace = &trace;
      stream.calls.assign(events.begin() + static_cast<long>(begin), events.begin() + static_cast<long>(to));
      const PackedEvent& first = *stream.calls.front();
      const std::vector<const Process*>& all = images.of(first.pid());
      const Process* image = images.at(first.pid(), first.ts_ns());
      stream.exe = images.build_id(image || all.empty() ? image : all.front());
      ++counts.cuts;
    };
    for (size_t i = 0; i < events.size(); ++i) {
      const PackedEvent& e = *events[i];
      // A filter leaves calls out without a number, so there may be some before any.
      if (!trace.header.filter.empty() || (i && e.seq() != events[i - 1]->seq() + 1)) cut(i, i);
      if (!e.has(kSignal)) ++counts.calls;
      if (!threaded.empty()) {
        const auto at = threaded.find(e.pid());
        if (at != threaded.end() && e.ts_ns() >= at->second) {
          ++counts.threaded;
          cut(i, i + 1);
          continue;
        }
      }
      char& use = uses[e.kind().number];
      if (!use) {
        const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr()));
        use = unusable(e) || !row || row->effect == SYSVM_EFFECT_TASK || loaders.has(e) ? 'n' : 'y';
      }
      if (use == 'n') cut(i, i + 1);
    }
    cut(events.size(), 0);
    events = {};
  }
}

}  // namespace

std::vector<Stream> split_into_streams(const std::vector<const PackedTrace*>& traces, StreamCounts* counts) {
  std::vector<Stream> streams;
  StreamCounts local;
  for (const PackedTrace* trace : traces) split_one(*trace, streams, local);
  if (counts) *counts = local;
  return streams;
}

}  // namespace sysvm
