// SPDX-License-Identifier: MIT
#include "optimizer/learn/rows.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "procedures/svp.h"

namespace sysvm {
namespace {

constexpr size_t kLongest = 255;  // of a name (libsysvm/shim/names/name_pool.c)
constexpr uint64_t kMasks[] = {15, 7, 0};
constexpr double kHolds = 0.9;

struct Look {
  const PackedEvent* call = nullptr;
  bool on_the_way = false;  // a directory on the way to the next name
  bool adjacent = false;    // no call that may carry news since the look before
  uint64_t pointer() const { return call->arg(call->nr() == SYSVM_NR_lstat ? 0 : 1); }
  const std::string& path(const Stream& stream) const { return stream.string(*call, 0); }
};

struct Looks {
  const Stream* stream;
  std::vector<Look> all;
};

bool leads_to(const std::string& folder, const std::string& name) {
  return name.size() > folder.size() && name[folder.size()] == '/' && name.starts_with(folder);
}

struct Pair {  // of names that follow each other
  Pair(uint64_t distance, size_t name, bool more)
      : step(static_cast<uint32_t>(std::min<uint64_t>(distance, UINT32_MAX))),
        length(static_cast<uint16_t>(name)),
        goes_on(more) {}
  uint32_t step;  // as far as it is one: a name and a gap are short
  uint16_t length;
  bool goes_on;  // from the pair before: its second name is this one's first
};

// A look that follows no link, at a path below the working directory.
std::optional<Look> look_of(const Stream& stream, size_t at) {
  const PackedEvent& e = *stream.calls[at];
  const bool lstat = e.nr() == SYSVM_NR_lstat;
  const size_t flags = e.nr() == SYSVM_NR_statx ? 2 : 3;
  if (!lstat && e.nr() != SYSVM_NR_newfstatat && e.nr() != SYSVM_NR_statx) return std::nullopt;
  if (!lstat && (static_cast<int32_t>(e.arg(0)) != AT_FDCWD || !(e.arg(flags) & AT_SYMLINK_NOFOLLOW) ||
                 e.arg(flags) & (AT_EMPTY_PATH | AT_STATX_FORCE_SYNC)))
    return std::nullopt;
  const std::string* path = string_argument(stream, e, traits_of(e), lstat ? 0 : 1);
  if (!path || !is_row_name(*path)) return std::nullopt;
  return Look{&e};
}

Looks looks_of(const Stream& stream, const EventSet& answered) {
  Looks out{&stream, {}};
  std::vector<Look>& looks = out.all;
  bool adjacent = false;
  for (size_t i = 0; i < stream.calls.size(); ++i) {
    if (is_quiet(*stream.calls[i])) continue;
    const std::optional<Look> look = answered.contains(stream.calls[i]) ? std::nullopt : look_of(stream, i);
    if (look) looks.push_back(*look);
    if (look) looks.back().adjacent = adjacent;
    adjacent = look.has_value();
  }
  const std::string* name = nullptr;
  for (auto look = looks.rbegin(); look != looks.rend(); ++look) {
    look->on_the_way = name && leads_to(look->path(stream), *name);
    if (!look->on_the_way) name = &look->path(stream);
  }
  return out;
}

bool holds(const RowRelation& row, const Pair& p) { return p.step == ((p.length + row.gap) & ~row.mask); }

// The runtime expects a name where the pair before has held: that is what must be so.
bool goes_on_holding(const RowRelation& row, const std::vector<Pair>& pairs, size_t from, size_t to) {
  double expected = 0, held = 0;
  for (size_t i = std::max<size_t>(from, 1); i < to; ++i) {
    if (!pairs[i].goes_on || !holds(row, pairs[i - 1])) continue;
    ++expected;
    held += holds(row, pairs[i]);
  }
  return expected > 0 && held >= kHolds * expected;
}

// Each pair speaks for the gaps that explain it.
std::optional<RowRelation> learn(const std::vector<Pair>& pairs) {
  const size_t learned = pairs.size() - pairs.size() / 5;
  std::optional<RowRelation> best;
  uint64_t best_votes = 0;
  for (const uint64_t mask : kMasks) {
    std::map<uint64_t, uint64_t> votes;
    for (size_t i = 0; i < learned; ++i) {
      const Pair& p = pairs[i];
      if (p.step & mask || p.step <= p.length || p.step - p.length > SVP_ROW_GAP - mask) continue;
      for (uint64_t k = 0; k <= mask; ++k)
        if (p.step - p.length + k > mask) ++votes[p.step - p.length + k];
    }
    for (const auto& [gap, n] : votes)
      if (n > best_votes) {
        best = RowRelation{gap, mask};
        best_votes = n;
      }
  }
  if (!best || !goes_on_holding(*best, pairs, 0, learned) ||
      !goes_on_holding(*best, pairs, learned, pairs.size()))
    return std::nullopt;
  return best;
}

// Which system call it is, with its flags.
struct CallKey {
  int32_t nr;
  uint32_t flags, mask;
  auto operator<=>(const CallKey&) const = default;
  std::string text() const { return fmt::format("{} {:#x} {:#x}", nr, flags, mask); }
};

CallKey call_key(const Look& look) {
  const PackedEvent& e = *look.call;
  const bool statx = e.nr() == SYSVM_NR_statx;
  return {e.nr(), e.nr() == SYSVM_NR_lstat ? 0 : static_cast<uint32_t>(e.arg(statx ? 2 : 3)),
          statx ? static_cast<uint32_t>(e.arg(3)) : 0};
}

EachCall each_call(const Stream& stream, const Look& look) {
  EachCall call;
  call.kinds = 0xffff;
  call.sources = explain_dirent(stream, *look.call, /*under=*/true);
  for (ArgSource& a : call.sources.args)
    if (a.from == From::kDirentUnder) a.from = From::kRow;
  call.sources.key = describe(call.sources);
  return call;
}

// Names of rows from the second on, with the looks on the way to them; and the rows that have such.
void count_visits(const Looks& looks, const RowRelation& row, Rows& out) {
  const Look* before = nullptr;
  bool in_row = false;
  uint64_t way = 0;
  for (const Look& look : looks.all) {
    if (look.on_the_way) {
      ++way;
      continue;
    }
    const bool goes_on =
        before && holds(row, {look.pointer() - before->pointer(), before->path(*looks.stream).size(), false});
    if (goes_on && !in_row) {
      ++out.rows;
      way = 0;
    }
    in_row = goes_on;
    if (in_row) out.shape.visits += way + 1;
    way = 0;
    before = &look;
  }
}

}  // namespace

bool is_row_name(const std::string& path) {
  if (path.empty() || path.size() > kLongest) return false;
  for (size_t from = 0; from <= path.size();) {
    const size_t to = std::min(path.find('/', from), path.size());
    const std::string part = path.substr(from, to - from);
    if (part.empty() || part == "." || part == "..") return false;
    from = to + 1;
  }
  return std::none_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

std::optional<Rows> find_rows(const std::vector<const Stream*>& streams, const EventSet& answered,
                              uint64_t min_count) {
  // By call and flags: the most common one, of two the one that is written first.
  std::map<CallKey, size_t> names;
  std::vector<Looks> all;
  for (const Stream* stream : streams) {
    Looks looks = looks_of(*stream, answered);
    for (const Look& look : looks.all) names[call_key(look)] += !look.on_the_way;
    if (!looks.all.empty()) all.push_back(std::move(looks));
  }
  const auto most = std::max_element(names.begin(), names.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second < b.second : a.first.text() > b.first.text();
  });
  if (most == names.end()) return std::nullopt;
  size_t of_these = 0;
  for (Looks& of : all) {
    std::erase_if(of.all, [&](const Look& look) { return call_key(look) != most->first; });
    of.all.shrink_to_fit();
    of_these += of.all.size();
  }

  std::vector<Pair> pairs;
  pairs.reserve(of_these);
  for (const Looks& of : all) {
    const Look* before = nullptr;
    bool goes_on = false;
    for (const Look& look : of.all) {
      if (!look.adjacent) before = nullptr;
      if (look.on_the_way) continue;
      goes_on = goes_on && before;
      if (before)
        pairs.emplace_back(look.pointer() - before->pointer(), before->path(*of.stream).size(), goes_on);
      goes_on = before;
      before = &look;
    }
  }
  if (pairs.size() < min_count) return std::nullopt;
  const std::optional<RowRelation> row = learn(pairs);
  if (!row) return std::nullopt;

  Rows out;
  out.shape.row = row;
  for (size_t s = 0; s < all.size() && out.shape.calls.empty(); ++s)
    if (!all[s].all.empty()) out.shape.calls.push_back(each_call(*all[s].stream, all[s].all[0]));
  out.shape.key = fmt::format("row {} {} {}", row->gap, row->mask, out.shape.calls[0].sources.key);
  for (const Looks& of : all) count_visits(of, *row, out);
  if (out.shape.visits < min_count) return std::nullopt;
  return out;
}

}  // namespace sysvm
