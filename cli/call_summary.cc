// SPDX-License-Identifier: MIT
#include "cli/call_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace sysvm {

std::string summary_name(const TraceInfo& info, int32_t nr) {
  return nr == -2 ? "i386 calls" : info.call_name(nr);
}

uint64_t CallSummary::Row::quantile_ns(double share) const {
  uint64_t seen = 0;
  const auto wanted = static_cast<uint64_t>(share * static_cast<double>(calls));
  for (size_t bits = 0; bits < log2.size(); ++bits)
    if ((seen += log2[bits]) > wanted) return std::min(longest_ns, (uint64_t{1} << bits) - 1);
  return longest_ns;
}

void CallSummary::add(const Event& e) {
  if (e.flags & (kSignal | kForkChild)) return;
  Row& row = rows_[e.has(kCompat) ? -2 : e.nr];
  ++row.calls;
  if (e.ret < 0 && e.ret >= -4095 && !e.has(kNoExit) && !e.has(kRestarted)) ++row.errors;
  row.total_ns += e.dur_ns;
  row.longest_ns = std::max(row.longest_ns, e.dur_ns);
  ++row.log2[std::min<size_t>(static_cast<size_t>(std::bit_width(e.dur_ns)), 63)];
}

std::vector<std::pair<int32_t, CallSummary::Row>> CallSummary::rows() const {
  std::vector<std::pair<int32_t, Row>> out(rows_.begin(), rows_.end());
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.second.total_ns > b.second.total_ns; });
  return out;
}

std::string CallSummary::text(const TraceInfo& info) const {
  Row sum;
  for (const auto& [nr, row] : rows_) {
    sum.calls += row.calls;
    sum.errors += row.errors;
    sum.total_ns += row.total_ns;
  }
  const std::string rule = "------ ----------- ----------- --------- --------- ----------------\n";
  std::string out = "% time     seconds  usecs/call     calls    errors syscall\n" + rule;
  auto line = [](double share, const Row& row, const std::string& name) {
    return fmt::format("{:6.2f} {:11.6f} {:11} {:9} {:>9} {}\n", share, static_cast<double>(row.total_ns) / 1e9,
                       row.calls ? row.total_ns / row.calls / 1000 : 0, row.calls,
                       row.errors ? std::to_string(row.errors) : "", name);
  };
  for (const auto& [nr, row] : rows())
    out += line(sum.total_ns ? 100.0 * static_cast<double>(row.total_ns) / static_cast<double>(sum.total_ns) : 0, row,
                summary_name(info, nr));
  return out + rule + line(100, sum, "total");
}

}  // namespace sysvm
