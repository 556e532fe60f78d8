// SPDX-License-Identifier: MIT
// Inside the front program.
#pragma once

#include <string>
#include <vector>

namespace sysvm {

std::string tools_path();  // the program with the other commands
int front_run(const std::vector<std::string>& words);

}  // namespace sysvm
