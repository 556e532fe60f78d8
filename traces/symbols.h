// SPDX-License-Identifier: MIT
// Names of constants as strace prints them, and their values on x86-64: O_CLOEXEC, AT_FDCWD, SIGCHLD, TCGETS
// ... For reading text back; strace_text.h writes it. A name stands for one value wherever it appears.
// Tested by tests/traces/import_strace_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sysvm {

std::optional<uint64_t> symbol_value(std::string_view name);
std::optional<int> errno_value(std::string_view name);   // "ENOENT" -> 2
std::optional<int> signal_value(std::string_view name);  // "SIGCHLD", "SIGRT_3"

}  // namespace sysvm
