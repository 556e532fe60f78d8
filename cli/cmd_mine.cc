// SPDX-License-Identifier: MIT
// sysvm mine FILE...: which call sequences repeat, and what of their arguments is known when they begin.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/traces_argument.h"
#include "optimizer/mine.h"

namespace sysvm {
namespace {

double share(uint64_t part, uint64_t whole) {
  return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

void print(const MineReport& r) {
  fmt::print(
      "{} calls; {:.1f} % inside the sequences below, {:.1f} % with every input known when their sequence "
      "begins\n",
      r.calls, share(r.covered, r.calls), share(r.known, r.calls));
  fmt::print("#k: result of call k   =k.a: argument a of call k   buf: filled by the call   *: varies\n");
  for (const MinedSequence& s : r.sequences) {
    fmt::print("\n{}x  {} calls, {} of {} behind the first known ({:.1f} % of all calls)\n", s.count,
               s.calls.size(), s.known, s.calls.size() - 1, share(s.count * s.calls.size(), r.calls));
    for (size_t k = 0; k < s.calls.size(); ++k)
      fmt::print("  {:>2} {} {}\n", k, s.calls[k].known || !k ? ' ' : '?', s.calls[k].text());
  }
}

nlohmann::json to_json(const MineReport& r) {
  nlohmann::json sequences = nlohmann::json::array();
  for (const MinedSequence& s : r.sequences) {
    nlohmann::json calls = nlohmann::json::array();
    for (const MinedCall& c : s.calls)
      calls.push_back({{"name", c.name}, {"args", c.args}, {"result", c.result}, {"known", c.known}});
    sequences.push_back({{"count", s.count}, {"known", s.known}, {"calls", calls}});
  }
  return {{"schema", 1},
          {"calls", r.calls},
          {"covered", r.covered},
          {"known", r.known},
          {"sequences", sequences}};
}

}  // namespace

int cmd_mine(const Words& words) {
  CLI::App app{"Show the call sequences that repeat in recordings, with their data flow.", "sysvm mine"};
  std::vector<std::string> files;
  MineOptions options;
  bool json = false;
  app.add_option("FILE", files, "trace files of sysvm record")->required();
  app.add_option("-n,--sequences", options.max_sequences, "how many to show")->capture_default_str();
  app.add_option("--length", options.max_length, "longest sequence looked for")
      ->capture_default_str()
      ->check(CLI::Range(2, 64));
  app.add_option("--min-count", options.min_count, "leave out what was seen less often")
      ->capture_default_str();
  app.add_flag("--json", json, "print JSON");
  if (const int status = parse_words(app, words); status >= 0) return status;

  const Result<TraceFiles> traces = TraceFiles::read(files);
  if (!traces) {
    spdlog::error("{}", traces.message());
    return kExitUsage;
  }
  const MineReport report = mine(traces->pointers(), options);
  if (json)
    fmt::print("{}\n", to_json(report).dump(2));
  else
    print(report);
  return 0;
}

}  // namespace sysvm
