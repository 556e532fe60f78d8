// SPDX-License-Identifier: MIT
// The bytes of a .svp as a ProcedureFile, for the tools that show, change or list it. The shim reads the file
// in place (libsysvm/svp.h) and does not need this. Tested by tests/optimizer/svp_file_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/result.h"
#include "optimizer/procedure.h"

namespace sysvm {

Result<ProcedureFile> read_svp(std::span<const uint8_t> bytes);
Result<ProcedureFile> read_svp_file(const std::string& path);  // messages begin with the path

Result<std::vector<uint8_t>> read_whole_file(const std::string& path, size_t limit);
Result<> write_whole_file(const std::string& path, std::span<const uint8_t> bytes);  // "-": standard output

}  // namespace sysvm
