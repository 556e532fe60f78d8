// SPDX-License-Identifier: MIT
// Lines for people on standard output, whatever the names in them.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "common/printable.h"

namespace sysvm {

template <typename... Args>
void print_line(fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = without_controls(fmt::format(format, std::forward<Args>(args)...));
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace sysvm
