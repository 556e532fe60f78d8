// SPDX-License-Identifier: MIT
#include "optimizer/mine/mine.h"

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "optimizer/mine/compact.h"
#include "optimizer/mine/entry_names.h"
#include "optimizer/mine/flow.h"
#include "optimizer/mine/repeats.h"
#include "traces/own_time.h"
#include "traces/reader.h"
#include "traces/string_table.h"

namespace sysvm {
namespace {

constexpr size_t kSequences = 64;  // that a part keeps; the best of several parts are among them
constexpr uint64_t kAgain = 16;    // a path that is asked for less often is not counted by itself

class PartMaker {
 public:
  void reserve(size_t events) { compact_.reserve(events); }

  // next_entry: EntryNames::next().
  void add(const Event& e, bool next_entry) {
    if (!e.has(kSignal)) count(e);
    first_ = std::min(first_, e.ts_ns);
    last_ = std::max(last_, e.ts_ns + e.dur_ns);
    compact_.add(e, next_entry);
  }

  MinePart finish(const TraceInfo& info, const MineOptions& options) {
    MinePart part;
    part.traces = 1;
    compact_.finish(info);
    part.calls = compact_.total();
    part.cuts = compact_.streams().size();
    part.threaded = compact_.threaded();
    part.wall_ns = own_wall_ns(info, part.calls, first_, last_);
    for (const auto& [nr, total] : by_nr_) part.by_name[name_of(nr)] = total;
    for (const auto& [key, total] : by_path_)
      if (total.count >= kAgain)
        part.by_name_and_path[name_of(static_cast<int32_t>(key >> 32)) + " " +
                              info.strings[key & 0xffffffff]] = total;
    Repeats repeats(compact_, options.max_length);
    for (const Repeat& repeat : repeats.find(std::max(kSequences, options.max_sequences), 2)) {
      std::string key = repeat.loop ? "loop" : "";
      for (uint32_t token : repeat.tokens) key += "; " + compact_.tokens()[token].text;
      PartSequence sequence;
      const bool single = repeat.loop && repeat.tokens.size() == 1;
      sequence.count = single ? repeat.rounds.size() : repeat.where.size();
      sequence.events = repeat.events;
      sequence.loop = repeat.loop;
      sequence.loops = repeat.rounds.size();
      if (repeat.loop) {
        sequence.least = *std::min_element(repeat.rounds.begin(), repeat.rounds.end());
        sequence.most = *std::max_element(repeat.rounds.begin(), repeat.rounds.end());
      }
      explain_flow(compact_, info.strings, repeats, repeat, sequence);
      part.sequences.try_emplace(key, std::move(sequence));
    }
    return part;
  }

 private:
  static std::string name_of(int32_t nr) { return call_name(static_cast<uint32_t>(nr)); }

  void count(const Event& e) {
    CallTotal& total = by_nr_[e.nr];
    add(total, e);
    if (e.path[0] == kNoString) return;
    add(by_path_[static_cast<uint64_t>(static_cast<uint32_t>(e.nr)) << 32 | e.path[0]], e);
  }
  static void add(CallTotal& total, const Event& e) {
    ++total.count;
    total.failed += e.ret < 0;
    total.ns += e.dur_ns;
  }

  Compact compact_;
  std::unordered_map<int32_t, CallTotal> by_nr_;
  std::unordered_map<uint64_t, CallTotal> by_path_;
  uint64_t first_ = UINT64_MAX, last_ = 0;
};

// Strings are numbered anew in each chunk of a file; here each has one number for the whole file.
class Names {
 public:
  void begin(const std::vector<std::string>& chunk) {
    chunk_ = &chunk;
    numbers_.assign(chunk.size(), UINT32_MAX);
  }
  uint32_t number(uint32_t in_chunk) {
    if (in_chunk == kNoString) return kNoString;
    uint32_t& known = numbers_[in_chunk];
    if (known != UINT32_MAX) return known;
    return known = table_.intern((*chunk_)[in_chunk]);
  }
  std::vector<std::string> take() { return std::move(all_); }

