// SPDX-License-Identifier: MIT
// What calls cost, to say what a procedure is worth in time. (What is made ahead is decided by entries:
// planner.cc.) Defaults are the medians of docs/benchmarks.md's method on the machine that the design was
// measured on, in nanoseconds; `sysvm bench` prints this machine's own. Tested by
// tests/optimizer/planner_test.cc.
#pragma once

#include <cstdint>

namespace sysvm {

struct CostModel {
  double crossing_ns = 165;  // one entry, in a real program
  double serve_ns = 8;       // answering a call from the log
  double insn_ns = 7;        // one instruction of the machine
  double undo_ns = 250;      // taking one call back: an entry and its work
  double insns_per_call = 3;
  double insns_per_run = 25;  // prologue and guards

  double inner_ns(uint32_t nr) const;  // the kernel's work of a call, without the entry
  double gain_per_hit() const { return crossing_ns - serve_ns - insns_per_call * insn_ns; }
  double loss_per_waste(uint32_t nr, bool undo) const {
    return inner_ns(nr) + insns_per_call * insn_ns + (undo ? undo_ns : 0);
  }
};

}  // namespace sysvm
