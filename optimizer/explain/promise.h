// SPDX-License-Identifier: MIT
// What a procedure file promises, so that `sysvm run` can decide without the recording: the
// replay's counts, in the notes. Times are computed where the file is used, from that machine's costs and for
// the engine that it has.
//
// A file without counts (written by hand, or by an older version) promises nothing and is used as it is.
// Tested by tests/optimizer/promise_test.cc.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "optimizer/explain/verdict.h"
#include "procedures/procedure.h"

namespace sysvm {

struct Promise {
  ReplayCounts counts;   // of the recorded run, with the procedures
  double spread_ns = 0;  // Compiled::spread_ns
  uint64_t wall_ns = 0;  // of the recorded run, without what tracing added; 0: not known
  Verdict judged(const CostModel& cost, EngineHere here) const;
};

// Adds it to the notes; the file's bytes with them.
Result<std::vector<uint8_t>> note_promise(ProcedureFile& file, const Promise& promise);
std::optional<Promise> promise_in(std::string_view notes);

// Why the procedures would not make the program faster with the engine that is here, for people; "": they
// would, or the notes do not say.
std::string why_plain(std::string_view notes, const CostModel& cost, EngineHere here);

}  // namespace sysvm
