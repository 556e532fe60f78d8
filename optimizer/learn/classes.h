// SPDX-License-Identifier: MIT
// Stage 4b: triggers -> classes, each of which is offered one procedure.
//
// Opens are one class for each set of flags; a path that is the same thing each time and comes back again and
// again ("..", an absolute path) is a class of its own, as what follows it seldom follows the others. Locks
// are one for each place in a row of locks: they are never made ahead, but what a program checks under them
// may be, after the last of the row. Reads are what the procedures for opens leave: long files, one run of
// reads after a read. Tested by tests/optimizer/compile_test.cc.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "optimizer/base/event_set.h"
#include "optimizer/learn/occurrences.h"

namespace sysvm {

using Shapes = std::map<std::string, std::vector<std::shared_ptr<const LoopShape>>>;  // by executable

struct TriggerClass {
  std::string name;  // "openat flags 0x80000"
  std::string path;  // the same in all, "": any
  std::vector<const Occurrence*> occurrences;
};

class Classes {
 public:
  Classes(const std::vector<Stream>& streams, const Shapes& shapes, bool late_close)
      : streams_(streams), shapes_(shapes), late_close_(late_close) {}

  // By executable and name. What they point to lives as long as this.
  std::vector<TriggerClass> of_opens();
  std::vector<TriggerClass> of_locks();
  std::vector<TriggerClass> of_reads(const EventSet& answered);

 private:
  using ByName = std::map<std::pair<std::string, std::string>, std::vector<const Occurrence*>>;
  const Occurrence* keep(Occurrence occurrence);
  static std::vector<TriggerClass> listed(ByName classes);

  const std::vector<Stream>& streams_;
  const Shapes& shapes_;
  const bool late_close_;
  Sources sources_;
  std::map<std::string, std::string> kept_paths_;  // what each place was passed last (FollowOptions)
  std::deque<Occurrence> occurrences_;
};

}  // namespace sysvm
