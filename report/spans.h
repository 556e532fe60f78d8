// SPDX-License-Identifier: MIT
// What each thread did when, as the timeline draws it.
//
// A span is a call. If there are more calls than a page can hold, neighbours of a thread are joined, those
// that lie closest
// first (by doubling a grain of time), until they fit: such a span has the number of its calls, the time
// inside them, and the kind
// of the call that took longest. Tested by tests/report/facts_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "traces/event.h"

namespace sysvm::page {

enum SpanFlag : uint8_t {
  kSpanRuns = 1,      // a procedure would have begun here: the one entry for all that it answers
  kSpanAnswered = 2,  // a procedure would have answered it without an entry
  kSpanFailed = 4,
  kSpanSignal = 8,
};

struct Span {
  uint64_t start_ns = 0, end_ns = 0;
  uint64_t busy_ns = 0;  // inside calls
  uint64_t longest_ns = 0;
  uint32_t calls = 1;
  uint32_t name = 0;   // into CallNames
  uint32_t place = 0;  // into names(), 0: none
  uint16_t error = 0;  // errno of the only call
  uint8_t flags = 0;
};

struct Lane {
  int32_t tid = 0, pid = 0;
  std::vector<Span> spans;
  size_t marked = 0;       // spans that mark() is through with
  uint32_t in_marked = 0;  // calls of the next one that it has seen
};

class Spans {
 public:
  explicit Spans(size_t most = 1'500'000) : most_(most) {}
  void add(const Event& event, uint32_t name, std::string_view place, uint8_t flags);
  // Adds flags to the spans of events that were added before; all of them are named again, in the same order.
  void mark(const Event& event, uint8_t flags);
  const std::vector<Lane>& lanes() const { return lanes_; }
  const std::vector<std::string>& names() const { return names_; }  // of places, [0] is ""
  size_t size() const { return size_; }
  uint64_t grain_ns() const { return grain_ns_; }  // 0: each span is a call
  uint64_t unnamed() const { return unnamed_; }    // spans whose place did not fit
  uint64_t left_out() const { return left_out_; }  // events of threads beyond the most

 private:
  static constexpr size_t kMostLanes = 4000, kNameBytes = 6 << 20;
  static bool joins(const Span& a, const Span& b, uint64_t grain_ns);
  static void join(Span& into, const Span& with);
  void coarsen();
  uint32_t place_number(std::string_view place);

  size_t most_, size_ = 0, name_bytes_ = 0;
  uint64_t grain_ns_ = 0, unnamed_ = 0, left_out_ = 0;
  std::vector<Lane> lanes_;
  std::unordered_map<int32_t, size_t> lane_of_;
  std::vector<std::string> names_{std::string()};
  std::unordered_map<std::string, uint32_t> number_of_;
  std::string last_place_;  // calls about the same come in a row
  uint32_t last_number_ = 0;
};

}  // namespace sysvm::page