 private:
  const std::vector<std::string>* chunk_ = nullptr;
  std::vector<uint32_t> numbers_;
  std::vector<std::string> all_{std::string()};
  StringTable table_{all_};
};

void add(CallTotal& into, const CallTotal& other) {
  into.count += other.count;
  into.failed += other.failed;
  into.ns += other.ns;
}

void keep_common(std::vector<std::vector<std::string>>& into,
                 const std::vector<std::vector<std::string>>& other) {
  for (size_t i = 0; i < into.size(); ++i) {
    const std::vector<std::string> theirs = i < other.size() ? other[i] : std::vector<std::string>{};
    std::erase_if(into[i], [&](const std::string& s) {
      return std::find(theirs.begin(), theirs.end(), s) == theirs.end();
    });
  }
}

// A source survives only if no recording contradicts it.
void merge(PartCall& into, const PartCall& other) {
  keep_common(into.sources, other.sources);
  if (!into.inner)
    into.inner_sources = other.inner_sources;
  else if (other.inner)
    keep_common(into.inner_sources, other.inner_sources);
  for (size_t i = 0; i < into.told.size(); ++i)
    into.told[i] = into.told[i] || (i < other.told.size() && other.told[i]);
  if (into.result != other.result) into.result.assign(1, 'n');
  into.count += other.count;
  into.inner += other.inner;
  into.again += other.again;
}

}  // namespace

MinePart mine_part(const Trace& trace, const MineOptions& options) {
  PartMaker maker;
  maker.reserve(trace.events.size());
  EntryNames entries;
  for (const Event& e : trace.events) maker.add(e, entries.next(e, trace.strings));
  return maker.finish(trace, options);
}

Result<MinePart> mine_part(const std::string& path, const MineOptions& options,
                           const std::function<void(const TraceInfo&)>& look) {
  PartMaker maker;
  if (const Result<TraceInfo> before = read_trace_info(path); before && before->stats)
    maker.reserve(std::min<uint64_t>(before->stats->events, 1u << 28));
  Names names;
  EntryNames entries;
  TraceInfo info = TRY(for_each_chunk(path, [&](Columns& columns, const TraceInfo& chunk) {
    names.begin(chunk.strings);
    for (size_t i = 0; i < columns.size(); ++i) {
      Event e = columns.event(i);
      const bool next_entry = entries.next(e, chunk.strings);
      for (uint32_t& path_of : e.path) path_of = names.number(path_of);
      e.data = e.data_kind == DataKind::kEpoll ? names.number(e.data) : kNoString;
      maker.add(e, next_entry);
    }
    return true;
  }));
  info.strings = names.take();
  if (look) look(info);
  return maker.finish(info, options);
}

void merge(MinePart& into, const MinePart& other) {
  into.traces += other.traces;
  into.calls += other.calls;
  into.cuts += other.cuts;
  into.threaded += other.threaded;
  into.wall_ns += other.wall_ns;
  for (const auto& [name, total] : other.by_name) add(into.by_name[name], total);
  for (const auto& [name, total] : other.by_name_and_path) add(into.by_name_and_path[name], total);
  for (const auto& [key, sequence] : other.sequences) {
    const auto [at, fresh] = into.sequences.try_emplace(key, sequence);
    if (fresh) continue;
    PartSequence& s = at->second;
    s.count += sequence.count;
    s.events += sequence.events;
    s.least = std::min(s.least, sequence.least);
    s.most = std::max(s.most, sequence.most);
    s.loops += sequence.loops;
    s.held_out += sequence.held_out;
    s.failed += sequence.failed;
    for (size_t k = 0; k < s.calls.size() && k < sequence.calls.size(); ++k)
      merge(s.calls[k], sequence.calls[k]);
  }
}

namespace {

// Is it known before the sequence begins? Results are, since the machine makes the calls in order, and so are
// arguments of the first call; an argument of another is if it is itself.
bool known_source(const std::string& source, const std::vector<std::vector<bool>>& known) {
  unsigned call, arg;
  if (std::sscanf(source.c_str(), "=%u.%u", &call, &arg) != 2) return true;
  return call == 0 || (call < known.size() && arg < known[call].size() && known[call][arg]);
}

bool from_round_before(const std::string& source) { return source == "same" || source[0] == '+'; }

}  // namespace

MineReport report(const MinePart& part, const MineOptions& options) {
  MineReport out;
  out.traces = part.traces;
  out.calls = part.calls;
  std::vector<std::pair<const std::string*, const PartSequence*>> order;
  for (const auto& [key, s] : part.sequences)
    if (s.count >= options.min_count || (s.loop && s.events >= options.min_count))
      order.emplace_back(&key, &s);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.second->events - a.second->count > b.second->events - b.second->count;
  });
  uint64_t saved = 0;
  for (const auto& [key, s] : order) {
    if (out.sequences.size() == options.max_sequences) break;
    if (s->events <= s->count) continue;
    MinedSequence& sequence = out.sequences.emplace_back();
    sequence.count = s->count;
    sequence.events = s->events;
    sequence.loop = s->loop;
    sequence.loops = s->loops;
    sequence.least = s->least;
    sequence.most = s->most;
    sequence.held_out = s->held_out;
    sequence.failed = s->failed;
    std::vector<std::vector<bool>> known;  // by call and argument
    for (size_t k = 0; k < s->calls.size(); ++k) {
      const PartCall& c = s->calls[k];
      std::vector<bool> here;
      MinedCall& call = sequence.calls.emplace_back();
      call.name = c.name;
      call.result = c.result;
      call.known = true;
      bool later = k == 0;  // known in the rounds after the first only
      for (size_t i = 0; i < c.sources.size(); ++i) {
        const auto best = std::find_if(c.sources[i].begin(), c.sources[i].end(),
                                       [&](const std::string& s) { return known_source(s, known); });
        const bool found = best != c.sources[i].end();
        call.args.push_back(found ? *best : c.sources[i].empty() ? "*" : c.sources[i][0]);
        sequence.contradicted += c.sources[i].empty() && c.told[i];
        here.push_back(found);
        later |= found && s->loop && from_round_before(*best);
        // The size of a transfer that came to an end does not matter.
        call.known &= found || (i < c.size_at_end.size() && c.size_at_end[i]);
      }
      known.push_back(std::move(here));
      sequence.known += k > 0 && call.known;
      if (call.known) out.known += later ? c.again : c.count;
      if (std::all_of(c.inner_sources.begin(), c.inner_sources.end(), [&](const auto& arg) {
            return std::any_of(arg.begin(), arg.end(),
                               [&](const std::string& s) { return known_source(s, known); });
          }))
        out.known += c.inner;
    }
    out.covered += s->events;
    saved += s->events - s->count;
  }
  out.ideal_entries = out.calls - saved;
  return out;
}

MineReport mine(const std::vector<const Trace*>& traces, const MineOptions& options) {
  MinePart all;
  for (const Trace* trace : traces) merge(all, mine_part(*trace, options));
  return report(all, options);
}

std::string MinedCall::text() const {
  std::string out = name + "(";
  for (size_t i = 0; i < args.size(); ++i) out += (i ? ", " : "") + args[i];
  return out + ") = " + result;
}

}  // namespace sysvm
