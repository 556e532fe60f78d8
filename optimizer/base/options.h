// SPDX-License-Identifier: MIT
// What decides what `compile` makes, and the counters of earlier runs that it takes into account.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/progress.h"
#include "common/result.h"
#include "optimizer/base/cost.h"

namespace sysvm {

struct ProfiledProcedure {
  std::string name;
  uint64_t runs = 0, hits = 0, misses = 0, undone = 0;
  bool off = false;                    // it switched itself off in some process
  std::string exe = "", trigger = "";  // as trigger_anywhere writes it; trigger "": any
};
// Of the JSON that `sysvm run --stats` wrote.
Result<std::vector<ProfiledProcedure>> read_profile(const std::string& path);

struct CompileOptions {
  uint64_t min_count = 4;  // a sequence seen less often is chance
  bool strict = false;     // no late close
  bool empty = false;      // no procedures at all: what the shim costs by itself
  bool examples = true;    // notes: a real occurrence of each, with the path names of the recording
  bool lists = true;       // of what each program read, for the prefetcher; none without examples
  CostModel cost;
  // Hits and misses of procedures that ran (`sysvm run --stats`): what misses is left out.
  std::vector<ProfiledProcedure> profile;
  Progress* progress = nullptr;  // occurrences of what was offered a procedure so far
};

}  // namespace sysvm
