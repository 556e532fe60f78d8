// SPDX-License-Identifier: MIT
// traces -> procedure file. The stages are files, in this order:
//
//     streams -> occurrences (dataflow, legality) -> planner -> emit -> assembler -> replay -> svp_writer
//
// What pays is decided by the recording: a procedure is kept if replaying it saves entries. What was left
// out, and why, is in the report and in the file's notes. Tested by tests/optimizer/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "optimizer/base/cost.h"
#include "optimizer/prove/example.h"
#include "procedures/procedure.h"
#include "traces/event.h"

namespace sysvm {

struct ProfiledProcedure {
  std::string name;
  uint64_t runs = 0, hits = 0, misses = 0, undone = 0;
  bool off = false;                   // it switched itself off in some process
  std::string exe = "", trigger = "";  // as trigger_anywhere writes it; trigger "": any
};
// Of the JSON that `sysvm run --stats` wrote.
Result<std::vector<ProfiledProcedure>> read_profile(const std::string& path);

struct CompileOptions {
  uint64_t min_count = 4;  // a sequence seen less often is chance
  bool strict = false;     // no late close
  bool empty = false;      // no procedures at all: what the shim costs by itself
  bool examples = true;    // notes: a real occurrence of each, with the path names of the recording
  CostModel cost;
  // Hits and misses of procedures that ran (`sysvm run --stats`): what misses is left out.
  std::vector<ProfiledProcedure> profile;
};

struct EmittedInfo {  // one procedure of the file, in its order
  std::string name, mode, exe;
  uint64_t seen = 0;
  uint64_t hits = 0, misses = 0, undone = 0;  // by replaying the recording
  double saved_ns = 0;
  double saved_low_ns = 0, saved_high_ns = 0;  // 95 of 100 recordings like this one lie between
  double break_even_ns = 0;                    // cost of an entry at which it saves nothing
  uint64_t made = 0, unused = 0;               // calls made ahead, and those that were not asked for
  std::string stop;  // why it ends where it does
  Example example;
};

struct DroppedInfo {
  std::string trigger, exe, reason;
  uint64_t seen = 0;
};

struct Compiled {
  ProcedureFile file;
  std::vector<uint8_t> svp;  // the file's bytes
  std::vector<EmittedInfo> emitted;
  std::vector<DroppedInfo> dropped;
  double spread_ns = 0;  // the time saved by all together is known to within so much (95 of 100)
  uint64_t calls = 0;  // of the recording: each is an entry
  uint64_t predicted_entries =
      0;  // of the same run under the shim; startup and what it cannot see not counted
};

Result<Compiled> compile(const std::vector<const Trace*>& traces, const CompileOptions& options);

}  // namespace sysvm
