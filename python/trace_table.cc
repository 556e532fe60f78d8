// SPDX-License-Identifier: MIT
#include "python/trace_table.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace sysvm {
namespace {

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
  permute(c.ts_ns, order);
  permute(c.dur_ns, order);
  permute(c.pid, order);
  permute(c.tid, order);
  permute(c.seq, order);
  permute(c.nr, order);
  permute(c.ret, order);
  for (auto& arg : c.args) permute(arg, order);
  permute(c.flags, order);
  for (auto& path : c.path) permute(path, order);
  permute(c.ip, order);
  permute(c.caller, order);
  permute(c.st_mode, order);
  permute(c.st_size, order);
  permute(c.st_dev, order);
  permute(c.st_ino, order);
  permute(c.data_kind, order);
  permute(c.data, order);
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
    table.trace.columns.path[which] = {};
  }
}

}  // namespace

Result<TraceTable> load_trace_table(const std::string& path) {
  return make_trace_table(TRY(read_columns(path)), path);
}

Result<TraceTable> make_trace_table(ColumnTrace trace, const std::string& path) {
  TraceTable table;
  table.trace = std::move(trace);
  if (table.trace.columns.size() > UINT32_MAX)
    return error("{}: {} events; at most {} fit into one table", path, table.trace.columns.size(),
                 UINT32_MAX);
  sort_by_time(table.trace.columns);
  name_calls(table);
  name_strings(table);
  return table;
}

}  // namespace sysvm
