// SPDX-License-Identifier: MIT
#include "report/worth.h"

#include <algorithm>

#include "common/read_file.h"
#include "optimizer/optimizer.h"
#include "procedures/reader.h"
#include "procedures/svp.h"
#include "procedures/text.h"
#include "report/spans.h"
#include "traces/own_time.h"

namespace sysvm::page {
namespace {

CostModel at_price(CostModel cost, double crossing_ns) {
  cost.undo_ns += crossing_ns - cost.crossing_ns;  // an undone call is an entry
  cost.crossing_ns = crossing_ns;
  return cost;
}

template <typename Saved>  // of a cost model; linear in the price of an entry
Line line_of(const CostModel& cost, Saved saved) {
  const double zero = saved(at_price(cost, 0)), some = saved(at_price(cost, 1000));
  return {zero, (some - zero) / 1000};
}

double saved_by(const ReplayedProcedure& p, svp_mode mode, const CostModel& cost) {
  const auto hits = static_cast<double>(p.hits), runs = static_cast<double>(p.runs),
             undone = static_cast<double>(p.undone);
  const bool made = mode == SVP_RUN_AHEAD;  // else nothing is made ahead
  const double each = cost.serve_ns + (made ? cost.inner_extra_ns + cost.insns_per_call * cost.insn_ns : 0);
  return hits * (cost.crossing_ns - each) -
         (made ? runs * (cost.run_ns + cost.insns_per_run * cost.insn_ns) : 0) - undone * cost.undo_ns;
}

Result<std::vector<uint8_t>> procedures_of(const PackedTrace& trace, const WorthOptions& options) {
  if (!options.procedures.empty()) return read_whole_file(options.procedures, SVP_FILE_MAX);
  CompileOptions how;
  how.cost = options.cost;
  how.examples = false;
  Compiled compiled = TRY(compile({&trace}, how));
  return std::move(compiled.svp);
}

Result<> find(const PackedTrace& trace, const WorthOptions& options, Worth& out) {
  const std::vector<uint8_t> svp = TRY(procedures_of(trace, options));
  const Result<ProcedureFile> read = read_svp(svp);
  if (!read) return error("{}: {}", options.procedures, read.message());
  const ProcedureFile& file = *read;
  std::vector<CallFate> fates;
  ReplayOptions how;
  how.unseen = options.unseen;
  how.fates = &fates;
  out.replay = TRY(replay(svp, {&trace}, how));
  out.cost = options.cost;
  for (const CallFate fate : fates)
    out.fates.push_back(fate == CallFate::kPlain  ? uint8_t{0}
                        : fate == CallFate::kRuns ? uint8_t{kSpanRuns}
                                                  : uint8_t{kSpanAnswered});
  const uint64_t wall_ns =
      own_wall_ns(trace, trace.events.size(), trace.events.first_ns(), trace.events.last_ns());
  out.verdict = judge(out.replay, options.cost, 0, wall_ns);
  out.kernel = line_of(options.cost, [&](const CostModel& cost) { return saved_ns(cost, out.replay); });
  out.user = line_of(options.cost, [&](const CostModel& cost) { return user_saved_ns(cost, out.replay); });
  for (size_t i = 0; i < file.procs.size(); ++i) {
    const Procedure& proc = file.procs[i];
    ProcedureWorth& p = out.procedures.emplace_back();
    p.counts = out.replay.procedures[i];
    p.followers = proc.followers.size();
    if (!proc.triggers.empty()) p.trigger = trigger_text(proc.triggers.front());
    p.saved_ns =
        line_of(options.cost, [&](const CostModel& cost) { return saved_by(p.counts, proc.mode, cost); });
  }
  std::stable_sort(out.procedures.begin(), out.procedures.end(),
                   [&](const ProcedureWorth& a, const ProcedureWorth& b) {
                     return a.saved_ns.at(options.cost.crossing_ns) > b.saved_ns.at(options.cost.crossing_ns);
                   });
  return Unit{};
}

}  // namespace

Worth find_worth(const Trace& trace, const WorthOptions& options) {
  Worth out;
  if (trace.events.empty())
    out.why_not = "no call was recorded";
  else if (const Result<> found = find(packed(trace), options, out); !found)
    out.why_not = found.message();
  return out;
}

}  // namespace sysvm::page
