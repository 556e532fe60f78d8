// SPDX-License-Identifier: MIT
// Which processes a control group holds. Tested by tests/tracer/attach_test.py.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"

namespace sysvm {

// The folder of a control group: as given, or below a mount of the cgroup file systems.
Result<std::string> find_cgroup(const std::string& name);
std::vector<int32_t> processes_of_cgroup(const std::string& folder);  // and of those below it

}  // namespace sysvm
