// SPDX-License-Identifier: MIT
// What would one candidate have done to the recording?
//
// The shim itself says so (libsysvm/shim/replay/): a file with this procedure alone is loaded, and the
// program's calls are made past it, the recording in the place of the kernel (recorded_kernel.h). That proves
// three things before anybody runs the procedure: the shim accepts it, what it would answer equals what the
// kernel answered (else it is dropped), and how many crossings it saves. Each run is priced by the costs of
// this machine, so that a candidate that bets in vain too often is dropped although it saves some crossings.
//
// A process begins with what its first run would teach the shim: that the file system is good, and which
// paths come back. A replay (replay.h) counts the run that this takes in each process; a trial does not.
// Tested by tests/optimizer/trial_test.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "optimizer/base/cost.h"
#include "optimizer/base/event_set.h"
#include "optimizer/learn/occurrences.h"
#include "optimizer/prove/example.h"
#include "procedures/procedure.h"

namespace sysvm {

struct TrialTotals {
  uint64_t runs = 0;
  uint64_t hits = 0;
  uint64_t misses = 0;  // runs with a follower that was not used
  uint64_t undone = 0;  // calls that take back what was made in vain
  uint64_t inner = 0;   // calls made inside runs, triggers included
  uint64_t unused = 0;  // calls made ahead that were not asked for
  // Each run saves some crossings and has other costs: time saved = crossings * cost of one - other costs.
  double crossings = 0, besides_ns = 0;
  double saved_ns = 0, saved_squares = 0;  // sums over the runs, by the costs given
  double break_even_ns() const { return crossings > 0 ? besides_ns / crossings : 0; }  // cost of a crossing
  double spread_ns() const;  // of saved_ns, since runs vary: 1.96 standard errors of the sum
  uint64_t wrong = 0;        // answers that the kernel did not give
  std::string wrong_why;
  std::vector<const PackedEvent*> answered;  // calls of the recording
  Occurred example;                          // the first run that most of the followers answered
};

class Trials {
 public:
  // late_close: closes wait for the next crossing, as they do unless the file is made for --strict.
  Trials(const CostModel& cost, bool late_close);
  ~Trials();

  // At these occurrences of its trigger, in the order of the recording. proc.code must have passed the
  // verifier.
  Result<TrialTotals> of(const Procedure& proc, const std::vector<const Occurrence*>& occurrences);
  // A loop at a dirent (emit_loop): every call of the streams, but for those that are answered already.
  Result<TrialTotals> of_loop(const Procedure& proc, const std::vector<const Stream*>& streams,
                              const EventSet& answered);

 private:
  class Stage;
  std::unique_ptr<Stage> stage_;
};

}  // namespace sysvm
