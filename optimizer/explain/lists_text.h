// SPDX-License-Identifier: MIT
// Lists for the prefetcher, in words and as JSON. Names come from the file, which may be anybody's: they are
// printed escaped and bounded. Tested by tests/optimizer/explain_test.cc.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "procedures/procedure.h"

namespace sysvm {

std::string lists_text(const std::vector<PrefetchList>& lists);
// The same without the items' names: one line for each.
std::string lists_lines(const std::vector<PrefetchList>& lists);
nlohmann::json lists_json(const std::vector<PrefetchList>& lists);

}  // namespace sysvm
