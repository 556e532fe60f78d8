// SPDX-License-Identifier: MIT
#include "optimizer/prove/attempt.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "optimizer/make/emit.h"
#include "procedures/assembler.h"
#include "procedures/text.h"

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

// What all procedures of this name and trigger did together: nothing else tells those of several call sites
// apart.
std::optional<ProfiledProcedure> profiled(const CompileOptions& options, const Procedure& proc) {
  std::optional<ProfiledProcedure> sum;
  for (const ProfiledProcedure& p : options.profile) {
    if (p.name != proc.name) continue;
    if (!p.trigger.empty() && (p.exe != proc.exe || p.trigger != trigger_anywhere(proc.triggers[0])))
      continue;
    if (!sum) {
      sum = p;
      continue;
    }
    sum->runs += p.runs;
    sum->hits += p.hits;
    sum->misses += p.misses;
    sum->undone += p.undone;
    sum->off |= p.off;
  }
  return sum;
}

struct Made {  // a plan with its code
  Plan plan;
  Emitted emitted;
};

Result<Made> make(Plan plan, const CompileOptions& options) {
  Made out;
  out.emitted = TRY(emit_run_ahead(plan, !options.strict));
  out.emitted.proc.code = TRY(assemble(out.emitted.text));
  out.plan = std::move(plan);
  return out;
}

// What counters of a run say of this plan: nothing is changed by few runs.
constexpr uint64_t kRuns = 32;
bool loses(const ProfiledProcedure& ran) { return ran.off || (ran.runs >= kRuns && ran.hits < ran.runs); }
bool misses(const ProfiledProcedure& ran) { return ran.runs >= kRuns && ran.misses * 4 > ran.runs; }

// The plan that the counters allow; *why: none. If the plan did not run but one that is shorter did, an
// earlier profile had shortened it, so that is where to go on from; it would swing to and fro else.
Result<Made> refine(Made whole, const CompileOptions& options, std::string* why) {
  if (options.profile.empty()) return whole;
  Made made = whole;
  std::optional<ProfiledProcedure> found;
  while (!(found = profiled(options, made.emitted.proc))) {
    Plan less = made.plan;
    if (!shorten(less)) return whole;
    made = TRY(make(std::move(less), options));
  }
  const ProfiledProcedure& ran = *found;
  if (made.plan.steps.size() < whole.plan.steps.size() ||
      made.emitted.proc.followers.size() < whole.emitted.proc.followers.size())
    made.plan.stop = "it was shorter when it ran, and stays so";
  if (loses(ran)) {
    *why = fmt::format("when it ran, {} runs answered {} calls, {} were undone{}", ran.runs, ran.hits,
                       ran.undone, ran.off ? ", and it switched itself off" : "");
    return made;
  }
  if (!misses(ran)) return made;
  // Used in order, so what comes last was missed most: as many go as were not used on average, and one at
  // least.
  const uint64_t used = std::max<uint64_t>(1, (ran.hits + ran.runs / 2) / ran.runs);
  bool fewer = false;
  while (!fewer || made.emitted.proc.followers.size() > used) {
    Plan less = made.plan;
    if (!shorten(less)) break;
    less.stop = fmt::format("when it ran, {} of {} runs missed: narrowed", ran.misses, ran.runs);
    made = TRY(make(std::move(less), options));
    fewer = true;
  }
  if (!fewer)
    *why = fmt::format("when it ran, {} of {} runs missed, and nothing is left to leave out", ran.misses,
                       ran.runs);
  return made;
}

// The code of a plan, if it answers what the kernel did, and pays. Else why not.
Result<Attempt> prove(Plan plan, const std::vector<const Occurrence*>& occurrences,
                      const CompileOptions& options, Trials& trials) {
  Attempt out;
  Made made = TRY(refine(TRY(make(std::move(plan), options)), options, &out.why));
  if (!out.why.empty()) return out;
  out.totals = TRY(trials.of(made.emitted.proc, occurrences));
  if (out.totals.wrong * 100 > out.totals.hits) {
    out.why = "tried on its own recording: " + out.totals.wrong_why;
  } else if (out.totals.hits <= out.totals.undone) {
    out.why = out.totals.runs || out.totals.wrong_why.empty()
                  ? fmt::format("would save {} entries and cost {}", out.totals.hits, out.totals.undone)
                  : out.totals.wrong_why;
  } else if (out.totals.saved_ns <= 0) {
    out.why = fmt::format(
        "would save {} entries and {} more time than they cost: pays from {:.0f} ns for an entry",
        out.totals.hits - out.totals.undone, time_text(-out.totals.saved_ns), out.totals.break_even_ns());
  } else {
    out.proc = std::move(made.emitted.proc);
  }
  out.plan = std::move(made.plan);
  return out;
}

}  // namespace

Result<Attempt> attempt(const std::vector<const Occurrence*>& occurrences, const std::string& path,
                        const CompileOptions& options, Trials& trials) {
  Attempt out;
  PlanLimits limits;
  limits.min_count = options.min_count;
  limits.cost = options.cost;
  std::optional<Plan> best = plan(occurrences, limits, &out.why);
  if (!best) return out;
  best->path = path;
  out = TRY(prove(std::move(*best), occurrences, options, trials));
  // The planner counts entries; what is bet on in vain may cost more time than they do. Then less is tried.
  for (Plan less = out.plan; !out.proc && shorten(less);) {
    Attempt shorter = TRY(prove(less, occurrences, options, trials));
    if (!shorter.proc) continue;
    shorter.plan.stop = "what comes next: " + out.why;
    out = std::move(shorter);
  }
  return out;
}

}  // namespace sysvm
