// SPDX-License-Identifier: MIT
// Numbers for strings, each kept once: a recording passes the same names millions of times. Eight bytes for
// each beside the string, and one look at memory for most that are new.
// Tested by tests/traces/packed_test.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace sysvm {

class StringTable {
 public:
  // Appends to all; what is in it already is not found.
  explicit StringTable(std::vector<std::string>& all) : all_(all), slots_(64) {}

  uint32_t intern(std::string_view text) {
    if (2 * (used_ + 1) > slots_.size()) grow();
    const uint64_t hash = std::hash<std::string_view>{}(text);
    const auto tag = static_cast<uint32_t>(hash >> 32);
    size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].number; at = (at + 1) & (slots_.size() - 1))
      if (slots_[at].tag == tag && all_[slots_[at].number] == text) return slots_[at].number;
    if (all_.empty()) all_.emplace_back();  // 0 stands for none
    slots_[at] = {tag, static_cast<uint32_t>(all_.size())};
    all_.emplace_back(text);
    ++used_;
    return slots_[at].number;
  }

 private:
  struct Slot {
    uint32_t tag = 0, number = 0;  // number 0: empty
  };
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (!slot.number) continue;
      size_t at = std::hash<std::string_view>{}(all_[slot.number]) & (slots_.size() - 1);
      while (slots_[at].number) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = slot;
    }
  }

  std::vector<std::string>& all_;
  std::vector<Slot> slots_;
  size_t used_ = 0;
};

}  // namespace sysvm
