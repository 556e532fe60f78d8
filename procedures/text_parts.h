// SPDX-License-Identifier: MIT
// What text.cc and text_lists.cc share. Tested by tests/optimizer/svp_file_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "procedures/line_reader.h"
#include "procedures/text.h"

namespace sysvm {

std::string quoted(std::span<const uint8_t> bytes);  // LineReader::quoted_string reads it
std::string quoted(const std::string& text);

Result<PrefetchList> read_list(LineReader& in);  // after the word `list`

}  // namespace sysvm
