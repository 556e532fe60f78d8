// SPDX-License-Identifier: MIT
#include "cli/call_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace sysvm {

std::string summary_name(const TraceInfo& info, int32_t nr) {
  return nr == -2 ? "i386 calls" : info.call_name(nr);
}

namespace {

constexpr unsigned kBinBits = 6;

size_t bin_of(uint64_t ns) {
  if (ns < 2u << kBinBits) return ns;
  const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - kBinBits;
  return (static_cast<size_t>(shift) << kBinBits) + (ns >> shift);
}

uint64_t bin_start(size_t bin) {
  if (bin < 2u << kBinBits) return bin;
  const size_t shift = (bin >> kBinBits) - 1;
  return (bin - (shift << kBinBits)) << shift;
}

}  // namespace

// The time that this share of the calls did not exceed: within its bin, as if its calls were spread evenly
// over it.
uint64_t CallSummary::Row::quantile_ns(double share) const {
  if (!calls) return 0;
  const double rank = std::max(1.0, std::ceil(share * static_cast<double>(calls)));
  double below = 0;
  for (size_t bin = 0; bin < bins.size(); ++bin) {
    const auto here = static_cast<double>(bins[bin]);
    if (here == 0 || below + here < rank) {
      below += here;
      continue;
    }
    const uint64_t from = bin_start(bin), last = bin_start(bin + 1) - 1;
    const double within = static_cast<double>(last - from) * (rank - below - 0.5) / here;
    return std::clamp(from + static_cast<uint64_t>(within + 0.5), shortest_ns, longest_ns);
  }
  return longest_ns;
}

void CallSummary::add(const Event& e) {
  if (e.flags & (kSignal | kForkChild)) return;
  Row& row = rows_[e.has(kCompat) ? -2 : e.nr];
  ++row.calls;
  if (e.failed()) ++row.errors;
  row.total_ns += e.dur_ns;
  row.longest_ns = std::max(row.longest_ns, e.dur_ns);
  row.shortest_ns = std::min(row.shortest_ns, e.dur_ns);
  const size_t bin = bin_of(std::min<uint64_t>(e.dur_ns, INT64_MAX));
  if (row.bins.size() <= bin) row.bins.resize(bin + 1);
  ++row.bins[bin];
}

std::vector<std::pair<int32_t, CallSummary::Row>> CallSummary::rows() const {
  std::vector<std::pair<int32_t, Row>> out(rows_.begin(), rows_.end());
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.second.total_ns > b.second.total_ns; });
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
    return fmt::format("{:6.2f} {:11.6f} {:11} {:9} {:>9} {}\n", share,
                       static_cast<double>(row.total_ns) / 1e9,
                       row.calls ? row.total_ns / row.calls / 1000 : 0, row.calls,
                       row.errors ? std::to_string(row.errors) : "", name);
  };
  for (const auto& [nr, row] : rows())
    out +=
        line(sum.total_ns ? 100.0 * static_cast<double>(row.total_ns) / static_cast<double>(sum.total_ns) : 0,
             row, summary_name(info, nr));
  return out + rule + line(100, sum, "total");
}

}  // namespace sysvm
