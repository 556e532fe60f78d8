// SPDX-License-Identifier: MIT
// Stages 5 to 7 together: the best procedure for some occurrences of a trigger that is proved to pay, or why
// there is none.
//
// The planner bets in crossings; a trial prices in time. What was bet on in vain may cost more than the
// crossings that it saves, so a plan that does not pay is shortened, bet by bet, until one does. Counters of
// a run (`sysvm run --stats`) have the first word: what missed when it ran is narrowed or not made. Tested by
// tests/optimizer/compile_test.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "optimizer/base/options.h"
#include "optimizer/make/planner.h"
#include "optimizer/prove/trial.h"

namespace sysvm {

struct Attempt {
  std::optional<Procedure> proc;  // with its code
  Plan plan;
  TrialTotals totals;
  std::string why;  // there is none
  uint64_t saved() const { return proc ? totals.hits - totals.undone : 0; }
};

// path: the trigger's, if all of these open the same one, else "".
Result<Attempt> attempt(const std::vector<const Occurrence*>& occurrences, const std::string& path,
                        const CompileOptions& options, Trials& trials);

}  // namespace sysvm
