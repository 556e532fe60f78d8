// SPDX-License-Identifier: MIT
// Stage 5: the occurrences of one trigger -> what to make ahead of it.
//
// The occurrences form a prefix tree of steps. The machine cannot know which branch the application will
// take, and the log is used in order, so a procedure is one path from the root: at each node the branch that
// most occurrences take. Each further step is a bet: an occurrence that takes it saves a crossing; one that
// does not has paid for a call made in vain, and perhaps for undoing it. The path is cut where the sum of the
// bets is highest.
//
// Two branches are data that the machine sees itself: what kind of file was opened (a plan is for regular
// files or for directories, whichever is worth more) and how long a run of reads is (unrolled; a short read
// means that the next one finds the end). Tested by tests/optimizer/planner_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/base/cost.h"
#include "optimizer/learn/occurrences.h"

namespace sysvm {

struct PlannedStep {
  const StepSources* sources = nullptr;
  bool go_on = false;       // the call fails in normal life: the program goes on
  uint64_t size = 0;        // what the code passes where the source is kSize
  uint32_t repeats = 1;     // a run of reads, unrolled
  bool end_call = false;    // run: after a short transfer, one more that finds the end
  bool after_full = false;  // run: the program goes on to the next step without having seen the end
  uint64_t reached = 0;     // occurrences that got here
  uint64_t taken = 0;       // of these, those that made this step
};

struct Plan {
  std::string exe;
  uint32_t nr = 0;
  std::array<uint64_t, 6> args{};  // of one trigger; flags are the same in all
  std::string path;                // the same in all, "": any
  uint8_t streak = 0;              // of the trigger (Occurrence)
  FileKind kind = FileKind::kUnknown;
  std::vector<PlannedStep> steps;
  uint64_t seen = 0;    // triggers that succeeded
  uint64_t failed = 0;  // triggers that did not
  double saved_entries = 0;
  double saved_ns = 0;
  std::string stop;  // why the most common path ends where it does
};

struct PlanLimits {
  uint64_t min_count = 4;
  uint32_t staging = 256 * 1024;
  CostModel cost;
};

// The best plan for these occurrences of one trigger, or nothing with the reason in *why.
std::optional<Plan> plan(const std::vector<const Occurrence*>& occurrences, const PlanLimits& limits,
                         std::string* why);

}  // namespace sysvm
