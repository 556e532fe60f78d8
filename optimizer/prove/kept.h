// SPDX-License-Identifier: MIT
// What has been made so far: the procedures that proved worth it, what was left out and why, and which
// recorded calls are answered, so that later stages work on the rest. Tested by
// tests/optimizer/compile_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "optimizer/base/event_set.h"
#include "optimizer/prove/example.h"
#include "optimizer/prove/trial.h"
#include "procedures/procedure.h"

namespace sysvm {

struct EmittedInfo {  // one procedure of the file, in its order
  std::string name, mode, exe;
  uint64_t seen = 0;
  uint64_t hits = 0, misses = 0, undone = 0;  // in its trial
  double saved_ns = 0;
  double saved_low_ns = 0, saved_high_ns = 0;  // 95 of 100 recordings like this one lie between
  double break_even_ns = 0;                    // cost of a crossing at which it saves nothing
  uint64_t made = 0, unused = 0;               // calls made ahead, and those that were not asked for
  std::string stop;                            // why it ends where it does
  Example example;

  double spread_ns() const { return saved_high_ns - saved_ns; }
  void set_saved(double ns, double spread_ns);
  void add(const EmittedInfo& other);  // the same procedure from another place
};

struct DroppedInfo {
  std::string trigger, exe, reason;
  uint64_t seen = 0;
};

// Of a procedure that was tried.
EmittedInfo info_of(const Procedure& proc, const TrialTotals& totals, uint64_t seen, bool late_close);

class Kept {
 public:
  struct Candidate {
    Procedure proc;
    EmittedInfo info;
  };
  // One that is triggered from a place of its own is the same as one that differs in nothing but the place.
  void keep(Procedure proc, EmittedInfo info);
  void drop(std::string trigger, std::string exe, std::string reason, uint64_t seen) {
    dropped_.push_back({std::move(trigger), std::move(exe), std::move(reason), seen});
  }
  void answer(const std::vector<const PackedEvent*>& calls) { answered_.insert(calls.begin(), calls.end()); }
  void guard(const PackedEvent* open) { guarded_.insert(open); }
  void undo(uint64_t calls) { undone_ += calls; }

  const EventSet& answered() const { return answered_; }
  bool is_guarded(const PackedEvent* open) const { return open && guarded_.contains(open); }
  uint64_t crossings(uint64_t calls) const { return calls - answered_.size() + undone_; }
  // The best first, but those for one path before those for any: the runtime takes the first trigger that
  // matches.
  std::vector<Candidate> take_sorted();
  std::vector<DroppedInfo> take_dropped() { return std::move(dropped_); }

 private:
  std::vector<Candidate> kept_;
  std::vector<DroppedInfo> dropped_;
  EventSet answered_;
  EventSet guarded_;  // opens that a procedure was made for: its guard has checked what they opened
  uint64_t undone_ = 0;
};

}  // namespace sysvm
