// SPDX-License-Identifier: MIT
// What calls cost, to say what a procedure is worth in time. (How far ahead calls are made is decided by
// crossings: planner.cc; whether a procedure is kept, by time: attempt.cc.) All in nanoseconds. The defaults
// are those of the machine that the design was measured on (docs/benchmarks.md); `sysvm bench --save` stores
// this machine's own. Uses the kernel engine's figures where they were measured, else those of the user
// engine, which has the same interpreter. Tested by tests/optimizer/cost_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/result.h"

namespace sysvm {

struct CostModel {
  double crossing_ns = 165;   // one entry into the kernel, in a real program
  double serve_ns = 13;       // answering a call from the log
  double copy_4k_ns = 26;     // of what was staged, each 4 KiB
  double watch_ns = 20;       // a call that the shim checks and forwards, beyond the plain call
  double insn_ns = 3;         // one instruction of the machine
  double run_ns = 10;         // a run, beyond its crossing and its instructions
  double inner_extra_ns = 5;  // one call inside a run, beyond its work
  double undo_ns = 210;       // taking one call back: a crossing and its work
  double insns_per_call = 3;
  double insns_per_run = 25;  // prologue and guards
  std::unordered_map<uint32_t, double>
      work_ns;  // the kernel's work of a call, without the crossing, where measured
  // The user engine's own: each call of a run is a crossing, so only answers without one are gained.
  double user_insn_ns = 3, user_run_ns = 40, user_call_ns = 8;
  double start_ns = 300e3;   // the shim's start in a process
  double launch_ns = 1.5e6;  // what `sysvm run` adds to a command once
  double uncertain = 0.15;  // share by which these are known: how far the repetitions of a crossing lay apart
  std::string source = "defaults";
  double age_s = -1;                   // since they were measured; -1: never
  std::string source_and_age() const;  // "measured 3 days ago: ~/.cache/sysvm/costs.json"

  double inner_ns(uint32_t nr) const;
  double gain_per_hit() const { return crossing_ns - serve_ns - inner_extra_ns - insns_per_call * insn_ns; }
  double loss_per_waste(uint32_t nr, bool undo) const {
    return inner_ns(nr) + inner_extra_ns + insns_per_call * insn_ns + (undo ? undo_ns : 0);
  }
};

// $XDG_CACHE_HOME/sysvm/costs.json, or below ~/.cache; "" if there is no home.
std::string costs_file();
// What `sysvm bench --json` or --save wrote. What was not measured there keeps its default; a figure that no
// machine has is refused, since every prediction would be nonsense.
Result<CostModel> costs_from_json(std::string_view text);
Result<CostModel> read_costs(const std::string& path);
// This machine's own if they were saved, else the defaults.
CostModel costs_here();

// Less than 1 % of the wall time, or of any time where that is not known (0) less than something.
bool nothing_to_gain(double saved_ns, uint64_t wall);

}  // namespace sysvm
