// SPDX-License-Identifier: MIT
// The dynamic loader opens, reads and maps libraries by calls of its own, which the shim does not see (only
// the C library's are patched): nothing can begin at them, and nothing of them can be answered.
// Tested by tests/optimizer/streams_test.cc.
#pragma once

#include <string_view>

namespace sysvm {

inline bool is_loader(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("ld-linux") || name.starts_with("ld-2.");
}

}  // namespace sysvm
