// SPDX-License-Identifier: MIT
#include "python/trace_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "traces/descriptors.h"
#include "traces/in_order.h"

namespace sysvm {
namespace {

constexpr int32_t kExecve = 59, kExecveat = 322;

template <typename T>
void permute(std::vector<T>& column, const std::vector<uint32_t>& order) {
  std::vector<T> sorted(column.size());
  for (size_t i = 0; i < order.size(); ++i) sorted[i] = column[order[i]];
  column = std::move(sorted);
}

// Chunks are sorted in themselves and overlap their neighbours only by the longest call.
void sort_by_time(Columns& c) {
  if (std::is_sorted(c.ts_ns.begin(), c.ts_ns.end())) return;
  std::vector<uint32_t> order(c.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::make_pair(c.ts_ns[a], c.seq[a]) < std::make_pair(c.ts_ns[b], c.seq[b]);
  });
  for_each_column(c, c, [&](auto& column, auto&) { permute(column, order); });
}

void name_calls(TraceTable& table) {
  const Columns& c = table.trace.columns;
  std::unordered_map<int32_t, int16_t> code_of;
  std::unordered_map<std::string, int16_t> code_of_name;
  table.call.reserve(c.size());
  for (size_t i = 0; i < c.size(); ++i) {
    const int32_t nr = c.flags[i] & kSignal ? kSignalNr : c.nr[i];
    auto [at, is_new] = code_of.try_emplace(nr, int16_t{0});
    if (is_new) {
      std::string name = nr == kSignalNr ? "signal" : table.trace.call_name(nr);
      auto [known, first] = code_of_name.try_emplace(name, static_cast<int16_t>(table.call_names.size()));
      if (first) table.call_names.push_back(std::move(name));
      at->second = known->second;
    }
    table.call.push_back(at->second);
  }
}

void name_strings(TraceTable& table) {
  const std::vector<std::string>& all = table.trace.strings;
  std::unordered_map<std::string_view, int32_t> code_of_string;
  std::vector<int32_t> code(all.size(), -1);
  for (size_t i = 1; i < all.size(); ++i) {
    auto [at, is_new] = code_of_string.try_emplace(all[i], static_cast<int32_t>(table.strings.size()));
    if (is_new) table.strings.push_back(all[i]);
    code[i] = at->second;
  }
  for (size_t which = 0; which < 2; ++which) {
    table.path[which].reserve(table.size());
    for (uint32_t id : table.trace.columns.path[which]) table.path[which].push_back(code[id]);
  }
  table.data.reserve(table.size());
  for (uint32_t id : table.trace.columns.data) table.data.push_back(code[id]);
}

// Registers hold 64 bits; of an int the kernel reads the low half, and what a program left in the other is
// noise.
void sign_arguments(Columns& c, const TraceInfo& info) {
  enum Width : uint8_t { kWhole, kSigned, kUnsigned };
  struct Widths {
    std::array<Width, 6> of{};
    bool any = false;
  };
  std::unordered_map<int32_t, Widths> known;
  for (const CallInfo& call : info.header.calls) {
    Widths& w = known[call.nr];
    for (size_t i = 0; i < call.args.size() && i < 6; ++i) {
      const std::string& kind = call.args[i];
      if (kind == "FD" || kind == "DIRFD" || kind == "INT" || kind == "PID" || kind == "SIG")
        w.of[i] = kSigned;
      if (kind == "UINT" || kind == "MODE") w.of[i] = kUnsigned;
      w.any |= w.of[i] != kWhole;
    }
  }
  const Widths* last = nullptr;
  int32_t last_nr = -2;
  for (size_t i = 0; i < c.size(); ++i) {
    if (c.flags[i] & (kSignal | kCompat)) continue;
    if (c.nr[i] != last_nr) {
      const auto it = known.find(last_nr = c.nr[i]);
      last = it == known.end() || !it->second.any ? nullptr : &it->second;
    }
    if (!last) continue;
    for (size_t k = 0; k < 6; ++k) {
      uint64_t& arg = c.args[k][i];
      if (last->of[k] == kSigned) arg = static_cast<uint64_t>(int64_t{static_cast<int32_t>(arg)});
      if (last->of[k] == kUnsigned) arg = static_cast<uint32_t>(arg);
    }
  }
}

// Numbers names as they come.
class Numberer {
 public:
  explicit Numberer(TraceTable::Names& out) : out_(out) {}
  void add(std::string_view name) {
    if (name.empty()) {
      out_.code.push_back(-1);
      return;
    }
    auto [at, fresh] = codes_.try_emplace(std::string(name), static_cast<int32_t>(out_.names.size()));
    if (fresh) out_.names.emplace_back(name);
    out_.code.push_back(at->second);
  }

 private:
  TraceTable::Names& out_;
  std::unordered_map<std::string, int32_t> codes_;
};

// Which image ran in a process at a time.
class Images {
 public:
  explicit Images(const TraceInfo& info) {
    for (const Process& p : info.processes) of_[p.pid].push_back(&p);
  }
  std::string_view exe(int32_t pid, uint64_t ts_ns) const {
    const auto it = of_.find(pid);
    if (it == of_.end()) return {};
    const Process* found = nullptr;
    for (const Process* p : it->second)
      if (p->start_ns <= ts_ns || !found) found = p;
    return found->exe;
  }

