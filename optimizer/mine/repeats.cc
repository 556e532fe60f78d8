// SPDX-License-Identifier: MIT
#include "optimizer/mine/repeats.h"

#include <algorithm>
#include <map>

#include "optimizer/mine/suffix_array.h"

namespace sysvm {
namespace {

constexpr size_t kCandidates = 4096;  // the best by an upper bound; fewer than a hundred are shown
constexpr uint32_t kNowhere = UINT32_MAX;
constexpr double kLeast = 1.0 / 2000;  // of all calls saved: what comes after is too little

void sort_positions(std::vector<int32_t>& positions) {  // by digits of 11 bits: a tenth of std::sort's time
  if (positions.size() < 512) {
    std::sort(positions.begin(), positions.end());
    return;
  }
  std::vector<int32_t> other(positions.size());
  for (int shift = 0; shift < 33; shift += 11) {
    uint32_t start[2049] = {};
    const auto digit = [&](int32_t p) { return static_cast<uint64_t>(p) >> shift & 2047; };
    for (int32_t p : positions) ++start[digit(p) + 1];
    for (size_t i = 1; i < 2048; ++i) start[i] += start[i - 1];
    for (int32_t p : positions) other[start[digit(p)]++] = p;
    positions.swap(other);
  }
}

}  // namespace

Repeats::Repeats(const Compact& recording, size_t max_length)
    : recording_(recording),
      max_length_(max_length),
      base_(static_cast<uint32_t>(recording.tokens().size())) {
  for (uint32_t s = 0; s < recording.streams().size(); ++s) {
    Folded& f = streams_.emplace_back();
    const auto n = static_cast<uint32_t>(recording.streams()[s].size());
    f.part.reserve(n);
    f.begin.reserve(n);
    for (uint32_t i = 0; i < n; ++i) {
      f.part.push_back(base_token(s, i));
      f.begin.push_back(i);
    }
  }
  for (uint32_t period = 1; period <= max_length_; ++period) fold(period);
}

bool Repeats::opens(uint32_t part) const {
  return part < base_ && is_open(static_cast<uint32_t>(recording_.tokens()[part].sample.nr));
}

// Calls visit(start, rounds) for each maximal run with this period, in order.
template <typename Visit>
void Repeats::runs(const Folded& f, uint32_t period, Visit visit) const {
  const std::vector<uint32_t>& t = f.part;
  for (size_t i = 0; i + 2 * period <= t.size();) {
    size_t equal = 0;
    while (i + equal + period < t.size() && t[i + equal] == t[i + equal + period]) ++equal;
    if (equal < period) {  // nor does a run begin at what was just compared
      i += equal + 1;
      continue;
    }
    const size_t length = equal + period;
    size_t start = i;
    for (size_t r = 0; r < period && length - r >= 2 * period; ++r)  // a round begins with its open
      if (opens(t[i + r])) {
        start = i + r;
        break;
      }
    const size_t rounds = (i + length - start) / period;
    visit(start, rounds);
    i = start + rounds * period;
  }
}

void Repeats::fold(uint32_t period) {
  struct Seen {
    size_t least = SIZE_MAX, most = 0;
    uint32_t loop = kNowhere;
  };
  std::map<std::vector<uint32_t>, Seen> seen;
  const auto body_of = [&](const Folded& f, size_t start) {
    return std::vector<uint32_t>(f.part.begin() + static_cast<long>(start),
                                 f.part.begin() + static_cast<long>(start + period));
  };
  for (const Folded& f : streams_)
    runs(f, period, [&](size_t start, size_t rounds) {
      Seen& s = seen[body_of(f, start)];
      s.least = std::min(s.least, rounds);
      s.most = std::max(s.most, rounds);
    });
  bool any = false;
  for (auto& [body, s] : seen) {
    uint32_t size = 0;
    for (uint32_t part : body) size += size_of(part);
    if ((s.most < 3 && s.least == s.most) || size > max_length_) continue;
    s.loop = base_ + static_cast<uint32_t>(loops_.size());
    loops_.push_back({body, size});
    any = true;
  }
  if (!any) return;
  for (Folded& f : streams_) {
    size_t from = 0, to = 0;
    const auto keep = [&](size_t until) {
      for (; from < until; ++from, ++to) {
        f.part[to] = f.part[from];
        f.begin[to] = f.begin[from];
      }
    };
    std::vector<std::pair<size_t, size_t>> found;
    runs(f, period, [&](size_t start, size_t rounds) { found.emplace_back(start, rounds); });
    for (const auto& [start, rounds] : found) {
      const uint32_t loop = seen[body_of(f, start)].loop;  // not yet overwritten: to <= from <= start
      if (loop == kNowhere) continue;
      keep(start);
      f.part[to] = loop;
      f.begin[to] = f.begin[start];
      ++to;
      from = start + rounds * period;
    }
    keep(f.part.size());
    f.part.resize(to);
    f.begin.resize(to);
    if (period > 1) continue;
    for (uint32_t& part : f.part)  // one alone is a loop of one round
      if (const auto at = seen.find({part}); at != seen.end() && at->second.loop != kNowhere)
        part = at->second.loop;
  }
}

uint32_t Repeats::end_of(uint32_t stream, size_t i) const {
  const Folded& f = streams_[stream];
  return i + 1 < f.begin.size() ? f.begin[i + 1] : static_cast<uint32_t>(recording_.streams()[stream].size());
}

// The place after the part at `at`, or kNowhere if it is not there.
uint32_t Repeats::skip(uint32_t part, uint32_t stream, uint32_t at, uint32_t end) const {
  if (part < base_) return at < end && base_token(stream, at) == part ? at + 1 : kNowhere;
  const std::vector<uint32_t>& body = loops_[part - base_].body;
  uint32_t after = one_round(body, stream, at, end);
  for (uint32_t next = after; next != kNowhere; next = one_round(body, stream, next, end)) after = next;
  return after;
}

uint32_t Repeats::one_round(const std::vector<uint32_t>& body, uint32_t stream, uint32_t at,
                            uint32_t end) const {
  for (uint32_t part : body) {
    at = skip(part, stream, at, end);
    if (at == kNowhere) return kNowhere;
  }
  return at;
}

// One round of the body at `at`, its calls appended to out; where it ends, or kNowhere if it is not there.
uint32_t Repeats::place(const std::vector<uint32_t>& body, uint32_t stream, uint32_t at, uint32_t end,
                        uint32_t token, bool again, bool inner, std::vector<Placed>& out) const {
  for (uint32_t part : body) {
    if (part < base_) {
      if (at >= end || base_token(stream, at) != part) return kNowhere;
      out.push_back({token++, at++, again || inner, inner});
      continue;
    }
    const Loop& loop = loops_[part - base_];
    for (size_t rounds = 0;; ++rounds) {
      const size_t whole = out.size();
      const uint32_t after = place(loop.body, stream, at, end, token, again, inner || rounds, out);
      if (after == kNowhere) {
        if (!rounds) return kNowhere;
        out.resize(whole);
        break;
      }
      at = after;
    }
    token += loop.size;
  }
  return at;
}

void Repeats::layout(const Repeat& repeat, Position from, bool again, std::vector<Placed>& out) const {
  out.clear();
  const auto end = static_cast<uint32_t>(recording_.streams()[from.stream].size());
  if (place(repeat.parts, from.stream, from.at, end, 0, again, false, out) == kNowhere) out.clear();
}

void Repeats::flatten(uint32_t part, std::vector<uint32_t>& out) const {
  if (part < base_) {
    out.push_back(part);
    return;
  }
  for (uint32_t inner : loops_[part - base_].body) flatten(inner, out);
}

// Its end is its beginning: in a loop it would be more than one round.
bool Repeats::refused(const int32_t* text, int32_t length) const {
  for (int32_t period = length == 2 ? 2 : 1; period < length; ++period)
    if (std::equal(text, text + length - period, text + period)) return true;
  return false;
}

std::vector<Repeats::Candidate> Repeats::candidates(uint64_t min_count) {
  separators_ = static_cast<int32_t>(streams_.size());
  uses_.resize(loops_.size());
  for (uint32_t s = 0; s < streams_.size(); ++s) {
    stream_of_.push_back(static_cast<uint32_t>(text_.size()));
    for (uint32_t part : streams_[s].part) {
      if (part >= base_) uses_[part - base_].push_back(static_cast<int32_t>(text_.size()));
      text_.push_back(separators_ + static_cast<int32_t>(part));
    }
    text_.push_back(static_cast<int32_t>(s));  // occurs once, so no repeat goes over it
  }
  const auto upper = separators_ + static_cast<int32_t>(base_ + loops_.size());
  sa_ = suffix_array(text_, upper);
  const std::vector<int32_t> common = common_prefixes(text_, sa_);
  taken_.assign(text_.size(), 0);

  std::vector<Candidate> out;
  for (size_t i = 0; i < loops_.size(); ++i)
    if (!uses_[i].empty()) {
      const Repeat found = occurrences({0, static_cast<int32_t>(i), 0, 0});
      out.push_back(
          {static_cast<double>(found.events) -
               static_cast<double>(found.tokens.size() > 1 ? found.where.size() : found.rounds.size()),
           static_cast<int32_t>(i), 0, 0});
    }
  const auto better = [](const Candidate& a, const Candidate& b) { return a.score > b.score; };
  const auto close = [&](int32_t low, int32_t high, int32_t length) {
    const auto count = static_cast<uint64_t>(high - low) + 1;
    if (length < 2 || count < min_count) return;
    length = std::min(length, static_cast<int32_t>(max_length_));
    const int32_t* text = text_.data() + sa_[static_cast<size_t>(low)];
    uint32_t calls = 0;
    for (int32_t i = 0; i < length; ++i) calls += size_of(static_cast<uint32_t>(text[i] - separators_));
    if (calls > max_length_ || refused(text, length)) return;
    const bool opening = opens(static_cast<uint32_t>(text[0] - separators_));
    out.push_back({static_cast<double>(count) * (calls - 1) * (opening ? 1.05 : 1), low, high, length});
    if (out.size() > 4 * kCandidates) {
      std::nth_element(out.begin(), out.begin() + kCandidates, out.end(), better);
      out.resize(kCandidates);
    }
  };
  // The intervals of the prefixes, each closed when a shorter prefix follows. A repeat that is too long, or
  // that is refused, stands for its beginnings too: they are tried at every length below.
  struct Open {
    int32_t low, length;
  };
  std::vector<Open> stack;
  for (size_t i = 0; i <= common.size(); ++i) {
    const int32_t now = i < common.size() ? common[i] : 0;
    auto low = static_cast<int32_t>(i);
    while (!stack.empty() && stack.back().length > now) {
      const Open top = stack.back();
      stack.pop_back();
      low = top.low;
      const int32_t shorter = std::max(now, stack.empty() ? 0 : stack.back().length);
      const int32_t longest = std::min(top.length, static_cast<int32_t>(max_length_));
      if (i - static_cast<size_t>(low) + 1 >= min_count)
        for (int32_t length = longest; length > std::max(shorter, 1) && length > longest - 4; --length)
          close(low, static_cast<int32_t>(i), length);
    }
    if (now > 1 && (stack.empty() || stack.back().length < now)) stack.push_back({low, now});
  }
  std::sort(out.begin(), out.end(), better);
  if (out.size() > kCandidates) out.resize(kCandidates);
  return out;
}

Repeat Repeats::occurrences(const Candidate& c) const {
  Repeat out;
  const auto locate = [&](int32_t position) {
    const auto s =
        std::upper_bound(stream_of_.begin(), stream_of_.end(), static_cast<uint32_t>(position)) - 1;
    return Position{static_cast<uint32_t>(s - stream_of_.begin()), static_cast<uint32_t>(position) - *s};
  };
  if (!c.length) {
    const Loop& loop = loops_[static_cast<size_t>(c.low)];
    out.loop = true;
    out.parts = loop.body;
    for (uint32_t part : loop.body) flatten(part, out.tokens);
    for (int32_t position : uses_[static_cast<size_t>(c.low)]) {
      if (taken_[static_cast<size_t>(position)]) continue;
      const Position part = locate(position);
      const uint32_t end = end_of(part.stream, part.at);
      uint32_t rounds = 0;
      const uint32_t begin = streams_[part.stream].begin[part.at];
      for (uint32_t at = begin; at != kNowhere && at < end; ++rounds) {
        out.where.push_back({part.stream, at});
        at = one_round(loop.body, part.stream, at, end);
      }
      out.rounds.push_back(rounds);
      out.events += end - begin;
    }
    return out;
  }
  std::vector<int32_t> positions;
  for (int32_t i = c.low; i <= c.high; ++i) {
    const int32_t position = sa_[static_cast<size_t>(i)];
    if (!taken_[static_cast<size_t>(position)] && !taken_[static_cast<size_t>(position + c.length - 1)])
      positions.push_back(position);
  }
  sort_positions(positions);
  for (int32_t i = 0; i < c.length; ++i) {
    const auto part =
        static_cast<uint32_t>(text_[static_cast<size_t>(sa_[static_cast<size_t>(c.low)] + i)] - separators_);
    out.parts.push_back(part);
    flatten(part, out.tokens);
  }
  int32_t free = 0;
  for (int32_t position : positions) {
    if (position < free) continue;
    const auto first = taken_.begin() + position;
    if (std::any_of(first, first + c.length, [](char t) { return t; })) continue;
    const Position part = locate(position);
    out.where.push_back({part.stream, streams_[part.stream].begin[part.at]});
    out.events += end_of(part.stream, part.at + static_cast<size_t>(c.length) - 1) - out.where.back().at;
    free = position + c.length;
  }
  return out;
}

std::vector<Repeat> Repeats::find(size_t most, uint64_t min_count) {
  std::vector<Candidate> heap = candidates(min_count);
  const auto worse = [](const Candidate& a, const Candidate& b) { return a.score < b.score; };
  std::make_heap(heap.begin(), heap.end(), worse);
  std::vector<Repeat> out;
  while (!heap.empty() && out.size() < most) {
    std::pop_heap(heap.begin(), heap.end(), worse);
    Candidate best = heap.back();
    heap.pop_back();
    if (best.score < kLeast * static_cast<double>(recording_.total())) break;
    Repeat found = occurrences(best);
    const size_t count = found.loop && found.tokens.size() == 1 ? found.rounds.size() : found.where.size();
    if (found.where.empty() || (!found.loop && count < min_count)) continue;
    const bool opening = opens(found.tokens[0]);
    const double score =
        (static_cast<double>(found.events) - static_cast<double>(count)) * (opening ? 1.05 : 1);
    if (!heap.empty() && score < heap.front().score) {  // less than it seemed: wait for its turn
      if (score > 0 && score < best.score) {
        best.score = score;
        heap.push_back(best);
        std::push_heap(heap.begin(), heap.end(), worse);
        continue;
      }
      if (score <= 0) continue;
    }
    if (found.loop) {
      for (int32_t position : uses_[static_cast<size_t>(best.low)]) taken_[static_cast<size_t>(position)] = 1;
    } else {
      for (const Position& p : found.where) {
        const Folded& f = streams_[p.stream];
        const auto part = std::lower_bound(f.begin.begin(), f.begin.end(), p.at) - f.begin.begin();
        std::fill_n(taken_.begin() + stream_of_[p.stream] + part, best.length, 1);
      }
    }
    out.push_back(std::move(found));
  }
  return out;
}

}  // namespace sysvm
