// SPDX-License-Identifier: MIT
// A set of events of recordings that are in memory: a bit for each place where an event may lie.
//
// A recording of ten million calls has millions of members in some of these sets; a node of a hash table for
// each would take more memory than the calls do. Events lie in arrays, so their addresses are dense: each
// block of addresses that has a member gets a row of bits. Tested by tests/optimizer/event_set_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "traces/packed.h"

namespace sysvm {

class EventSet {
 public:
  bool insert(const PackedEvent* e) {  // true: it was not in it
    const uint64_t at = reinterpret_cast<uint64_t>(e) / alignof(PackedEvent);
    std::unique_ptr<Bits>& bits = blocks_[at / kPlaces];
    if (!bits) bits = std::make_unique<Bits>();
    uint64_t& word = (*bits)[at % kPlaces / 64];
    const uint64_t bit = 1ull << at % 64;
    const bool fresh = !(word & bit);
    word |= bit;
    size_ += fresh;
    return fresh;
  }
  template <typename Iterator>
  void insert(Iterator from, Iterator to) {
    for (; from != to; ++from) insert(*from);
  }
  bool contains(const PackedEvent* e) const {
    const uint64_t at = reinterpret_cast<uint64_t>(e) / alignof(PackedEvent);
    const auto block = blocks_.find(at / kPlaces);
    return block != blocks_.end() && (*block->second)[at % kPlaces / 64] >> at % 64 & 1;
  }
  size_t size() const { return size_; }

 private:
  static constexpr uint64_t kPlaces = 64 * 1024;  // 8 KiB of bits for 512 KiB of events
  using Bits = std::array<uint64_t, kPlaces / 64>;
  std::unordered_map<uint64_t, std::unique_ptr<Bits>> blocks_;
  size_t size_ = 0;
};

}  // namespace sysvm
