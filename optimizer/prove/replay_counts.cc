// SPDX-License-Identifier: MIT
// Sums of a replay, and what they are worth. Tested by tests/optimizer/cost_test.cc.
#include "optimizer/prove/replay.h"

namespace sysvm {
namespace {

// The work of what nobody asked for, as of the average call made ahead.
double wasted_ns(const CostModel& cost, const ReplayCounts& r) {
  double wasted = 0;
  for (const auto& [nr, n] : r.ahead_by_nr)
    wasted += static_cast<double>(n) * cost.inner_ns(nr) * r.unused_share();
  return wasted;
}

}  // namespace

void ReplayCounts::add(const ReplayCounts& other) {
  for (uint64_t ReplayCounts::*field :
       {&ReplayCounts::processes, &ReplayCounts::calls, &ReplayCounts::entries, &ReplayCounts::unseen,
        &ReplayCounts::plain, &ReplayCounts::forwarded, &ReplayCounts::runs, &ReplayCounts::own,
        &ReplayCounts::answered, &ReplayCounts::ahead, &ReplayCounts::used, &ReplayCounts::inner,
        &ReplayCounts::shimmed, &ReplayCounts::too_old})
    this->*field += other.*field;
  for (const auto& [nr, n] : other.ahead_by_nr) ahead_by_nr[nr] += n;
  for (const auto& [nr, n] : other.left_by_nr) left_by_nr[nr] += n;
}

double user_saved_ns(const CostModel& cost, const ReplayCounts& r) {
  const double crossings = static_cast<double>(r.calls) + static_cast<double>(r.runs) -
                           static_cast<double>(r.entries) - static_cast<double>(r.inner);
  return crossings * cost.crossing_ns - static_cast<double>(r.answered) * cost.serve_ns -
         static_cast<double>(r.forwarded) * cost.watch_ns -
         static_cast<double>(r.runs) * (cost.user_run_ns + cost.insns_per_run * cost.user_insn_ns) -
         static_cast<double>(r.inner) * (cost.user_call_ns + cost.insns_per_call * cost.user_insn_ns) -
         wasted_ns(cost, r);
}

double saved_ns(const CostModel& cost, const ReplayCounts& r) {
  const double crossings = static_cast<double>(r.calls) - static_cast<double>(r.entries);
  return crossings * cost.crossing_ns - static_cast<double>(r.answered) * cost.serve_ns -
         static_cast<double>(r.forwarded) * cost.watch_ns -
         static_cast<double>(r.runs) * (cost.run_ns + cost.insns_per_run * cost.insn_ns) -
         static_cast<double>(r.ahead) * (cost.inner_extra_ns + cost.insns_per_call * cost.insn_ns) -
         wasted_ns(cost, r);
}

}  // namespace sysvm
