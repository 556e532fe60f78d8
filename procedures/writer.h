// SPDX-License-Identifier: MIT
// A ProcedureFile as the bytes of a .svp (procedures/svp.h): sections in the order of their kinds, each at a
// multiple of 8, checksums last. What it returns has passed svp_check, the same check that the shim makes.
// Tested by tests/optimizer/svp_file_test.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "common/result.h"
#include "procedures/procedure.h"

namespace sysvm {

Result<std::vector<uint8_t>> write_svp(const ProcedureFile& file);

}  // namespace sysvm
