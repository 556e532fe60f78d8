// SPDX-License-Identifier: MIT
#include "optimizer/base/streams.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "optimizer/base/images.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

bool unusable(const Event& e) {
  return e.flags &
         (kNoEnter | kNoExit | kRestarted | kForkChild | kCompat | kSignal | kNrChanged | kUnknownValue);
}

// The first event of a second thread of each process, where there is one.
std::unordered_map<int32_t, uint64_t> second_threads(const Trace& trace) {
  std::unordered_map<int32_t, uint64_t> out;
  for (const Event& e : trace.events)
    if (e.tid != e.pid) {
      auto [at, fresh] = out.try_emplace(e.pid, e.ts_ns);
      if (!fresh) at->second = std::min(at->second, e.ts_ns);
    }
  return out;
}

void split_one(const Trace& trace, std::vector<Stream>& out, StreamCounts& counts) {
  const Images images(trace);
  const auto threaded = second_threads(trace);
  std::map<int32_t, std::vector<const Event*>> threads;
  for (const Event& e : trace.events) threads[e.tid].push_back(&e);

  for (auto& [tid, events] : threads) {
    std::stable_sort(events.begin(), events.end(),
                     [](const Event* a, const Event* b) { return a->seq < b->seq; });
    Stream stream;
    auto cut = [&] {
      if (stream.calls.empty()) return;
      stream.trace = &trace;
      const Event& first = *stream.calls.front();
      const std::vector<const Process*>& all = images.of(first.pid);
      const Process* image = images.at(first.pid, first.ts_ns);
      stream.exe = images.build_id(image || all.empty() ? image : all.front());
      out.push_back(std::move(stream));
      stream = Stream{};
      ++counts.cuts;
    };
    for (size_t i = 0; i < events.size(); ++i) {
      const Event& e = *events[i];
      // A filter leaves calls out without a number, so there may be some before any.
      if (!trace.header.filter.empty() || (i && e.seq != events[i - 1]->seq + 1)) cut();
      if (!e.has(kSignal)) ++counts.calls;
      const auto at = threaded.find(e.pid);
      if (at != threaded.end() && e.ts_ns >= at->second) {
        ++counts.threaded;
        cut();
        continue;
      }
      const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr));
      if (unusable(e) || !row || row->effect == SYSVM_EFFECT_TASK) {
        cut();
        continue;
      }
      stream.calls.push_back(&e);
    }
    cut();
  }
}

}  // namespace

std::vector<Stream> split_into_streams(const std::vector<const Trace*>& traces, StreamCounts* counts) {
  std::vector<Stream> streams;
  StreamCounts local;
  for (const Trace* trace : traces) split_one(*trace, streams, local);
  if (counts) *counts = local;
  return streams;
}

}  // namespace sysvm
