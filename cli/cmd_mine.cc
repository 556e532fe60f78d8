// SPDX-License-Identifier: MIT
// sysvm mine FILE...: which call sequences repeat, and what of their arguments is known when they begin.
#include <fmt/format.h>

#include <optional>

#include "cli/base/json.h"
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/ticker.h"
#include "cli/traces_argument.h"
#include "common/numbers.h"
#include "optimizer/explain/advice.h"
#include "optimizer/explain/verdict.h"
#include "optimizer/lists/cold.h"
#include "optimizer/mine/mine.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/replay.h"

namespace sysvm {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(MinedCall, name, args, result, known)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Advice, text, calls, saved_ns)

namespace {

constexpr size_t kLine = 1000;           // names come from the recorded run, which may have been anybody's
constexpr uint64_t kCompiled = 3000000;  // calls; more are mined, not compiled as well

// What the whole program could save.
struct Outlook {
  std::optional<Replay> safe;  // with procedures, by the shim's rules
  Verdict verdict;
  double saved_ns = 0, elsewhere_ns = 0;
  uint64_t wall_ns = 0;
  ColdOutlook cold;
  std::vector<Advice> advice;
};
constexpr double kElsewhere = 580;  // ns for an entry with page-table isolation (docs/benchmarks.md)

Outlook look(const std::vector<std::string>& files, const MinePart& part, const CostModel& cost,
             bool compiled_too, Ticker& ticker) {
  Outlook out;
  out.wall_ns = part.wall_ns;
  if (compiled_too && part.calls && part.calls <= kCompiled) {
    const Result<TraceFiles> traces = TraceFiles::read(files, /*warn=*/false);
    CompileOptions options;
    options.cost = cost;
    options.lists = false;  // they answer nothing
    options.progress = &ticker.progress;
    ReplayOptions how;
    how.unseen = unseen_objects();
    how.progress = &ticker.progress;
    if (!traces) return out;
    ticker.stage(fmt::format("mine: compiling {} calls", thousands(part.calls)));
    out.cold = cold_outlook(traces->pointers());
    if (const Result<Compiled> compiled = compile(traces->pointers(), options))
      if (const Result<Replay> r = replay(compiled->svp, traces->pointers(), how)) {
        out.safe = *r;
        out.saved_ns = saved_ns(cost, *r);
        out.verdict = judge(*r, cost, compiled->spread_ns, out.wall_ns);
        CostModel other = cost;
        other.crossing_ns = kElsewhere;
        out.elsewhere_ns = saved_ns(other, *r);
      }
  }
  out.advice = advise(part, cost, out.safe ? &*out.safe : nullptr);
  return out;
}

void print(const MineReport& r, const Outlook& outlook, const CostModel& cost) {
  if (outlook.safe) fmt::print("{}\n", verdict_block(outlook.verdict, *outlook.safe, cost));
  if (const std::string cold = cold_text(outlook.cold); !cold.empty()) fmt::print("{}\n", cold);
  fmt::print(
      "{} calls; {:.1f} % inside the sequences below, {:.1f} % with every input known when their sequence "
      "begins\n",
      r.calls, percent(r.covered, r.calls), percent(r.known, r.calls));
  fmt::print(
      "#k: result of call k   =k.a: argument a of call k   +8: 8 more than before   buf: filled by the call "
      "  *: varies\n"
      "same: as in the round before   d_name: the next entry of a directory that was read\n");
  for (const MinedSequence& s : r.sequences) {
    fmt::print("\n{}x  {} calls, {} of {} after the first known ({:.1f} % of all calls)\n", s.count,
               s.calls.size(), s.known, s.calls.size() - 1, percent(s.events, r.calls));
    if (s.loop && s.calls.size() == 1)
      fmt::print("     a loop of {} to {} rounds, {} calls in all\n", s.least, s.most, s.events);
    else if (s.loop)
      fmt::print("     the rounds of a loop that ran {} times, {} to {} rounds each\n", s.loops, s.least,
                 s.most);
    if (s.failed)
      fmt::print("     {} sources did not hold in the last {} occurrences, on which they were tested\n",
                 s.failed, s.held_out);
    if (s.contradicted)
      fmt::print(
          "     {} of the arguments had a source in some of the recordings, but no source holds in all: "
          "they vary\n",
          s.contradicted);
    for (size_t k = 0; k < s.calls.size(); ++k)
      fmt::print("  {:>2} {} {}\n", k, s.calls[k].known || !k ? ' ' : '?',
                 printable(s.calls[k].text(), kLine));
  }
  fmt::print("\nideally, one entry for each of these sequences: {} entries instead of {}", r.ideal_entries,
             r.calls);
  if (outlook.safe) {
    fmt::print("; safely, with procedures: {} ({})\n", outlook.safe->entries,
               times_fewer(r.calls, outlook.safe->entries));
    fmt::print("with the module where an entry takes {:.0f} ns (page-table isolation): {} saved\n",
               kElsewhere, time_text(outlook.elsewhere_ns));
  } else {
    fmt::print("\n");
  }
  if (!outlook.advice.empty()) fmt::print("\nbest things to do:\n");
  for (size_t i = 0; i < outlook.advice.size(); ++i)
    fmt::print("  {}. {} (about {})\n", i + 1, printable(outlook.advice[i].text, kLine),
               time_text(outlook.advice[i].saved_ns));
}

nlohmann::json to_json(const MineReport& r, const Outlook& outlook, const CostModel& cost) {
  nlohmann::json sequences = nlohmann::json::array();
  for (const MinedSequence& s : r.sequences) {
    sequences.push_back({{"count", s.count},
                         {"events", s.events},
                         {"known", s.known},
                         {"loop", s.loop},
                         {"rounds", {s.least, s.most}},
                         {"held_out", s.held_out},
                         {"failed", s.failed},
                         {"contradicted", s.contradicted},
                         {"calls", s.calls}});
  }
  return {
      {"schema", 1},
      {"calls", r.calls},
      {"covered", r.covered},
      {"known", r.known},
      {"ideal_entries", r.ideal_entries},
      {"wall_ns", outlook.wall_ns},
      {"entries", outlook.safe ? nlohmann::json(outlook.safe->entries) : nlohmann::json()},
      {"saved_ns", outlook.saved_ns},
      {"saved_elsewhere_ns", outlook.elsewhere_ns},
      {"nothing_to_gain", outlook.safe && nothing_to_gain(outlook.saved_ns, outlook.wall_ns)},
      {"verdict", outlook.safe ? to_json(outlook.verdict, *outlook.safe, cost) : nlohmann::json()},
      {"cold",
       {{"waited_ns", outlook.cold.waited_ns}, {"calls", outlook.cold.calls}, {"gain", outlook.cold.gain()}}},
      {"advice", outlook.advice},
      {"sequences", sequences}};
}

}  // namespace

