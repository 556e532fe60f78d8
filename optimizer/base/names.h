// SPDX-License-Identifier: MIT
// Files by build-id, as a person knows them: "libc.so.6" and not 5e1f8a... Of two names the first counts.
// Tested by tests/optimizer/streams_test.cc.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "traces/packed.h"

namespace sysvm {

class BuildNames {
 public:
  explicit BuildNames(const std::vector<const PackedTrace*>& traces) {
    for (const PackedTrace* trace : traces) {
      for (const Process& p : trace->processes) learn(p.build_id, p.exe);
      for (const Mapping& m : trace->mappings) learn(m.build_id, m.path);
    }
  }
  // Without its folder; the first digits where no name is known, "?" where there is not even a build-id.
  std::string of(const std::string& build_id) const {
    if (const auto at = names_.find(build_id); at != names_.end()) return std::string(at->second);
    return build_id.empty() ? "?" : build_id.substr(0, 8);
  }

 private:
  void learn(const std::string& build_id, std::string_view path) {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    if (!build_id.empty() && !name.empty()) names_.try_emplace(build_id, name);
  }
  std::unordered_map<std::string, std::string_view> names_;  // views of the traces
};

}  // namespace sysvm
