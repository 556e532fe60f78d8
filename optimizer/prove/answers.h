// SPDX-License-Identifier: MIT
// Procedures without code: questions whose answer is a fact private to the descriptor, and closes that wait
// for the next crossing. What a run-ahead procedure answers already is left to it. Tested by
// tests/optimizer/compile_test.cc.
#pragma once

#include "common/result.h"
#include "optimizer/base/options.h"
#include "optimizer/base/streams.h"
#include "optimizer/prove/kept.h"

namespace sysvm {

Result<> add_answers(const std::vector<Stream>& streams, const CompileOptions& options, Kept& kept);
Result<> add_late_closes(const std::vector<Stream>& streams, const CompileOptions& options, Kept& kept);

}  // namespace sysvm
