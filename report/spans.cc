// SPDX-License-Identifier: MIT
#include "report/spans.h"

#include <algorithm>

#include "report/facts.h"
#include "report/text.h"

namespace sysvm::page {

namespace {
constexpr size_t kLongestPlace = 120;
}

bool Spans::joins(const Span& a, const Span& b, uint64_t grain_ns) {
  // Within one grain of the clock, so that what is joined does not depend on where a thread's first call
  // lies.
  return a.start_ns / grain_ns == b.end_ns / grain_ns;
}

void Spans::join(Span& into, const Span& with) {
  if (with.longest_ns > into.longest_ns || (with.longest_ns == into.longest_ns && with.name < into.name)) {
    into.longest_ns = with.longest_ns;
    into.name = with.name;
  }
  into.end_ns = std::max(into.end_ns, with.end_ns);
  into.busy_ns += with.busy_ns;
  into.calls += with.calls;
  into.flags |= with.flags;
  into.place = 0;
  into.error = 0;
}

void Spans::coarsen() {
  while (size_ > most_) {
    grain_ns_ = grain_ns_ ? 2 * grain_ns_ : 1024;
    size_ = 0;
    for (Lane& lane : lanes_) {
      std::vector<Span>& spans = lane.spans;
      size_t to = 0;
      for (size_t i = 0; i < spans.size(); ++i) {
        if (to && joins(spans[to - 1], spans[i], grain_ns_))
          join(spans[to - 1], spans[i]);
        else
          spans[to++] = spans[i];
      }
      spans.resize(to);
      size_ += to;
    }
  }
}

uint32_t Spans::place_number(std::string_view place) {
  if (place.empty()) return 0;
  if (place == last_place_) return last_number_;
  last_place_ = place;
  const auto [at, fresh] = number_of_.try_emplace(std::string(place), static_cast<uint32_t>(names_.size()));
  if (!fresh) return last_number_ = at->second;
  std::string shown = visible(place, kLongestPlace);
  if (name_bytes_ + shown.size() > kNameBytes) {
    number_of_.erase(at);
    ++unnamed_;
    last_place_.clear();
    return 0;
  }
  name_bytes_ += shown.size() + 1;
  names_.push_back(std::move(shown));
  return last_number_ = at->second;
}

void Spans::mark(const Event& e, uint8_t flags) {
  const auto at = lane_of_.find(e.tid);
  if (at == lane_of_.end()) return;
  Lane& lane = lanes_[at->second];
  if (lane.marked == lane.spans.size()) return;
  Span& span = lane.spans[lane.marked];
  span.flags |= flags;
  if (++lane.in_marked < span.calls) return;
  ++lane.marked;
  lane.in_marked = 0;
}

void Spans::add(const Event& e, uint32_t name, std::string_view place, uint8_t flags) {
  const auto [at, fresh] = lane_of_.try_emplace(e.tid, lanes_.size());
  if (fresh) {
    if (lanes_.size() >= kMostLanes) {
      lane_of_.erase(at);
      ++left_out_;
      return;
    }
    lanes_.push_back({e.tid, e.pid, {}, 0, 0});
  }
  std::vector<Span>& spans = lanes_[at->second].spans;
  Span span;
  // A thread is in one call at a time; imported text may be less exact.
  span.start_ns = std::max(e.ts_ns, spans.empty() ? 0 : spans.back().end_ns);
  span.end_ns = std::max(e.ts_ns + e.dur_ns, span.start_ns);
  span.busy_ns = span.longest_ns = span.end_ns - span.start_ns;
  span.name = name;
  span.flags = flags;
  if (failed(e)) {
    span.flags |= kSpanFailed;
    span.error = static_cast<uint16_t>(-e.ret);
  }
  span.place = place_number(place);
  if (grain_ns_ && !spans.empty() && joins(spans.back(), span, grain_ns_)) {
    join(spans.back(), span);
    return;
  }
  spans.push_back(span);
  if (++size_ > most_) coarsen();
}

}  // namespace sysvm::page
