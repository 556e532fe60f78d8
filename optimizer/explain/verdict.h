// SPDX-License-Identifier: MIT
// What procedures are worth to a recorded program, in words that a person can act on: faster, slower or
// nothing to gain, by how much, with the engine that this machine has now; with the module; and why not, by
// name.
//
// Times are the program's own: the recording's wall time less what tracing added. It includes what starting
// the shim costs. An answer is "faster" or "slower" only if the whole interval says so and it is 1 % of the
// wall time at least. Tested by tests/optimizer/verdict_test.cc.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "optimizer/base/cost.h"
#include "optimizer/prove/replay.h"

namespace sysvm {

struct EngineHere {
  bool kernel = false;
  std::string why;  // it is not: what opening the device said
};
EngineHere engine_here();

enum class Worth { kFaster, kSlower, kNothing };

struct Prediction {  // with one engine, caches warm
  double saved_ns = 0, low_ns = 0, high_ns = 0;
  Worth worth = Worth::kNothing;
};

struct Verdict {
  EngineHere here;
  Prediction user, kernel;
  uint64_t wall_ns = 0;  // 0: not known
  double start_ns = 0;   // part of both
  const Prediction& now() const { return here.kernel ? kernel : user; }
  std::vector<std::string> why;  // not more, the weightiest first; empty if nothing stands out
};

// spread_ns: half of the interval of what the procedures save, as far as the recording's runs differ.
Verdict judge(const Replay& r, const CostModel& cost, double spread_ns, uint64_t wall_ns,
              EngineHere here = engine_here());

// "faster: about 3.1 ms (2.1 to 4.2 ms, 4.2 %) less than 74 ms", "nothing to gain: ...".
std::string prediction_text(const Prediction& p, uint64_t wall_ns);
// The verdict, with the module, cold, why, by program: a line each.
std::string verdict_block(const Verdict& v, const Replay& r, const CostModel& cost);
nlohmann::json to_json(const Verdict& v, const Replay& r, const CostModel& cost);

}  // namespace sysvm
