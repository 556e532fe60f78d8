// SPDX-License-Identifier: MIT
#include "optimizer/attempt.h"

#include <fmt/format.h>

#include <algorithm>

#include "optimizer/assembler.h"
#include "optimizer/emit.h"

namespace sysvm {
namespace {

// One bet less: the read that finds the end, else the last step. False: nothing is left.
bool shorten(Plan& plan) {
  if (plan.steps.empty()) return false;
  PlannedStep& last = plan.steps.back();
  if (last.end_call) {
    last.end_call = false;
    return true;
  }
  plan.steps.pop_back();
  return !plan.steps.empty();
}

const ProfiledProcedure* profiled(const CompileOptions& options, const std::string& name) {
  for (const ProfiledProcedure& p : options.profile)
    if (p.name == name) return &p;
  return nullptr;
}

// The code of a plan, if it answers what the kernel did, and pays. Else why not.
Result<Attempt> prove(Plan plan, const std::vector<const Occurrence*>& occurrences,
                      const CompileOptions& options) {
  Attempt out;
  Emitted emitted = TRY(emit_run_ahead(plan, !options.strict));
  emitted.proc.code = TRY(assemble(emitted.text));
  if (const ProfiledProcedure* ran = profiled(options, emitted.proc.name)) {
    const uint64_t made = ran->runs;
    if (ran->off || (made >= 32 && ran->hits < made)) {
      out.why = fmt::format("when it ran, {} runs answered {} calls, {} were undone{}", made, ran->hits,
                            ran->undone, ran->off ? ", and it switched itself off" : "");
      return out;
    }
    // Runs that were only partly used: the steps at the end go first.
    if (made >= 32 && ran->misses * 4 > made && plan.steps.size() > 1) {
      const uint64_t used = std::max<uint64_t>(1, ran->hits / made);
      if (used < plan.steps.size()) {
        plan.steps.resize(used);
        plan.stop = fmt::format("when it ran, {} of {} runs missed: narrowed", ran->misses, made);
        emitted = TRY(emit_run_ahead(plan, !options.strict));
        emitted.proc.code = TRY(assemble(emitted.text));
      }
    }
  }
  out.totals = TRY(replay(emitted.proc, plan.kind, occurrences, options.cost));
  if (out.totals.wrong * 100 > out.totals.hits) {
    out.why = "replayed on its own recording: " + out.totals.wrong_why;
  } else if (out.totals.hits <= out.totals.undone) {
    out.why = fmt::format("would save {} entries and cost {}", out.totals.hits, out.totals.undone);
  } else if (out.totals.saved_ns <= 0) {
    out.why = fmt::format(
        "would save {} entries and {} more time than they cost: pays from {:.0f} ns for an entry",
        out.totals.hits - out.totals.undone, time_text(-out.totals.saved_ns), out.totals.break_even_ns());
  } else {
    out.proc = std::move(emitted.proc);
  }
  out.plan = std::move(plan);
  return out;
}

}  // namespace

Result<Attempt> attempt(const std::vector<const Occurrence*>& occurrences, const std::string& path,
                        const CompileOptions& options) {
  Attempt out;
  PlanLimits limits;
  limits.min_count = options.min_count;
  limits.cost = options.cost;
  std::optional<Plan> best = plan(occurrences, limits, &out.why);
  if (!best) return out;
  best->path = path;
  out = TRY(prove(std::move(*best), occurrences, options));
  // The planner counts entries; what is bet on in vain may cost more time than they do. Then less is tried.
  for (Plan less = out.plan; !out.proc && shorten(less);) {
    Attempt shorter = TRY(prove(less, occurrences, options));
    if (!shorter.proc) continue;
    shorter.plan.stop = "what comes next: " + out.why;
    out = std::move(shorter);
  }
  return out;
}

}  // namespace sysvm
