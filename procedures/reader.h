// SPDX-License-Identifier: MIT
// The bytes of a .svp as a ProcedureFile, for the tools that show, change or list it. The shim reads the file
// in place (procedures/svp.h) and does not need this. Tested by tests/optimizer/svp_file_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/read_file.h"
#include "common/result.h"
#include "procedures/procedure.h"

namespace sysvm {

Result<ProcedureFile> read_svp(std::span<const uint8_t> bytes);
Result<ProcedureFile> read_svp_file(const std::string& path);  // messages begin with the path

// Nothing stands there that a procedure file must not overwrite: a trace, by a slip of the fingers, or a
// text.
Result<> may_become(const std::string& path);
Result<> write_whole_file(const std::string& path, std::span<const uint8_t> bytes);  // "-": standard output

}  // namespace sysvm
