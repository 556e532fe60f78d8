// SPDX-License-Identifier: MIT
// Sums of a replay, and what they are worth. Tested by tests/optimizer/cost_test.cc.
#include <algorithm>

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

void WentPlain::name(const std::string& program) {
  if (of.size() < kNamed && std::find(of.begin(), of.end(), program) == of.end()) of.push_back(program);
}

void Replay::append(const Replay& later) {
  add(later);
  for (const auto& [reason, plain] : later.off) {
    WentPlain& here = off[reason];
    here.processes += plain.processes;
    here.calls += plain.calls;
    for (const std::string& program : plain.of) here.name(program);
  }
  for (const auto& [program, counts] : later.programs) programs[program].add(counts);
  if (!wrong) wrong_why = later.wrong_why;
  wrong += later.wrong;
  for (size_t i = 0; i < procedures.size(); ++i) {
    ReplayedProcedure& here = procedures[i];
    const ReplayedProcedure& there = later.procedures[i];
    here.runs += there.runs;
    here.hits += there.hits;
    here.misses += there.misses;
    here.undone += there.undone;
    here.off += there.off;
    here.last_ns = std::max(here.last_ns, there.last_ns);
  }
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
