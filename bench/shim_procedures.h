// SPDX-License-Identifier: MIT
// Procedures for shim_loop, written by hand, and the shim's own word on how often they answered.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace sysvm::bench {

// what: as shim_loop. For "forward" and "watched" a procedure for another program's call is there and never
// starts.
std::string procedure_text(const std::string& what, int size);
Result<> write_procedures(const std::string& path, const std::string& what, int size);

// The hits of all procedures, from what `sysvm run --stats` left.
Result<uint64_t> hits_of(const std::string& stats);

}  // namespace sysvm::bench
