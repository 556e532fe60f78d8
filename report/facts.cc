// SPDX-License-Identifier: MIT
#include "report/facts.h"

#include <algorithm>
#include <future>

#include "traces/in_order.h"
#include "traces/reader.h"

namespace sysvm::page {
namespace {

constexpr double kLeastFolder = 0.0005;  // of all time or calls
constexpr size_t kMostFolders = 2000;
constexpr int32_t kCompatNr = -2;  // all 32-bit calls are one row

class Gatherer {
 public:
  Gatherer(Facts& facts) : f_(facts) {}

  void add(const TraceInfo& info, const Event& e) {
    const uint32_t name = f_.names.number(info, e);
    const std::string& place = f_.places.add(info, e);
    f_.flow.add(info, e, name, place);
    if (!e.has(kForkChild)) f_.spans.add(e, name, place, e.has(kSignal) ? kSpanSignal : 0);
    f_.first_ns = std::min(f_.first_ns, e.ts_ns);
    f_.last_ns = std::max(f_.last_ns, e.ts_ns + e.dur_ns);

    ThreadRow& t = f_.threads[e.tid];
    t.pid = e.pid;
    ++t.events;
    t.in_calls_ns += e.dur_ns;
    t.first_ns = std::min(t.first_ns, e.ts_ns);
    t.last_ns = std::max(t.last_ns, e.ts_ns + e.dur_ns);
    if (e.has(kSignal)) {
      ++f_.signals;
      return;
    }
    if (e.has(kForkChild)) return;  // a fork returns twice, but is one call
    ++f_.calls;
    f_.in_calls_ns += e.dur_ns;
    CallRow& row = f_.names.rows()[name];
    ++row.calls;
    row.total_ns += e.dur_ns;
    row.longest_ns = std::max(row.longest_ns, e.dur_ns);
    row.times.add(e.dur_ns);
    if (failed(e)) {
      ++row.errors;
      ++row.errnos[static_cast<int>(-e.ret)];
    }
    if (row.category == Category::kWait) {
      t.waiting_ns += e.dur_ns;
      f_.waiting_ns += e.dur_ns;
    }
  }

 private:
  Facts& f_;
};

void note_missing(Completeness& found, const TraceInfo& info, Facts& facts) {
  found.finish(info);
  facts.missing = found.missing();
  for (const Gap& gap : found.gaps()) {
    facts.threads[gap.tid].pid = gap.pid;
    facts.threads[gap.tid].missing += gap.count;
  }
}

void count_missing(const Trace& trace, Facts& facts) {
  constexpr size_t kAtOnce = 8192;
  Completeness found;
  Columns part;
  for (const Event& e : trace.events) {
    part.push_back(e);
    if (part.size() < kAtOnce) continue;
    found.add(part);
    part.resize(0);
  }
  found.add(part);
  note_missing(found, trace, facts);
}

Result<> count_missing(const std::string& path, Facts& facts) {
  Completeness found;
  const TraceInfo info = TRY(for_each_chunk(path, [&](Columns& columns, const TraceInfo&) {
    found.add(columns);
    return true;
  }));
  note_missing(found, info, facts);
  return Unit{};
}

}  // namespace

bool failed(const Event& e) {
  return e.ret < 0 && e.ret >= -4095 && !(e.flags & (kSignal | kNoExit | kRestarted | kForkChild));
}

CallNames::CallNames() {
  rows_.emplace_back();
  rows_[0].name = "signal";
  rows_[0].category = Category::kProcess;
}

uint32_t CallNames::number(const TraceInfo& info, const Event& e) {
  if (e.has(kSignal)) return 0;
  const int32_t nr = e.has(kCompat) ? kCompatNr : e.nr;
  const auto [at, fresh] = number_.try_emplace(nr, static_cast<uint32_t>(rows_.size()));
  if (fresh) {
    CallRow& row = rows_.emplace_back();
    row.name = nr == kCompatNr ? "i386 calls" : info.call_name(nr);
    row.category = category_of(row.name);
  }
  return at->second;
}

// What takes longest, on a thread of its own: procedures and sequences beside the rest.
Result<Facts> gather(const std::string& path, const GatherOptions& options) {
  Facts facts;
  facts.spans = Spans(options.most_spans);
  Gatherer gatherer(facts);
  const MineOptions sequences{.max_sequences = options.sequences};
  const TraceInfo before = TRY(read_trace_info(path));
  const uint64_t events = before.stats ? before.stats->events : options.most_for_procedures + 1;
  if (!options.worth.off && events <= options.most_for_procedures) {
    Trace trace = TRY(read_trace(path));
    std::future<Worth> worth =
        std::async(std::launch::async, [&] { return find_worth(trace, options.worth); });
    count_missing(trace, facts);
    for (const Event& e : trace.events) gatherer.add(trace, e);
    if (options.sequences) facts.mined = report(mine_part(trace, sequences), sequences);
    facts.folders = facts.places.folders(kLeastFolder, kMostFolders);
    facts.worth = worth.get();
    for (size_t i = 0; i < facts.worth.fates.size(); ++i)
      if (!trace.events[i].has(kForkChild)) facts.spans.mark(trace.events[i], facts.worth.fates[i]);
    trace.strings.clear();
    facts.info = std::move(static_cast<TraceInfo&>(trace));
    return facts;
  }
  facts.worth.why_not = options.worth.off
                            ? "not asked for"
                            : "the recording is too long, or was not closed; sysvm compile takes any";
  auto beside = std::async(std::launch::async, [&]() -> std::optional<MineReport> {
    if (!options.sequences) return {};
    const Result<MinePart> part = mine_part(path, sequences);
    if (!part) return {};
    return report(*part, sequences);
  });
  TRY(count_missing(path, facts));
  facts.info = TRY(for_each_in_order(
      path, [](const TraceInfo&) {},
      [&](const Event& e, const TraceInfo& info) {
        gatherer.add(info, e);
        return true;
      }));
  facts.info.strings.clear();
  facts.folders = facts.places.folders(kLeastFolder, kMostFolders);
  facts.mined = beside.get();
  return facts;
}

}  // namespace sysvm::page
