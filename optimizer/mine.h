// SPDX-License-Identifier: MIT
// Which call sequences repeat in a recording, and what of their arguments is known when they begin.
//
// This is the view for people (`sysvm mine`): all calls, also those that could never be made ahead, so that
// one sees where the entries go. The compiler does not start from it; it looks at what follows each trigger
// (planner.h).
//
// Sequences: each call is a token (call, command, flags, whether it failed, whether it transferred nothing).
// The frequent n-grams are found level by level (an n-gram is frequent only if both (n-1)-grams in it are);
// then the one that saves most entries, count * (length - 1), is taken, its occurrences are marked, and the
// rest is counted again. An n-gram that ends as it begins (ABA, ABAB) is refused: it is more than one round
// of a loop. Of the rotations of a loop the one that begins with a call that may trigger is preferred.
//
// Data flow: for each argument the sources that explain it in *all* occurrences: the result of an earlier
// call, an argument of an earlier call, a constant; else it varies. Tested by tests/optimizer/mine_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "traces/event.h"

namespace sysvm {

struct MineOptions {
  size_t max_sequences = 10;
  size_t max_length = 16;
  uint64_t min_count = 4;
};

struct MinedCall {
  std::string name;  // "fcntl F_GETFL"
  std::vector<std::string>
      args;  // "#0" result of call 0, "=0.1" equals argument 1 of call 0, number, "\"\"", "buf", "*"
  std::string result;        // "fd", "n", "0", "-ENOENT"
  bool known = false;        // every input is known when the sequence begins
  std::string text() const;  // newfstatat(#0, "", buf, 0x1000) = 0
};

struct MinedSequence {
  std::vector<MinedCall> calls;
  uint64_t count = 0;
  uint64_t known = 0;  // calls behind the first whose inputs are all known
};

struct MineReport {
  uint64_t calls = 0;
  uint64_t covered = 0;  // calls inside the sequences
  uint64_t known = 0;    // of these, calls behind the first whose inputs are all known at the beginning
  std::vector<MinedSequence> sequences;  // most entries saved first
};

MineReport mine(const std::vector<const Trace*>& traces, const MineOptions& options = {});

}  // namespace sysvm
