// SPDX-License-Identifier: MIT
// The strings of a recording as numbers: two that are equal have the same number, and the number of a string
// that stands anywhere in memory can be found. Shared by all processes of the recording, since a program of
// which thousands ran passes the same names in each.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "traces/packed.h"

namespace sysvm {

class Texts {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;
  explicit Texts(const PackedTrace& trace)
      : trace_(trace), number_(trace.strings.size(), kNone), slots_(64, kNone) {}

  // string: an index into the trace's. Where it stands first is its number.
  uint32_t number(uint32_t string) {
    uint32_t& known = number_[string];
    if (known != kNone) return known;
    if (2 * ++used_ > slots_.size()) grow();
    uint32_t& slot = slots_[find_slot(trace_.strings[string])];
    if (slot == kNone) slot = string;
    return known = slot;
  }
  // kNone: no string that has a number is like it.
  uint32_t find(std::string_view text) const { return slots_[find_slot(text)]; }

 private:
  size_t find_slot(std::string_view text) const {
    size_t at = std::hash<std::string_view>{}(text) & (slots_.size() - 1);
    while (slots_[at] != kNone && trace_.strings[slots_[at]] != text) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  void grow() {
    std::vector<uint32_t> old(slots_.size() * 2, kNone);
    old.swap(slots_);
    for (uint32_t string : old)
      if (string != kNone) slots_[find_slot(trace_.strings[string])] = string;
  }

  const PackedTrace& trace_;
  std::vector<uint32_t> number_;  // of each string; kNone: nobody has asked
  std::vector<uint32_t> slots_;   // by hash: where the string stands first
  size_t used_ = 0;
};

}  // namespace sysvm
