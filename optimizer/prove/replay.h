// SPDX-License-Identifier: MIT
// How many entries would a recorded program have made under the shim?
//
// Each process of a recording is played past the shim's own code (libsysvm/shim/replay/) with a procedure
// file: every call as the program made it, answers by the recording (recorded_kernel.h). Give it a recording
// that the procedures were not made from - another tree, other keys - and the figure says what they are worth
// there. Not modelled: buffers in memory that the shim would not touch. Tested by
// tests/optimizer/replay_test.cc.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/progress.h"
#include "common/result.h"
#include "optimizer/base/cost.h"
#include "procedures/procedure.h"
#include "traces/packed.h"

namespace sysvm {

// What becomes of a call of the program.
enum class CallFate : uint8_t {
  kPlain,     // it is made as it is
  kRuns,      // a procedure begins at it: the run is its entry, and that of what is made ahead
  kAnswered,  // it has no entry of its own
};

struct ReplayOptions {
  bool strict = false;
  uint32_t age_ms = 10;
  bool relaxed_age = false;
  // Has this object file system calls that the shim cannot see? A process that maps it is plain.
  std::function<bool(const std::string& path, const std::string& build_id)> unseen;
  // Of each event, in the order of the recordings. Null: nobody asks.
  std::vector<CallFate>* fates = nullptr;
  Progress* progress = nullptr;  // calls
  // That replay the processes of a recording side by side; 0: as many as there are processors, where it pays.
  unsigned threads = 0;
};

struct ReplayedProcedure {
  std::string name, mode;
  uint64_t runs = 0, hits = 0, misses = 0, undone = 0;
  uint64_t off = 0;      // processes in which it switched itself off
  uint64_t last_ns = 0;  // when the last process ended that it did something for; CLOCK_REALTIME, 0: never
};

struct ReplayCounts {
  uint64_t processes = 0;
  uint64_t calls = 0;    // of the recording, each an entry
  uint64_t entries = 0;  // with the procedures
  uint64_t unseen = 0;   // of these, made where the shim does not see them (the loader)
  uint64_t plain = 0;    // of these, by processes that were plain, or not yet or no longer under the shim
  uint64_t forwarded = 0, runs = 0, own = 0;
  uint64_t answered = 0;  // calls of the program without an entry of their own
  uint64_t ahead = 0;     // calls made ahead
  uint64_t used = 0;      // of these, those that the program then asked for
  uint64_t inner = 0;     // calls made inside runs, triggers included: with the user engine each is an entry
  uint64_t shimmed = 0;   // processes in which the shim starts
  uint64_t too_old = 0;   // runs of which answers had waited longer than ReplayOptions::age_ms: dropped
  std::map<uint32_t, uint64_t> ahead_by_nr;
  std::map<uint32_t, uint64_t> left_by_nr;  // calls of the program that stay entries

  double factor() const { return entries ? static_cast<double>(calls) / static_cast<double>(entries) : 1; }
  double unused_share() const {
    return ahead ? static_cast<double>(ahead - std::min(used, ahead)) / static_cast<double>(ahead) : 0;
  }
  void add(const ReplayCounts& other);
};

// Time that a whole program would have saved, without what starting the shim costs beyond its crossings.
double saved_ns(const CostModel& cost, const ReplayCounts& r);
double user_saved_ns(const CostModel& cost, const ReplayCounts& r);  // with the user engine

struct WentPlain {  // processes that made plain calls, for one reason
  uint64_t processes = 0;
  uint64_t calls = 0;           // all of theirs
  std::vector<std::string> of;  // programs, or the objects that are the reason: a few names
  static constexpr size_t kNamed = 3;
  void name(const std::string& program);
};

struct Replay : ReplayCounts {
  std::map<std::string, WentPlain> off;          // by reason
  std::map<std::string, ReplayCounts> programs;  // by the path of the executable; "?": not known
  uint64_t wrong = 0;                            // answers that differ from the recording's
  std::string wrong_why;
  std::vector<ReplayedProcedure> procedures;
  void append(const Replay& later);  // of the same file, on processes that come after these
};

// svp: the bytes of a procedure file. The recordings are added up.
Result<Replay> replay(std::span<const uint8_t> svp, const std::vector<const PackedTrace*>& traces,
                      const ReplayOptions& options = {});

}  // namespace sysvm
