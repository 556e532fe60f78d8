// SPDX-License-Identifier: MIT
// sysvm replay -P app.svp FILE...: what the procedures would have done to recordings that they were not made
// from. Nothing is run; the shim's own code decides.
#include <fmt/format.h>

#include "cli/base/glossary.h"
#include "cli/base/json.h"
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/traces_argument.h"
#include "common/numbers.h"
#include "optimizer/explain/drift.h"
#include "optimizer/explain/verdict.h"
#include "optimizer/prove/example.h"
#include "optimizer/prove/replay.h"
#include "procedures/reader.h"

namespace sysvm {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ReplayedProcedure, name, mode, runs, hits, misses, undone, off)

namespace {

nlohmann::json to_json(const Replay& r, const CostModel& cost, uint64_t wall) {
  const double saved = saved_ns(cost, r);
  nlohmann::json off = nlohmann::json::object();
  for (const auto& [reason, plain] : r.off) off[reason] = plain.processes;
  return {{"schema", 1},
          {"calls", r.calls},
          {"entries", r.entries},
          {"factor", r.factor()},
          {"answered", r.answered},
          {"runs", r.runs},
          {"own", r.own},
          {"unseen", r.unseen},
          {"plain", r.plain},
          {"forwarded", r.forwarded},
          {"ahead", r.ahead},
          {"used", r.used},
          {"saved_ns", saved},
          {"saved_share", wall ? saved / static_cast<double>(wall) : 0},
          {"wall_ns", wall},
          {"verdict", to_json(judge(r, cost, 0, wall), r, cost)},
          {"wrong", r.wrong},
          {"off", off},
          {"procedures", r.procedures}};
}

void print(const Replay& r, const CostModel& cost, uint64_t wall) {
  fmt::print("{}\n", verdict_block(judge(r, cost, 0, wall), r, cost));
  fmt::print("{:>8} {:>8} {:>8} {:>8}  {:<10} {}\n", "RUNS", "HITS", "MISSES", "UNDONE", "MODE", "PROCEDURE");
  for (const ReplayedProcedure& p : r.procedures)
    fmt::print("{:>8} {:>8} {:>8} {:>8}  {:<10} {}{}\n", p.runs, p.hits, p.misses, p.undone, p.mode, p.name,
               p.off ? fmt::format(" (switched itself off in {} processes)", p.off) : "");
  fmt::print("\n{} calls recorded, {} entries with the procedures: {}\n", r.calls, r.entries,
             times_fewer(r.calls, r.entries));
  if (r.ahead)
    fmt::print("{} calls made ahead, {} of them never asked for ({:.1f} %)\n", r.ahead, r.ahead - r.used,
               100 * r.unused_share());
  for (const auto& [reason, off] : r.off)
    fmt::print("{} processes plain: {} ({})\n", off.processes, reason,
               printable(fmt::format("{}", fmt::join(off.of, ", "))));
  if (r.wrong) fmt::print("{} answers differ from the recording: {}\n", r.wrong, r.wrong_why);
}

}  // namespace

int cmd_replay(const Words& words) {
  Options opts(
      "replay", "usage: sysvm replay [options] -P FILE TRACE...",
      "Count the crossings that recordings would have taken with procedures. Nothing is run: the shim's own "
      "code decides about the recorded calls.\n\n"
      "  sysvm replay -P monday.svp tuesday.trace\n"
      "  sysvm replay --drift -P january.svp june.trace july.trace\n",
      kGlossary);
  std::vector<std::string> files;
  std::string procedures;
  ReplayOptions options;
  CostOptions costs;
  bool json = false, drift = false;
  std::string relaxed;
  opts.arguments("TRACE...", files, "files of 'sysvm record'");
  opts.text("-P,--procedures FILE", procedures, "procedure file of 'sysvm compile'");
  opts.require("--procedures");
  opts.number("--age MS", options.age_ms, 0, 60000, "how long a result that was fetched ahead may wait [10]");
  opts.flag("--strict", options.strict, "no late close");
  opts.choice("--relaxed", relaxed, {"age"},
              "what was fetched ahead survives other calls that change nothing");
  opts.flag("--drift", drift,
            "which procedures no longer match what the recorded programs do, and since when");
  costs.add_to(opts);
  opts.flag("--json", json, "one JSON object, schema 1");
  if (const auto code = opts.parse(words)) return *code;

  options.relaxed_age = relaxed == "age";
  const Result<std::vector<uint8_t>> svp = read_whole_file(procedures, SVP_FILE_MAX);
  if (!svp) return fail(kExitUsage, svp.error());
  const Result<TraceFiles> traces = TraceFiles::read(files);
  if (!traces) return fail(kExitUsage, traces.error());
  options.unseen = unseen_objects();
  const Result<CostModel> cost = costs.get();
  if (!cost) return fail(kExitUsage, cost.error());
  const Result<Replay> result = replay(*svp, traces->pointers(), options);
  if (!result) return fail(kExitUsage, procedures, result.error());
  if (drift) {
    const Result<ProcedureFile> file = read_svp(*svp);
    if (!file) return fail(kExitUsage, procedures, file.error());
    const std::vector<DriftedProcedure> found = drift_of(*file, *result, traces->pointers());
    const nlohmann::json all = {{"schema", 1}, {"procedures", drift_json(found)}};
    if (json)
      fmt::print("{}", json_text(all));
    else
      fmt::print("{}", drift_text(found));
    return 0;
  }
  if (json)
    fmt::print("{}", json_text(to_json(*result, *cost, wall_ns(traces->pointers()))));
  else
    print(*result, *cost, wall_ns(traces->pointers()));
  return 0;
}

}  // namespace sysvm
