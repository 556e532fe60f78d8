// SPDX-License-Identifier: MIT
// What .eh_frame says: where each function begins and ends, and where in it the rule for unwinding changes.
// The only word on that in a stripped file. Nothing of it is believed that does not fit together: a function
// whose entry is damaged, or overlaps another, is unknown.
// Tested by tests/sites/proof_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libsysvm/sites/elf_image.h"

namespace sysvm {

struct Function {
  uint64_t begin = 0, end = 0;
  bool lands = false;   // has a table of landing pads: an unwinder may enter it
  uint64_t pads = 0;    // where that table is
  uint64_t factor = 1;  // of the steps in `program`
  std::span<const uint8_t> program;
};

class Frames {
 public:
  explicit Frames(const ElfImage& image);

  const std::vector<Function>& functions() const { return functions_; }  // sorted, disjoint
  const Function* at(uint64_t vaddr) const;                              // null: in no function
  bool begins_in(uint64_t low, uint64_t high) const;
  // Is the rule for unwinding at `from` the one up to `last`, inclusive? Both lie in f.
  static bool one_rule(const Function& f, uint64_t from, uint64_t last);

 private:
  std::vector<Function> functions_;
};

}  // namespace sysvm
