// SPDX-License-Identifier: MIT
// Stage 7: what would the procedure have done to the recording?
//
// The emitted code is run by the machine itself, once for each occurrence of its trigger, in an environment
// that answers each call as the recording says (a small model of the file gives read its lengths). Then the
// application's recorded calls are matched with what the run left in the log, by the runtime's rules: in
// order, every argument. That proves three things before anybody runs the procedure: the code makes no call
// that is not one of its plan, what it would answer equals what the kernel answered (else the procedure is
// dropped), and how many entries it saves. Tested by tests/optimizer/trial_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "optimizer/base/cost.h"
#include "optimizer/prove/example.h"
#include "optimizer/learn/occurrences.h"
#include "procedures/procedure.h"

namespace sysvm {

struct TrialTotals {
  uint64_t runs = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;  // runs with a follower that was not used
  uint64_t undone = 0;  // effects that had to be taken back
  uint64_t inner = 0;   // calls made inside runs
  uint64_t unused = 0;  // calls made ahead that were not asked for
  // Each run saves so many entries and costs so much beside: time = entries * crossing - beside.
  double entries = 0, beside_ns = 0;
  double saved_ns = 0, saved_squares = 0;  // sums over the runs, by the costs given
  double break_even_ns() const { return entries > 0 ? beside_ns / entries : 0; }  // cost of an entry
  double spread_ns() const;  // of saved_ns, since runs vary: 1.96 standard errors of the sum
  uint64_t wrong = 0;   // answers that the kernel did not give
  std::string wrong_why;
  std::vector<const Event*> answered;         // calls of the recording
  Occurred example;                           // the first run that most of the followers answered
};

// proc.code must have passed the verifier.
Result<TrialTotals> try_out(const Procedure& proc, FileKind kind,
                            const std::vector<const Occurrence*>& occurrences, const CostModel& cost = {});

}  // namespace sysvm
