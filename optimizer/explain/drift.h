// SPDX-License-Identifier: MIT
// Which procedures no longer match what programs do.
//
// A procedure was made from a recording. Its program is updated, its configuration or its data change, and
// one day it asks something else: the procedure bets in vain and is switched off, or never starts. Newer
// recordings show it: each procedure's counts in a replay (replay.h), compared with those that were noted
// when it was compiled. Tested by tests/optimizer/drift_test.cc.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "optimizer/prove/replay.h"
#include "procedures/procedure.h"
#include "traces/packed.h"

namespace sysvm {

enum class DriftState : uint8_t {
  kFits,      // it does what it did
  kDiverges,  // it runs, but answers less than it did
  kIdle,      // its program runs, but never comes to its trigger
  kReplaced,  // its program's file is another one by now: it is not tried
  kAbsent,    // its program is not in the recordings
};

struct DriftedProcedure {
  std::string name, mode, program;  // program: its name, "" for any
  DriftState state = DriftState::kFits;
  std::string why;           // in words; "" if it fits
  uint64_t processes = 0;    // of its program, in the recordings
  ReplayedProcedure counts;  // runs, hits, misses, undone, off
  double hits_of_run = 0;    // answers of one run
  double hits_noted = -1;    // the same when it was compiled; -1: not noted
  uint64_t last_ns = 0;      // when a process ended in which it ran last, CLOCK_REALTIME; 0: it did not
};

// replayed: of these recordings, with this file. Those that no longer match come first.
std::vector<DriftedProcedure> drift_of(const ProcedureFile& file, const Replay& replayed,
                                       const std::vector<const PackedTrace*>& traces);
std::string drift_text(const std::vector<DriftedProcedure>& all);
nlohmann::json drift_json(const std::vector<DriftedProcedure>& all);

}  // namespace sysvm
