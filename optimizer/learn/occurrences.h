// SPDX-License-Identifier: MIT
// Stage 4: streams -> what followed each trigger, as far as it could have been made ahead.
//
// An occurrence begins at a call that may trigger and runs to the first call that may not follow
// (legality.h), with its reason. Quiet calls in between (brk, anonymous mmap) are stepped over: the log
// survives them; so does the read that finds the end of a file, even a write. Reads of one descriptor that
// follow each other are one step, a *run*: how many there are is decided by the file, not by the program, and
// the code decides it too; the same for getdents64. Tested by tests/optimizer/dataflow_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "optimizer/base/arena.h"
#include "optimizer/base/streams.h"
#include "optimizer/learn/dataflow.h"
#include "optimizer/learn/directories.h"

namespace sysvm {

enum class FileKind : uint8_t { kUnknown, kRegular, kDirectory };

struct OccurrenceStep {
  const StepSources* sources = nullptr;
  std::span<const PackedEvent* const> calls;  // one, or those of a run, or of a loop
};

// A recording has millions: what they point to is in Sources, which outlives them.
struct Occurrence {
  const Stream* stream = nullptr;
  size_t at = 0;  // of the trigger in the stream
  const PackedEvent* trigger = nullptr;
  std::span<const OccurrenceStep> steps;
  std::string_view stop;  // why it ends here
  FileKind kind = FileKind::kUnknown;
  uint8_t streak = 0;  // the trigger is the call that many in a row of its kind; 0: does not matter
};

struct Sources {
  SourceTable steps;
  DirentSources dirents;
  Arena<OccurrenceStep> rows;
  Arena<const PackedEvent*> calls;
  std::unordered_set<std::string> reasons;  // to stop
};

bool is_run_call(uint32_t nr);  // read, getdents64

struct FollowOptions {
  size_t max_steps = 60;
  size_t max_run =
      // Calls of one step: a trigger that comes again in its own run must not follow all of it each time.
      SIZE_MAX;
  // Calls about the names in the directory that the trigger opened are one step (directories.h).
  std::vector<std::shared_ptr<const LoopShape>> shapes;
  // What was passed last in each place where a path from the root is, by trigger and step. Null: none is
  // followed.
  std::map<std::string, std::string>* kept = nullptr;
  std::string of;  // the trigger, as it stands in *kept
  bool late_close =
      false;  // a close of the trigger's descriptor is no crossing, so a loop may go on after it
};

// What followed the call at streams[s].calls[at].
Occurrence follow(const Stream& stream, size_t at, Sources& sources, const FollowOptions& options = {});

}  // namespace sysvm
