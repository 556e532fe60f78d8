// SPDX-License-Identifier: MIT
// traces -> procedure file. Each stage is a folder, and uses those before it:
//
//     base/     what all stages ask: the table's view of a call, threads' calls as streams, what calls cost
//     learn/    streams -> where arguments come from (dataflow), what may be made ahead (legality), what
//               follows each trigger (occurrences, classes), what is asked about each name of a directory or
//               of a list in memory (directories, rows)
//     make/     occurrences -> the best bet (planner) -> byte code (emit)
//     prove/    code -> the shim's own word on what it would have done (trial), what is kept of it (choose,
//               kept), and what a whole file is worth on any recording (replay)
//     lists/    what a program read in order, for the prefetcher; of the others it needs base/ only
//     mine/     recordings -> what programs do again and again, for people; of the others it needs base/ only
//     explain/  all of it in words: procedures, verdict, advice
//
// compile.cc is the order. A procedure is kept if it saves time on the recording that it was made from. What
// was left out, and why, is in the report and in the file's notes. Tested by tests/optimizer/.
#pragma once

#include <cstdint>
#include <vector>

#include "common/result.h"
#include "optimizer/base/options.h"
#include "optimizer/prove/kept.h"
#include "procedures/procedure.h"
#include "traces/packed.h"

namespace sysvm {

struct Compiled {
  ProcedureFile file;
  std::vector<uint8_t> svp;  // the file's bytes
  std::vector<EmittedInfo> emitted;
  std::vector<DroppedInfo> dropped;
  double spread_ns = 0;  // the time saved by all together is known to within so much (95 of 100)
  uint64_t calls = 0;    // of the recording: each is a crossing
  // Crossings of the same run under the shim, without its start and what it cannot see.
  uint64_t predicted_entries = 0;
};

Result<Compiled> compile(const std::vector<const PackedTrace*>& traces, const CompileOptions& options);

}  // namespace sysvm
