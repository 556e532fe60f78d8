// SPDX-License-Identifier: MIT
#include "optimizer/prove/choose.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "optimizer/make/emit.h"
#include "procedures/assembler.h"

namespace sysvm {

Result<> Chooser::add(const TriggerClass& of) {
  if (options_.progress) options_.progress->add(of.occurrences.size());
  Attempt together = TRY(attempt(of.occurrences, of.path, options_, trials_));
  const SiteGroup all{std::nullopt, of.occurrences};
  const std::vector<SiteGroup> groups = sites_.split(of.occurrences);
  if (groups.size() < 2 || !together.totals.misses) {
    take(of, together, all);
    return Unit{};
  }
  std::vector<Attempt> apart;
  uint64_t saved = 0;
  for (const SiteGroup& group : groups) {
    apart.push_back(TRY(attempt(group.occurrences, of.path, options_, trials_)));
    if (group.site) saved += apart.back().saved();
  }
  if (saved < together.saved() + 2) {
    take(of, together, all);
    return Unit{};
  }
  for (size_t i = 0; i < groups.size(); ++i)
    if (groups[i].site) take(of, apart[i], groups[i]);
  return Unit{};
}

void Chooser::take(const TriggerClass& of, Attempt& found, const SiteGroup& group) {
  if (!found.proc) {
    const std::string where =
        group.site ? fmt::format(" at {}+{:#x}", names_.of(group.site->build_id), group.site->offset) : "";
    kept_.drop(of.name + where, group.occurrences[0]->stream->exe, found.why, group.occurrences.size());
    return;
  }
  kept_.answer(found.totals.answered);
  for (const Occurrence* o : group.occurrences) kept_.guard(o->trigger);
  kept_.undo(found.totals.undone);
  found.proc->triggers[0].site = group.site;
  EmittedInfo info = info_of(*found.proc, found.totals, found.plan.seen, !options_.strict);
  info.stop = found.plan.stop;
  kept_.keep(std::move(*found.proc), std::move(info));
}

Result<> Chooser::add_loop(const std::string& exe, const LoopShape& shape,
                           const std::vector<const Stream*>& streams) {
  if (options_.progress) options_.progress->add(shape.visits);
  Emitted emitted = TRY(emit_loop(shape, exe, shape.visits, !options_.strict));
  emitted.proc.code = TRY(assemble(emitted.text));
  const TrialTotals totals = TRY(trials_.of_loop(emitted.proc, streams, kept_.answered()));
  std::string why;
  if (totals.wrong * 100 > totals.hits)
    why = "tried on its own recording: " + totals.wrong_why;
  else if (totals.hits < std::max<uint64_t>(options_.min_count, totals.runs))
    why = fmt::format("{} runs at an entry would answer {} calls", totals.runs, totals.hits);
  else if (totals.saved_ns <= 0)
    why = fmt::format("{} runs would save {} entries, make {} calls in vain, and cost {} more than they save",
                      totals.runs, totals.hits, totals.unused, time_text(-totals.saved_ns));
  if (!why.empty()) {
    kept_.drop(emitted.proc.name, exe, why, shape.visits);
    return Unit{};
  }
  kept_.answer(totals.answered);
  EmittedInfo info = info_of(emitted.proc, totals, shape.visits, !options_.strict);
  kept_.keep(std::move(emitted.proc), std::move(info));
  return Unit{};
}

}  // namespace sysvm
