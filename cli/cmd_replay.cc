// SPDX-License-Identifier: MIT
// sysvm replay -P app.svp FILE...: what the procedures would have done to recordings that they were not made
// from. Nothing is run; the shim's own code decides.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/traces_argument.h"
#include "libsysvm/sites/cache.h"
#include "optimizer/hex.h"
#include "optimizer/rehearsal.h"
#include "optimizer/svp_reader.h"

namespace sysvm {
namespace {

// Objects with system calls that the shim does not see, by the analysis that `sysvm run` makes.
class Objects {
 public:
  bool unseen(const std::string& path, const std::string& build_id) {
    auto [at, fresh] = verdicts_.try_emplace(path, false);
    if (!fresh) return at->second;
    const Result<Analysis> found = cache_.get(path);
    if (!found) return false;  // gone since: nothing is known about it
    const sysvm_object& object = found->object;
    if (to_hex({object.build_id, object.build_id_len}) != build_id) return false;
    return at->second = object.verdict == OBJECT_UNSEEN;
  }

 private:
  SiteCache cache_ = SiteCache::at_default_place();
  std::map<std::string, bool> verdicts_;
};

nlohmann::json to_json(const Rehearsal& r) {
  nlohmann::json procedures = nlohmann::json::array();
  for (const RehearsedProcedure& p : r.procedures)
    procedures.push_back({{"name", p.name},
                          {"mode", p.mode},
                          {"runs", p.runs},
                          {"hits", p.hits},
                          {"misses", p.misses},
                          {"undone", p.undone},
                          {"off", p.off}});
  return {{"schema", 1},           {"calls", r.calls},       {"entries", r.entries}, {"factor", r.factor()},
          {"answered", r.answered}, {"runs", r.runs},         {"own", r.own},         {"unseen", r.unseen},
          {"plain", r.plain},       {"forwarded", r.forwarded}, {"ahead", r.ahead},   {"used", r.used},
          {"wrong", r.wrong},       {"off", r.off},           {"procedures", procedures}};
}

void print(const Rehearsal& r) {
  fmt::print("{:>8} {:>8} {:>8} {:>8}  {:<10} {}\n", "RUNS", "HITS", "MISSES", "UNDONE", "MODE", "PROCEDURE");
  for (const RehearsedProcedure& p : r.procedures)
    fmt::print("{:>8} {:>8} {:>8} {:>8}  {:<10} {}{}\n", p.runs, p.hits, p.misses, p.undone, p.mode, p.name,
               p.off ? fmt::format(" (switched itself off in {} processes)", p.off) : "");
  fmt::print("\n{} calls recorded, {} entries with the procedures: {:.2f} times fewer\n", r.calls, r.entries,
             r.factor());
  if (r.ahead)
    fmt::print("{} calls made ahead, {} of them never asked for ({:.1f} %)\n", r.ahead, r.ahead - r.used,
               100 * r.unused_share());
  for (const auto& [reason, processes] : r.off) fmt::print("{} processes plain: {}\n", processes, reason);
  if (r.wrong) fmt::print("{} answers differ from the recording: {}\n", r.wrong, r.wrong_why);
}

}  // namespace

int cmd_replay(const Words& words) {
  CLI::App app{"Count the entries that recordings would have taken with procedures.", "sysvm replay"};
  std::vector<std::string> files;
  std::string procedures;
  RehearsalOptions options;
  bool json = false;
  app.add_option("FILE", files, "trace files of sysvm record")->required();
  app.add_option("-P,--procedures", procedures, "procedure file of sysvm compile")->required();
  app.add_option("--age", options.age_ms, "how long a result that was fetched ahead may wait, in ms")
      ->capture_default_str();
  app.add_flag("--strict", options.strict, "no late close");
  app.add_flag("--json", json, "print JSON");
  if (const int status = parse_words(app, words); status >= 0) return status;

  const Result<std::vector<uint8_t>> svp = read_whole_file(procedures, SVP_FILE_MAX);
  if (!svp) {
    spdlog::error("{}", svp.message());
    return kExitUsage;
  }
  const Result<TraceFiles> traces = TraceFiles::read(files);
  if (!traces) {
    spdlog::error("{}", traces.message());
    return kExitUsage;
  }
  Objects objects;
  options.unseen = [&](const std::string& path, const std::string& build_id) {
    return objects.unseen(path, build_id);
  };
  const Result<Rehearsal> result = rehearse(*svp, traces->pointers(), options);
  if (!result) {
    spdlog::error("{}: {}", procedures, result.message());
    return kExitUsage;
  }
  if (json)
    fmt::print("{}\n", to_json(*result).dump(2));
  else
    print(*result);
  return 0;
}

}  // namespace sysvm
