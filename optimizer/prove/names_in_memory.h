// SPDX-License-Identifier: MIT
// The program's memory, as far as a recording shows it: the strings that it passed, where they lay.
//
// A shim that follows names in a row (libsysvm/shim/names/name_pool.c) reads on after the name that the
// program passes. A recording has the addresses of the names that the program did pass, and no others, so
// that is what lies here, each from the beginning on as it was first passed. A recording cannot show that a
// name was there before it was passed: for a program that writes each name just before it asks, this promises
// more than it will get. Addresses far from all others (one buffer that is used again and again) share a
// place with nothing after it. Tested by tests/optimizer/rows_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "traces/packed.h"

namespace sysvm {

class NamesInMemory {
 public:
  // The calls of one process.
  NamesInMemory(const PackedTrace& trace, std::span<const PackedEvent* const> events);
  // text is passed at that address now, as the call's first string (0) or its second (1). Where it lies here.
  uint64_t at(uint64_t address, const char* text, size_t which);

 private:
  struct Region {
    uint64_t low = 0, high = 0;  // the program's
    std::vector<uint8_t> bytes;
  };
  Region* region_of(uint64_t address);
  static uint64_t write(Region& region, uint64_t address, const char* text);

  std::vector<Region> regions_;  // sorted
  std::array<std::vector<uint8_t>, 2> elsewhere_;
};

}  // namespace sysvm