int cmd_mine(const Words& words) {
  Options opts(
      "mine", "usage: sysvm mine [options] TRACE...",
      "Show the call sequences that repeat in recordings, with the data flow between their arguments, and "
      "what procedures could save.\n\n"
      "  sysvm mine sysvm.trace\n  sysvm mine -n 3 --sequences-only monday.trace tuesday.trace\n");
  std::vector<std::string> files;
  MineOptions options;
  CostOptions costs;
  bool json = false, sequences_only = false;
  opts.arguments("TRACE...", files, "files of 'sysvm record'");
  opts.number("-n,--sequences N", options.max_sequences, 0, 1e6, "how many to show");
  opts.number("--length N", options.max_length, 2, 64, "calls of the longest sequence to look for");
  opts.number("--min-count N", options.min_count, 0, 1e9, "leave out what was seen less often");
  costs.add_to(opts);
  opts.flag("--sequences-only", sequences_only,
            "do not compile as well: no verdict, and a third of the time and memory");
  opts.flag("--json", json, "one JSON object, schema 1");
  if (const auto code = opts.parse(words)) return *code;

  const Result<CostModel> cost = costs.get();
  if (!cost) return fail(kExitUsage, cost.error());
  std::optional<Ticker> ticker("mine: reading");
  MinePart all;
  for (const std::string& file : files) {
    const Result<MinePart> part =
        mine_part(file, options, [&](const TraceInfo& info) { warn_about(file, info); });
    if (!part) return fail(kExitUsage, part.error());
    if (!part->calls) warn_empty(file);
    merge(all, *part);
    ticker->stage(fmt::format("mine: {} calls", thousands(all.calls)));
  }
  const MineReport found = report(all, options);
  const Outlook outlook = look(files, all, *cost, !sequences_only, *ticker);
  ticker.reset();
  if (json)
    fmt::print("{}", json_text(to_json(found, outlook, *cost)));
  else
    print(found, outlook, *cost);
  return 0;
}

}  // namespace sysvm
