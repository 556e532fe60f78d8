// SPDX-License-Identifier: MIT
// The notes of a procedure file: what compiling it has found, for people and tools (docs/svp-format.md).
#pragma once

#include <string>
#include <vector>

#include "optimizer/optimizer.h"

namespace sysvm {

// JSON. Of `compiled` everything but its notes and bytes is there.
std::string notes_of(const Compiled& compiled, const std::vector<const PackedTrace*>& traces,
                     const CompileOptions& options);

}  // namespace sysvm
