// SPDX-License-Identifier: MIT
// sysvm compile FILE... -o app.svp: recordings -> procedures. Prints what it made and what it left out, and
// why.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/traces_argument.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/replay.h"
#include "procedures/reader.h"
#include "optimizer/explain/verdict.h"

namespace sysvm {
namespace {

constexpr size_t kLine = 1000;  // names come from the recorded run, which may have been anybody's

nlohmann::json to_json(const Compiled& c, const Replay& r, const CostModel& cost, const Verdict& verdict,
                       const std::string& output) {
  nlohmann::json emitted = nlohmann::json::array(), dropped = nlohmann::json::array();
  for (const EmittedInfo& e : c.emitted)
    emitted.push_back({{"name", e.name},
                       {"mode", e.mode},
                       {"exe", e.exe},
                       {"seen", e.seen},
                       {"hits", e.hits},
                       {"misses", e.misses},
                       {"undone", e.undone},
                       {"saved_ns", e.saved_ns},
                       {"saved_low_ns", e.saved_low_ns},
                       {"saved_high_ns", e.saved_high_ns},
                       {"break_even_ns", e.break_even_ns},
                       {"stop", e.stop}});
  for (const DroppedInfo& d : c.dropped)
    dropped.push_back({{"trigger", d.trigger}, {"exe", d.exe}, {"seen", d.seen}, {"reason", d.reason}});
  return {{"schema", 1},
          {"output", output},
          {"bytes", c.svp.size()},
          {"calls", r.calls},
          {"predicted_entries", r.entries},
          {"saved_ns", saved_ns(cost, r)},
          {"spread_ns", c.spread_ns},
          {"wall_ns", verdict.wall_ns},
          {"verdict", to_json(verdict, r, cost)},
          {"costs", cost.source},
          {"ahead", r.ahead},
          {"used", r.used},
          {"procedures", emitted},
          {"dropped", dropped}};
}

void print(const Compiled& c, const Replay& r, const CostModel& cost, const Verdict& verdict,
           const std::string& output) {
  fmt::print("{}\n{}: {} procedures, {} bytes\n", verdict_block(verdict, r, cost), output, c.emitted.size(),
             c.svp.size());
  if (!c.emitted.empty())
    fmt::print("{:>8} {:>8} {:>8} {:>8} {:>9} {:>10}  {:<10} {}\n", "SEEN", "HITS", "MISSES", "UNDONE",
               "SAVES", "BREAK-EVEN", "MODE", "PROCEDURE");
  for (const EmittedInfo& e : c.emitted)
    fmt::print("{:>8} {:>8} {:>8} {:>8} {:>9} {:>7.0f} ns  {:<10} {}\n", e.seen, e.hits, e.misses, e.undone,
               time_text(e.saved_ns), e.break_even_ns, e.mode, printable(e.name, kLine));
  if (!c.dropped.empty()) fmt::print("\nleft out:\n");
  for (const DroppedInfo& d : c.dropped)
    fmt::print("{:>8}  {}: {}\n", d.seen, printable(d.trigger, kLine), printable(d.reason, kLine));
  fmt::print(
      "\n{} calls recorded; replayed with these procedures: {} entries; {:.1f} % of {} calls made ahead not "
      "used\n",
      r.calls, r.entries, 100 * r.unused_share(), r.ahead);
}

}  // namespace

int cmd_compile(const Words& words) {
  CLI::App app{"Compile the repeated sequences of recordings into stored procedures.", "sysvm compile"};
  std::vector<std::string> files;
  std::string output;
  CompileOptions options;
  CostOptions costs;
  std::string profile;
  bool json = false, no_examples = false;
  app.add_option("FILE", files, "trace files of sysvm record")->required();
  app.add_option("-o,--output", output, "procedure file to write ('-': standard output)")->required();
  app.add_option("--min-count", options.min_count, "leave out what was seen less often")
      ->capture_default_str();
  costs.add_to(app);
  app.add_option("--profile", profile,
                 "counters of 'sysvm run --stats': what misses is narrowed or left out");
  app.add_flag("--strict", options.strict, "no late close");
  app.add_flag("--empty", options.empty, "no procedures: what the shim costs by itself");
  app.add_flag("--no-examples", no_examples,
               "keep no calls of the recording, and so no path names, in the notes");
  app.add_flag("--json", json, "print JSON");
  if (const int status = parse_words(app, words); status >= 0) return status;

  if (const Result<> free = may_become(output); !free) {
    spdlog::error("{}", free.message());
    return kExitToolFailed;
  }
  const Result<TraceFiles> traces = TraceFiles::read(files);
  if (!traces) {
    spdlog::error("{}", traces.message());
    return kExitUsage;
  }
  const Result<CostModel> cost = costs.get();
  if (!cost) {
    spdlog::error("{}", cost.message());
    return kExitUsage;
  }
  options.cost = *cost;
  options.examples = !no_examples;
  if (!profile.empty()) {
    Result<std::vector<ProfiledProcedure>> ran = read_profile(profile);
    if (!ran) {
      spdlog::error("{}", ran.message());
      return kExitUsage;
    }
    options.profile = std::move(*ran);
  }
  const Result<Compiled> compiled = compile(traces->pointers(), options);
  if (!compiled) {
    spdlog::error("{}", compiled.message());
    return kExitToolFailed;
  }
  if (const Result<> written = write_whole_file(output, compiled->svp); !written) {
    spdlog::error("{}", written.message());
    return kExitToolFailed;
  }
  if (output == "-") return 0;
  ReplayOptions how;
  how.strict = options.strict;
  how.unseen = unseen_objects();
  const Result<Replay> replayed = replay(compiled->svp, traces->pointers(), how);
  if (!replayed) {
    spdlog::error("{}", replayed.message());
    return kExitToolFailed;
  }
  const Verdict verdict = judge(*replayed, *cost, compiled->spread_ns, wall_ns(traces->pointers()));
  if (json)
    fmt::print("{}\n", to_json(*compiled, *replayed, *cost, verdict, output)
                           .dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  else
    print(*compiled, *replayed, *cost, verdict, output);
  return 0;
}

}  // namespace sysvm
