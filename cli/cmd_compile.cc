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
#include "optimizer/rehearsal.h"
#include "optimizer/svp_reader.h"

namespace sysvm {
namespace {

nlohmann::json to_json(const Compiled& c, const Rehearsal& r, const std::string& output) {
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
                       {"stop", e.stop}});
  for (const DroppedInfo& d : c.dropped)
    dropped.push_back({{"trigger", d.trigger}, {"exe", d.exe}, {"seen", d.seen}, {"reason", d.reason}});
  return {{"schema", 1},
          {"output", output},
          {"bytes", c.svp.size()},
          {"calls", r.calls},
          {"predicted_entries", r.entries},
          {"ahead", r.ahead},
          {"used", r.used},
          {"procedures", emitted},
          {"dropped", dropped}};
}

void print(const Compiled& c, const Rehearsal& r, const std::string& output) {
  fmt::print("{}: {} procedures, {} bytes\n", output, c.emitted.size(), c.svp.size());
  if (!c.emitted.empty())
    fmt::print("{:>8} {:>8} {:>8} {:>8}  {:<10} {}\n", "SEEN", "HITS", "MISSES", "UNDONE", "MODE",
               "PROCEDURE");
  for (const EmittedInfo& e : c.emitted) {
    fmt::print("{:>8} {:>8} {:>8} {:>8}  {:<10} {}\n", e.seen, e.hits, e.misses, e.undone, e.mode, e.name);
    if (e.saved_ns < 0)
      fmt::print("{:>48} saves entries, but by the default costs no time ({:.1f} us)\n", "",
                 e.saved_ns / 1000);
  }
  if (!c.dropped.empty()) fmt::print("\nleft out:\n");
  for (const DroppedInfo& d : c.dropped) fmt::print("{:>8}  {}: {}\n", d.seen, d.trigger, d.reason);
  fmt::print("\n{} calls recorded; replayed with these procedures: {} entries; {:.1f} % of {} calls made ahead not used\n",
             r.calls, r.entries, 100 * r.unused_share(), r.ahead);
}

}  // namespace

int cmd_compile(const Words& words) {
  CLI::App app{"Compile the repeated sequences of recordings into stored procedures.", "sysvm compile"};
  std::vector<std::string> files;
  std::string output;
  CompileOptions options;
  bool json = false;
  app.add_option("FILE", files, "trace files of sysvm record")->required();
  app.add_option("-o,--output", output, "procedure file to write ('-': standard output)")->required();
  app.add_option("--min-count", options.min_count, "leave out what was seen less often")
      ->capture_default_str();
  app.add_option("--crossing-ns", options.cost.crossing_ns, "cost of one entry (see sysvm bench)")
      ->capture_default_str();
  app.add_flag("--strict", options.strict, "no late close");
  app.add_flag("--empty", options.empty, "no procedures: what the shim costs by itself");
  app.add_flag("--json", json, "print JSON");
  if (const int status = parse_words(app, words); status >= 0) return status;

  const Result<TraceFiles> traces = TraceFiles::read(files);
  if (!traces) {
    spdlog::error("{}", traces.message());
    return kExitUsage;
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
  RehearsalOptions how;
  how.strict = options.strict;
  const Result<Rehearsal> rehearsal = rehearse(compiled->svp, traces->pointers(), how);
  if (!rehearsal) {
    spdlog::error("{}", rehearsal.message());
    return kExitToolFailed;
  }
  if (json)
    fmt::print("{}\n", to_json(*compiled, *rehearsal, output).dump(2));
  else
    print(*compiled, *rehearsal, output);
  return 0;
}

}  // namespace sysvm
