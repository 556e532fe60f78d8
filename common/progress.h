// SPDX-License-Identifier: MIT
// How far a stage that takes long has come: written by whoever works, read by whoever shows it
// (cli/ticker.h), in another thread. What counts as one is the stage's business: calls, or occurrences.
#pragma once

#include <atomic>
#include <cstdint>

namespace sysvm {

struct Progress {
  std::atomic<uint64_t> done{0}, all{0};  // all: 0 if nobody knows
  void begin(uint64_t total) {
    done.store(0, std::memory_order_relaxed);
    all.store(total, std::memory_order_relaxed);
  }
  void add(uint64_t n) { done.fetch_add(n, std::memory_order_relaxed); }
};

}  // namespace sysvm
