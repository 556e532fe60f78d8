// SPDX-License-Identifier: MIT
// The reader's side of the rings that the eBPF programs write, one for each processor (struct cpu_ring of
// event.h), joined into one stream in order of time.
//
// A thread that moves between processors leaves records in several rings. To keep them in order, each turn
// takes the time before it reads the first ring, and stops at that time in every ring; what came later waits
// for the next turn. Tested by tests/tracer/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/result.h"
#include "tracer/event.h"

namespace sysvm {

class CpuRings {
 public:
  CpuRings() = default;
  CpuRings(const CpuRings&) = delete;
  ~CpuRings();

  static constexpr size_t value_size(size_t ring_bytes) { return RING_HEAD + ring_bytes + RING_SLACK; }
  Result<> map(int fd, size_t cpus, size_t ring_bytes);

  // Moves records to the end of block, oldest first; everything, or what is older than this moment.
  void drain(std::vector<uint8_t>& block, bool everything);

  // The processor that most bytes of the last turn came from (three quarters or more), -1: there is none.
  int busy_cpu() const;

  // Sums over all processors.
  uint64_t written() const { return sum(&cpu_ring::head); }  // bytes
  uint64_t lost() const { return sum(&cpu_ring::lost); }
  uint64_t lost_task() const { return sum(&cpu_ring::lost_task); }
  uint64_t held() const { return sum(&cpu_ring::held); }
  uint64_t held_ns() const { return sum(&cpu_ring::held_ns); }

 private:
  struct Cursor {
    const uint8_t* data;
    uint64_t at, head, begin;
  };
  cpu_ring* ring(size_t cpu) const {
    return reinterpret_cast<cpu_ring*>(base_ + cpu * value_size(ring_bytes_));
  }
  uint64_t sum(__u64 cpu_ring::*counter) const;
  const rec_head* record(const Cursor& c) const;
  void advance(Cursor& c, size_t bytes) const;

  uint8_t* base_ = nullptr;
  size_t mapped_ = 0, cpus_ = 0, ring_bytes_ = 0;
  std::vector<Cursor> cursors_;
};

}  // namespace sysvm
