// SPDX-License-Identifier: MIT
// Which call sequences repeat in recordings, and what of their arguments is known when they begin.
//
// This is the view for people (`sysvm mine`): all calls, even those that could never be made ahead, so that
// one sees where the crossings go. The compiler does not start from it; it asks what follows each trigger
// (planner.h).
//
// Sequences are found in each recording by itself (repeats.h) and explained by all their occurrences
// (flow.h). What comes out is a MinePart: counts, and for each argument the sources that no occurrence
// contradicts. Parts of several recordings merge: counts are added, sources that one of them contradicts are
// dropped (and counted), so the order does not matter and a part may have been made on another machine. Only
// then are rare sequences left out and the best shown. Tested by tests/optimizer/mine_test.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

struct MineOptions {
  size_t max_sequences = 10;
  size_t max_length = 16;
  uint64_t min_count = 4;
};

struct PartCall {
  std::string name;                               // "fcntl"
  std::vector<std::vector<std::string>> sources;  // for each argument, the best first; none: varies
  std::vector<std::vector<std::string>>
      inner_sources;       // of the calls in an inner loop's rounds after its first
  std::vector<bool> told;  // the argument had a source in one of the recordings, at least
  std::vector<bool>
      size_at_end;  // the argument is the size of a transfer that came to an end: it does not matter
  std::string result;
  uint64_t count = 0, inner = 0;  // calls that sources and inner_sources are about
  uint64_t again = 0;             // of count: those that are not in the first round of the loop
  bool operator==(const PartCall&) const = default;
};

struct PartSequence {
  uint64_t count = 0;   // occurrences; of a loop of several calls, rounds
  uint64_t events = 0;  // calls inside them
  bool loop = false;
  uint64_t loops = 0, least = 0, most = 0;  // a loop's: how often it ran, and its rounds
  uint64_t held_out = 0;  // occurrences that sources were tested on after they had been learned
  uint64_t failed = 0;    // arguments that lost their last source there
  std::vector<PartCall> calls;
  bool operator==(const PartSequence&) const = default;
};

struct CallTotal {
  uint64_t count = 0, failed = 0, ns = 0;
  bool operator==(const CallTotal&) const = default;
};

struct MinePart {
  uint64_t traces = 0, calls = 0, cuts = 0, threaded = 0;
  uint64_t wall_ns = 0;  // the program's own (own_wall_ns)
  std::map<std::string, CallTotal> by_name;
  std::map<std::string, CallTotal> by_name_and_path;  // paths that were asked for 16 times and more
  std::map<std::string, PartSequence> sequences;      // by their calls, flags and call sites
  bool operator==(const MinePart&) const = default;
};

MinePart mine_part(const Trace& trace, const MineOptions& options = {});
// Reads chunk by chunk: some 100 bytes of memory for each event. look: gets what the file says about itself.
Result<MinePart> mine_part(const std::string& path, const MineOptions& options = {},
                           const std::function<void(const TraceInfo&)>& look = {});
void merge(MinePart& into, const MinePart& other);
std::string to_json(const MinePart& part);
Result<MinePart> mine_part_from_json(std::string_view text);

struct MinedCall {
  std::string name;
  // "#0" result of call 0, "=0.1" equals argument 1 of call 0, "#0.st_size" the size that call 0 gave, "+8" 8
  // more than the last time, "same" as in the round before, "d_name" the next entry of a directory that was
  // read, number, "\"\"", "buf", "*"
  std::vector<std::string> args;
  std::string result;        // "fd", "n", "0", "-ENOENT"
  bool known = false;        // every input is known when the sequence begins
  std::string text() const;  // newfstatat(#0, "", buf, 0x1000) = 0
};

struct MinedSequence {
  std::vector<MinedCall> calls;
  uint64_t count = 0, events = 0;
  uint64_t known = 0;  // calls after the first whose inputs are all known
  bool loop = false;
  uint64_t loops = 0, least = 0, most = 0;
  uint64_t held_out = 0, failed = 0;
  uint64_t contradicted = 0;  // arguments with a source in some of the recordings and none that holds in all
};

struct MineReport {
  uint64_t traces = 0, calls = 0;
  uint64_t covered = 0;        // calls inside the sequences
  uint64_t known = 0;          // of these, calls after the first whose inputs are all known at the beginning
  uint64_t ideal_entries = 0;  // one for each occurrence, the rest plain
  std::vector<MinedSequence> sequences;  // most entries saved first
};

MineReport report(const MinePart& part, const MineOptions& options = {});
MineReport mine(const std::vector<const Trace*>& traces, const MineOptions& options = {});

}  // namespace sysvm
