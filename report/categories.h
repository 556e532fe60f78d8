// SPDX-License-Identifier: MIT
// The kinds of calls that a picture can tell apart. Tested by tests/report/facts_test.cc.
#pragma once

#include <cstdint>
#include <string_view>

namespace sysvm::page {

enum class Category : uint8_t { kOpen, kLook, kRead, kWrite, kNetwork, kWait, kProcess, kMemory, kOther };
constexpr std::string_view kCategoryNames[] = {"descriptors (open ...)",
                                               "look (stat, list ...)",
                                               "read",
                                               "write, change",
                                               "network",
                                               "wait",
                                               "process",
                                               "memory",
                                               "other"};

Category category_of(std::string_view call);

}  // namespace sysvm::page
