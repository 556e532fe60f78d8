// SPDX-License-Identifier: MIT
// Sizes and times as users write them. Tested by tests/cli/options_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace sysvm {

std::optional<size_t> parse_size(const std::string& text);  // "16M", "64k", "4096": bytes
std::optional<uint64_t> parse_duration(
    const std::string& text);  // "30s", "500ms", "5m", "2h", "10" (seconds): ns

}  // namespace sysvm
