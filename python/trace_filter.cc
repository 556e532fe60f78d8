// SPDX-License-Identifier: MIT
#include "python/trace_filter.h"

#include <fnmatch.h>

#include <algorithm>
#include <limits>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "traces/descriptors.h"
#include "traces/in_order.h"

namespace sysvm {
namespace {

// Seconds since the first event, as Python computes them.
class Between {
 public:
  Between(const TraceFilter& filter, uint64_t first_ns)
      : first_(first_ns),
        from_(filter.from_s.value_or(-std::numeric_limits<double>::infinity())),
        to_(filter.to_s.value_or(std::numeric_limits<double>::infinity())) {}
  bool has(uint64_t ts_ns) const {
    const double since = static_cast<double>(static_cast<int64_t>(ts_ns - first_)) / 1e9;
    return since >= from_ && since < to_;
  }
  bool all_after(uint64_t ts_ns) const {
    return static_cast<double>(static_cast<int64_t>(ts_ns - first_)) / 1e9 >= to_;
  }

 private:
  uint64_t first_;
  double from_, to_;
};

class Chosen {
 public:
  Chosen(const TraceFilter& filter, uint64_t first_ns) : filter_(filter), between_(filter, first_ns) {
    if (filter.pids) pids_.insert(filter.pids->begin(), filter.pids->end());
    if (filter.calls) names_.insert(filter.calls->begin(), filter.calls->end());
  }
  const Between& between() const { return between_; }

  bool has(const TraceInfo& info, uint64_t ts_ns, int32_t pid, int32_t tid, int32_t nr, uint32_t flags) {
    if (filter_.pids && !pids_.contains(pid) && !pids_.contains(tid)) return false;
    if ((filter_.from_s || filter_.to_s) && !between_.has(ts_ns)) return false;
    if (!filter_.calls) return true;
    const int32_t key = flags & kSignal ? kSignalNr : nr;
    const auto [at, fresh] = wanted_.try_emplace(key, false);
    if (fresh) at->second = names_.contains(key == kSignalNr ? "signal" : info.call_name(nr));
    return at->second;
  }

 private:
  const TraceFilter& filter_;
  Between between_;
  std::unordered_set<int32_t> pids_;
  std::set<std::string> names_;
  std::unordered_map<int32_t, bool> wanted_;
};

// Rows of several chunks, with numbers of their own for strings.
class Rows {
 public:
  explicit Rows(ColumnTrace& out) : out_(out) {}
  void add(Event e, const TraceInfo& from) {
    for (uint32_t& path : e.path) path = number(path, from);
    e.data = number(e.data, from);
    out_.columns.push_back(e);
  }

 private:
  uint32_t number(uint32_t id, const TraceInfo& from) {
    if (id == kNoString) return kNoString;
    const auto [at, fresh] =
        numbers_.try_emplace(from.strings[id], static_cast<uint32_t>(out_.strings.size()));
    if (fresh) out_.strings.push_back(from.strings[id]);
    return at->second;
  }
  ColumnTrace& out_;
  std::unordered_map<std::string, uint32_t> numbers_;
};

bool matches(const std::string& pattern, std::string_view text) {
  return fnmatch(pattern.c_str(), std::string(text).c_str(), FNM_NOESCAPE) == 0;
}

}  // namespace

Result<ColumnTrace> read_filtered(const std::string& file, const TraceFilter& filter) {
  uint64_t first_ns = UINT64_MAX;
  {
    const TraceFile index = TRY(TraceFile::open(file));
    for (const ChunkRef& chunk : index.chunks()) first_ns = std::min(first_ns, chunk.first_ns);
  }
  ColumnTrace out;
  Rows rows(out);
  Chosen chosen(filter, first_ns);
  if (!filter.path) {
    TraceInfo info = TRY(for_each_chunk(
        file,
        [&](Columns& c, const TraceInfo& chunk) {
          for (size_t i = 0; i < c.size(); ++i)
            if (chosen.has(chunk, c.ts_ns[i], c.pid[i], c.tid[i], c.nr[i], c.flags[i]))
              rows.add(c.event(i), chunk);
          return true;
        },
        0));
    std::swap(info.strings, out.strings);
    static_cast<TraceInfo&>(out) = std::move(info);
    return out;
  }
  Descriptors fds;
  TraceInfo info = TRY(for_each_in_order(
      file, [](const TraceInfo&) {},
      [&](const Event& e, const TraceInfo& now) {
        const CallInfo* call = e.flags & (kSignal | kCompat) ? nullptr : now.call(e.nr);
        const bool makes = call && call->result == "FD" && e.ret >= 0 && !e.has(kNoExit);
        bool about = e.path[0] != kNoString && matches(*filter.path, now.strings[e.path[0]]);
        const bool asked = chosen.has(now, e.ts_ns, e.pid, e.tid, e.nr, e.flags);
        if (asked && !about && !makes)
          if (const std::string_view name = fds.path_of(now, e); !name.empty())
            about = matches(*filter.path, name);
        fds.add(now, e);
        if (asked && !about && makes)
          if (const std::string_view name = fds.path(e.pid, static_cast<int32_t>(e.ret)); !name.empty())
            about = matches(*filter.path, name);
        if (asked && about) rows.add(e, now);
        return !filter.to_s || !chosen.between().all_after(e.ts_ns);
      }));
  std::swap(info.strings, out.strings);
  static_cast<TraceInfo&>(out) = std::move(info);
  return out;
}

std::vector<std::string> calls_of(const std::string& file) {
  std::set<std::string> names;
  std::unordered_set<int32_t> known;
  (void)for_each_chunk(file, [&](Columns& c, const TraceInfo& info) {
    for (size_t i = 0; i < c.size(); ++i) {
      const int32_t key = c.flags[i] & kSignal ? kSignalNr : c.nr[i];
      if (known.insert(key).second) names.insert(key == kSignalNr ? "signal" : info.call_name(key));
    }
    return true;
  });
  return {names.begin(), names.end()};
}

}  // namespace sysvm
