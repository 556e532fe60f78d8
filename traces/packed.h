// SPDX-License-Identifier: MIT
// A recording in a third of the memory, for whoever needs all of it at once (the optimizer).
//
// An Event has 168 bytes, most of them 0 or the same in thousands of events. Here what tells the kind of call
// (number, flags, thread, call site) is kept once for all events that share it, numbers take four bytes if
// they fit, and what an event has not takes nothing: some 60 bytes are left, one event after the other in
// blocks that never move. event() gives the Event back as it was, bit for bit.
// Tested by tests/traces/packed_test.cc.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

// What many events have in common.
struct EventKind {
  int32_t nr = 0, pid = 0, tid = 0;
  uint32_t flags = 0;
  uint64_t ip = 0, caller = 0;
  uint32_t number = 0;  // of this kind in its recording, from 0 on
};

// Lives in PackedEvents and nowhere else: its arguments follow it in memory.
class [[gnu::packed, gnu::aligned(4)]] PackedEvent {
 public:
  PackedEvent(const PackedEvent&) = delete;
  PackedEvent& operator=(const PackedEvent&) = delete;

  const EventKind& kind() const { return *kind_; }
  int32_t nr() const { return kind_->nr; }
  int32_t pid() const { return kind_->pid; }
  int32_t tid() const { return kind_->tid; }
  uint32_t flags() const { return kind_->flags; }
  uint64_t ip() const { return kind_->ip; }
  uint64_t caller() const { return kind_->caller; }
  uint64_t site() const { return ip() >= 2 ? ip() - 2 : 0; }
  bool has(EventFlag flag) const { return flags() & flag; }
  uint64_t ts_ns() const { return ts_ns_; }
  uint32_t seq() const { return seq_; }
  int64_t ret() const {  // a narrow one is signed
    return shape_ & kWideRet ? static_cast<int64_t>(join(ret_, *extra(kWideRet)))
                             : static_cast<int64_t>(static_cast<int32_t>(ret_));
  }
  uint64_t dur_ns() const { return shape_ & kWideDur ? join(dur_, *extra(kWideDur)) : dur_; }
  uint64_t arg(size_t i) const {
    if (i >= (shape_ >> kArgs & 7)) return 0;
    const uint32_t* at = rest() + i + kOnes[shape_ & ((1u << i) - 1)];
    return shape_ >> i & 1 ? join(at[0], at[1]) : at[0];
  }
  std::array<uint64_t, 6> args() const;
  uint32_t path(size_t which) const { return !which ? path_ : shape_ & kPath1 ? *extra(kPath1) : kNoString; }
  uint32_t st_mode() const { return shape_ & kStat ? extra(kStat)[0] : 0; }
  uint64_t st_size() const { return shape_ & kStat ? join(extra(kStat) + 1) : 0; }
  uint64_t st_dev() const { return shape_ & kStat ? join(extra(kStat) + 3) : 0; }
  uint64_t st_ino() const { return shape_ & kStat ? join(extra(kStat) + 5) : 0; }
  uint32_t data() const { return shape_ & kData ? extra(kData)[0] : kNoString; }
  DataKind data_kind() const {
    return shape_ & kData ? static_cast<DataKind>(extra(kData)[1]) : DataKind::kNone;
  }
  Event event() const;

 private:
  friend class PackedEvents;
  PackedEvent() = default;
  // Bits of shape_: which arguments are wide, how many there are, what follows them (in this order), how many
  // words there are in all.
  static constexpr uint32_t kArgs = 6, kWideRet = 1u << 9, kWideDur = 1u << 10, kPath1 = 1u << 11,
                            kData = 1u << 12, kStat = 1u << 13, kLate = 1u << 14, kWords = 24;
  // Of each number of six bits; std::popcount is a call where the processor is not known to have it.
  static constexpr std::array<uint8_t, 64> kOnes = [] {
    std::array<uint8_t, 64> ones{};
    for (unsigned i = 0; i < 64; ++i) ones[i] = static_cast<uint8_t>(std::popcount(i));
    return ones;
  }();
  static uint64_t join(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }
  static uint64_t join(const uint32_t* words) { return join(words[0], words[1]); }
  const uint32_t* rest() const { return reinterpret_cast<const uint32_t*>(this + 1); }
  const uint32_t* extra(uint32_t bit) const {
    const uint32_t before = shape_ & (bit - 1);  // arguments take a word, wide ones two; data takes two
    return rest() + (shape_ >> kArgs & 7) + kOnes[before & 63] + kOnes[before >> 9 & 15] +
           (before & kData ? 1 : 0);
  }
  size_t words() const { return shape_ >> kWords; }

  const EventKind* kind_;
  uint64_t ts_ns_;
  uint32_t dur_, seq_, ret_, path_, shape_;
};
static_assert(sizeof(PackedEvent) == 36);

class PackedEvents {
 public:
  void add(const Event& e);
  // In the order of read_trace: by time, then thread and number. Without it they stay as they were added.
  void sort_by_time();

  size_t size() const { return size_; }
  bool empty() const { return !size_; }
  size_t kinds() const { return kinds_.size(); }  // EventKind::number is below
  uint64_t first_ns() const;                      // entry of the first, 0 if there is none
  uint64_t last_ns() const;                       // return of the last

  // From the first to the last.
  class Iterator {
   public:
    const PackedEvent& operator*() const { return *now_; }
    const PackedEvent* operator->() const { return now_; }
    Iterator& operator++() {
      if (now_ == main_)
        step();
      else
        ++late_;
      choose();
      return *this;
    }
    bool operator!=(const Iterator& other) const { return now_ != other.now_; }

   private:
    friend class PackedEvents;
    explicit Iterator(const PackedEvents& all);
    Iterator() = default;
    void step();    // main_ to the next that is not late
    void settle();  // main_ to the first that is not late, from where it is
    void choose();
    const PackedEvents* all_ = nullptr;
    size_t block_ = 0;
    const PackedEvent* main_ = nullptr;
    size_t late_ = 0;
    const PackedEvent* now_ = nullptr;
  };
  Iterator begin() const { return Iterator(*this); }
  Iterator end() const { return {}; }

 private:
  struct Block {
    std::unique_ptr<uint32_t[]> words;
    size_t used = 0;
  };
  const EventKind* kind_of(const Event& e);
  void grow_table();
  const PackedEvent* first_of(size_t block) const {
    return reinterpret_cast<const PackedEvent*>(blocks_[block].words.get());
  }

  std::deque<EventKind> kinds_;
  std::vector<uint32_t> table_;  // of kinds, by hash; UINT32_MAX: none
  std::vector<Block> blocks_;
  std::vector<const PackedEvent*> late_;  // began before those that stand before them; in order
  size_t size_ = 0;
};

struct PackedTrace : TraceInfo {
  PackedEvents events;
};

// What read_trace gives (reader.h), packed while it is read.
Result<PackedTrace> read_packed(const std::string& path, unsigned threads = 0);
PackedTrace packed(const Trace& trace);  // the events in the order in which they are

}  // namespace sysvm