 private:
  std::unordered_map<int32_t, std::vector<const Process*>> of_;
};

// What each row stands for, from event to event.
class Context {
 public:
  explicit Context(TraceTable& table)
      : images_(table.trace),
        mappings_(table.trace),
        exe_(table.exe),
        fd_path_(table.fd_path),
        site_(table.site),
        error_(table.error) {
    error_.reserve(table.size());
    for (auto* names : {&table.exe, &table.fd_path, &table.site}) names->code.reserve(table.size());
  }

  // In order of entry, all of the recording; wanted: it has a row.
  void add(const TraceInfo& info, const Event& e, bool wanted) {
    const CallInfo* call = e.has(kSignal) || e.has(kCompat) ? nullptr : info.call(e.nr);
    // A call that makes a descriptor is about the new one.
    const bool makes = call && call->result == "FD" && e.ret >= 0 && !e.has(kNoExit);
    if (wanted && !makes) fd_path_.add(fds_.path_of(info, e));
    fds_.add(info, e);
    if (call && (e.nr == kExecve || e.nr == kExecveat) && e.ret == 0) place_of_.clear();
    if (!wanted) return;
    if (makes) fd_path_.add(fds_.path(e.pid, static_cast<int32_t>(e.ret)));
    exe_.add(images_.exe(e.pid, e.ts_ns));
    site_.add(e.ip ? std::string_view(place(e)) : std::string_view());
    error_.push_back(static_cast<int16_t>(e.failed() ? -e.ret : 0));
  }

 private:
  const std::string& place(const Event& e) {
    auto [at, fresh] =
        place_of_.try_emplace(e.site() ^ static_cast<uint64_t>(static_cast<uint32_t>(e.pid)) << 48);
    if (fresh)
      if (const auto found = mappings_.place(e.pid, e.site(), e.ts_ns))
        at->second = fmt::format("{}+{:#x}", found->path, found->offset);
    return at->second;
  }

  const Images images_;
  const MappingIndex mappings_;
  Numberer exe_, fd_path_, site_;
  std::vector<int16_t>& error_;
  std::unordered_map<uint64_t, std::string> place_of_;  // of an address, by process; emptied when one execs
  Descriptors fds_;
};

using RowKey = std::tuple<uint64_t, int32_t, uint32_t>;  // entry, thread, number in the thread

RowKey key_of(const Event& e) { return {e.ts_ns, e.tid, e.seq}; }

// Rows are in order of time like the file's events; only of those at the same moment the order may differ.
Result<> context_from_file(TraceTable& table, Context& context) {
  const Columns& c = table.trace.columns;
  size_t begin = 0;
  std::vector<RowKey> order;
  TRY(for_each_in_order(
      table.source, [](const TraceInfo&) {},
      [&](const Event& e, const TraceInfo& info) {
        while (begin < c.size() && c.ts_ns[begin] < e.ts_ns) ++begin;
        bool wanted = false;
        for (size_t i = begin; i < c.size() && c.ts_ns[i] == e.ts_ns && !wanted; ++i)
          wanted = key_of(c.event(i)) == key_of(e);
        context.add(info, e, wanted);
        if (wanted) order.push_back(key_of(e));
        return order.size() < c.size();
      }));
  if (order.size() != c.size()) return error("{}: changed since it was read", table.source);
  // The columns that were made follow the file's order; put them into the rows'.
  std::vector<uint32_t> place(order.size());
  std::map<RowKey, uint32_t> at;
  bool same = true;
  for (uint32_t i = 0; i < order.size(); ++i) same &= order[i] == key_of(c.event(i));
  if (same) return Unit{};
  for (uint32_t i = 0; i < order.size(); ++i) at[order[i]] = i;
  for (uint32_t i = 0; i < place.size(); ++i) place[i] = at[key_of(c.event(i))];
  for (auto* names : {&table.exe, &table.fd_path, &table.site}) permute(names->code, place);
  permute(table.error, place);
  return Unit{};
}

}  // namespace

Result<> add_context(TraceTable& table) {
  if (table.has_context) return Unit{};
  Context context(table);
  if (!table.source.empty()) {
    TRY(context_from_file(table, context));
  } else {
    for (size_t i = 0; i < table.size(); ++i) context.add(table.trace, table.trace.columns.event(i), true);
  }
  table.has_context = true;
  return Unit{};
}

Result<TraceTable> load_trace_table(const std::string& path, const TraceFilter& filter) {
  if (!filter.any()) return make_trace_table(TRY(read_columns(path)), path);
  TraceTable table = TRY(make_trace_table(TRY(read_filtered(path, filter)), path));
  table.source = path;
  return table;
}

Result<TraceTable> make_trace_table(ColumnTrace trace, const std::string& path) {
  TraceTable table;
  table.trace = std::move(trace);
  if (table.trace.columns.size() > UINT32_MAX)
    return error("{}: {} events; at most {} fit into one table", path, table.trace.columns.size(),
                 UINT32_MAX);
  sort_by_time(table.trace.columns);
  sign_arguments(table.trace.columns, table.trace);
  name_calls(table);
  name_strings(table);
  return table;
}

}  // namespace sysvm
