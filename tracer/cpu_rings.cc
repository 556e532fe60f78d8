// SPDX-License-Identifier: MIT
#include "tracer/cpu_rings.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

#include "tracer/supervisor.h"

namespace sysvm {

// The kernel's fast clock and the one read here may differ by what an adjustment in progress amounts to.
constexpr uint64_t kClockSlack = 20'000;

CpuRings::~CpuRings() {
  if (base_) munmap(base_, mapped_);
}

Result<> CpuRings::map(int fd, size_t cpus, size_t ring_bytes) {
  const size_t size = (cpus * value_size(ring_bytes) + 4095) & ~size_t{4095};
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return error("mmap of {} bytes: {}", size, strerror(errno));
  base_ = static_cast<uint8_t*>(base);
  mapped_ = size;
  cpus_ = cpus;
  ring_bytes_ = ring_bytes;
  return Unit{};
}

uint64_t CpuRings::sum(__u64 cpu_ring::*counter) const {
  uint64_t total = 0;
  for (size_t cpu = 0; cpu < cpus_; ++cpu) total += __atomic_load_n(&(ring(cpu)->*counter), __ATOMIC_RELAXED);
  return total;
}

const rec_head* CpuRings::record(const Cursor& c) const {
  return c.at == c.head ? nullptr : reinterpret_cast<const rec_head*>(c.data + (c.at & (ring_bytes_ - 1)));
}

void CpuRings::advance(Cursor& c, size_t bytes) const {
  const uint64_t next = c.at + bytes;
  c.at = (c.at ^ next) & ring_bytes_ ? next & ~(ring_bytes_ - 1) : next;
}

void CpuRings::drain(std::vector<uint8_t>& block, bool everything) {
  const uint64_t until = everything ? ~0ull : boottime_ns() - kClockSlack;
  cursors_.clear();
  for (size_t cpu = 0; cpu < cpus_; ++cpu) {
    cpu_ring* r = ring(cpu);
    // Acquire: the bytes of the records were written before head was.
    cursors_.push_back({reinterpret_cast<const uint8_t*>(r) + RING_HEAD, r->tail,
                        __atomic_load_n(&r->head, __ATOMIC_ACQUIRE), r->tail});
  }
  for (;;) {
    // The ring with the oldest record, and the age up to which it may be emptied in one go.
    Cursor* oldest = nullptr;
    uint64_t first = until, limit = until;
    for (Cursor& c : cursors_) {
      const rec_head* r = record(c);
      if (!r || r->time > until) continue;
      if (!oldest || r->time < first) {
        if (oldest) limit = first;
        oldest = &c;
        first = r->time;
      } else if (r->time < limit) {
        limit = r->time;
      }
    }
    if (!oldest) break;
    // Neighbours are copied together.
    const uint8_t* begin = oldest->data + (oldest->at & (ring_bytes_ - 1));
    size_t bytes = 0;
    for (const rec_head* r = record(*oldest); r && r->time <= limit; r = record(*oldest)) {
      const size_t size = size_t{r->units} * 8;
      if (size == 0) break;  // cannot be; an endless loop would be worse
      const uint64_t lap = oldest->at & ring_bytes_;
      bytes += size;
      advance(*oldest, size);
      if ((oldest->at & ring_bytes_) != lap) break;
    }
    if (bytes == 0) break;
    block.insert(block.end(), begin, begin + bytes);
  }
  // Release: the bytes were copied before their room is given back.
  for (size_t cpu = 0; cpu < cpus_; ++cpu)
    __atomic_store_n(&ring(cpu)->tail, cursors_[cpu].at, __ATOMIC_RELEASE);
}

int CpuRings::busy_cpu() const {
  uint64_t all = 0, most = 0;
  int busy = -1;
  for (size_t cpu = 0; cpu < cursors_.size(); ++cpu) {
    const uint64_t bytes = cursors_[cpu].at - cursors_[cpu].begin;
    all += bytes;
    if (bytes <= most) continue;
    most = bytes;
    busy = static_cast<int>(cpu);
  }
  return most >= all - all / 4 ? busy : -1;
}

}  // namespace sysvm
