// SPDX-License-Identifier: MIT
// The parts of `sysvm run` that need more than the front program has (cli/front/run.cc), which starts this
// one for them:
//
//   run-prepare   analyses what the command would map and makes its start; on standard output
//   run-report    counters as JSON and words, after the command ended
//
// Neither is for users. Whatever happens here, the command runs.
// Tested by tests/run/wrapper_test.py and tests/shim/entry/run.py.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "cli/base/json.h"
#include "cli/base/messages.h"
#include "cli/commands.h"
#include "libsysvm/prefetch/shared.h"
#include "libsysvm/run/memory.h"
#include "libsysvm/run/prepare.h"
#include "libsysvm/run/run.h"
#include "optimizer/explain/promise.h"
#include "procedures/reader.h"
#include "procedures/text.h"

namespace sysvm {
namespace {

constexpr int kSchema = 1;

struct Options {  // of the run, as the front program has them
  enum ::sysvm_engine engine = SYSVM_ENGINE_AUTO;
  std::string procedures, plain, stats;
  bool json = false, verbose = false;
  Words command;
  double wall_ms = 0;
  int wait_status = 0;
};

std::string_view engine_name(enum ::sysvm_engine engine) {
  return engine == SYSVM_ENGINE_USER ? "user" : engine == SYSVM_ENGINE_KERNEL ? "kernel" : "auto";
}

int exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

std::optional<prefetch_stats> read_prefetch(int fd) {
  prefetch_stats s;
  if (fd < 0 || ::pread(fd, &s, sizeof s, 0) != sizeof s || s.magic != PREFETCH_MAGIC) return std::nullopt;
  return s;
}

const char* prefetch_end_name(uint64_t end) {
  switch (end) {
    case PREFETCH_ENDED: return "with the command";
    case PREFETCH_FAILED: return "could not begin";
    case PREFETCH_LIMITED: return "no room in the command's limits";
  }
  return "ended early";
}

nlohmann::ordered_json prefetch_report(const std::optional<prefetch_stats>& s) {
  if (!s) return nullptr;
  return {{"end", prefetch_end_name(s->ended)},
          {"samples", s->samples},
          {"waiting", s->waiting},
          {"walks", s->walks},
          {"directories", s->directories},
          {"entries", s->entries},
          {"files", s->files},
          {"bytes", s->bytes},
          {"listed", s->listed},
          {"lists", s->lists},
          {"list_used", s->list_used},
          {"strayed", s->strayed},
          {"changed", s->changed},
          {"used", std::min(s->used, s->entries)},
          {"wasted", s->entries - std::min(s->used, s->entries)},
          {"astray", s->astray},
          {"dropped", s->dropped},
          {"held", s->held},
          {"refused", s->refused},
          {"runs", s->requests},
          {"depth", s->depth},
          {"processor_ms", static_cast<double>(s->processor_ns) / 1e6}};
}

// What the procedure file promised of a run like the recorded one, beside this run.
struct Beside {
  uint64_t predicted_entries = 0, entries = 0;
  Prediction predicted;
  double recorded_ms = 0;  // plain
  double predicted_ms() const { return recorded_ms - predicted.saved_ns / 1e6; }
  double least_ms() const { return recorded_ms - predicted.high_ns / 1e6; }
  double most_ms() const { return recorded_ms - predicted.low_ns / 1e6; }
};

std::optional<Beside> beside(const Options& o, const shim_stats& s, const Result<ProcedureFile>& file) {
  const std::optional<Promise> promise = file ? promise_in(file->notes) : std::nullopt;
  if (!promise || !o.plain.empty()) return std::nullopt;
  EngineHere engine{o.engine == SYSVM_ENGINE_KERNEL, ""};
  if (o.engine == SYSVM_ENGINE_AUTO) engine = engine_here();
  const Verdict v = promise->judged(costs_here(), engine);
  // What the shim does not see it does not count either.
  const ReplayCounts& c = promise->counts;
  return Beside{c.entries - std::min(c.entries, c.unseen + c.plain), s.forwarded + s.runs + s.own, v.now(),
                static_cast<double>(v.wall_ns) / 1e6};
}

nlohmann::ordered_json to_json(const std::optional<Beside>& b) {
  if (!b) return nullptr;
  return {{"entries", b->predicted_entries}, {"entries_measured", b->entries},
          {"recorded_ms", b->recorded_ms},   {"wall_ms", b->predicted_ms()},
          {"wall_low_ms", b->least_ms()},    {"wall_high_ms", b->most_ms()}};
}

nlohmann::ordered_json report(const Options& o, const ShimStats& stats, const Result<ProcedureFile>& file,
                              const std::optional<prefetch_stats>& prefetch) {
  const shim_stats& s = stats.raw;
  nlohmann::ordered_json out{
      {"schema", kSchema},
      {"command", o.command},
      {"engine", engine_name(o.engine)},
      {"exit_status", exit_status(o.wait_status)},
      {"wall_ms", o.wall_ms},
      {"plain", o.plain.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(o.plain)},
      {"processes", s.processes},
      {"seen", s.seen},
      {"forwarded", s.forwarded},
      {"answered", s.answered},
      {"runs", s.runs},
      {"inner", s.inner},
      {"own", s.own},
      {"predicted", to_json(beside(o, s, file))},
      {"off", nlohmann::ordered_json::object()},
      {"procedures", nlohmann::ordered_json::array()},
      {"prefetch", prefetch_report(prefetch)},
      {"unknown_objects", stats.unknown},
      {"unseen_objects", nlohmann::ordered_json::array()}};
  for (const ShimStats::Unseen& u : stats.unseen)
    out["unseen_objects"].push_back({{"path", u.path}, {"why", u.why}});
  for (unsigned i = 1; i < std::size(s.off); ++i)
    if (s.off[i]) out["off"][shim_reason_name(i)] = s.off[i];
  for (const ProcedureStats& p : stats.procedures) {
    const size_t i = out["procedures"].size();
    out["procedures"].push_back({{"name", p.name},
                                 {"mode", p.mode},
                                 {"hits", p.hits},
                                 {"misses", p.misses},
                                 {"undone", p.undone},
                                 {"runs", p.runs},
                                 {"off", p.off}});
    if (!file || i >= file->procs.size() || file->procs[i].triggers.empty()) continue;
    out["procedures"].back()["exe"] = file->procs[i].exe;
    out["procedures"].back()["trigger"] = trigger_anywhere(file->procs[i].triggers[0]);
  }
  return out;
}

void explain(const Options& o, const ShimStats& stats, const Result<ProcedureFile>& file,
             const std::optional<prefetch_stats>& prefetch) {
  const shim_stats& s = stats.raw;
  if (!o.plain.empty()) log_info("run plainly: {}", o.plain);
  log_info("{} processes, {} calls seen, {} forwarded, {} answered, {} runs", s.processes, s.seen,
           s.forwarded, s.answered, s.runs);
  if (const auto b = beside(o, s, file)) {
    const auto n = static_cast<double>(b->entries), expected = static_cast<double>(b->predicted_entries);
    log_info("entries: {} predicted of a run like the recorded one, {} measured ({:+.1f} %)",
             b->predicted_entries, b->entries, expected > 0 ? 100 * (n / expected - 1) : 0);
    log_info("time: {:.1f} ms predicted ({:.1f} to {:.1f}), {:.1f} ms measured; recorded plainly: {:.1f} ms",
             b->predicted_ms(), b->least_ms(), b->most_ms(), o.wall_ms, b->recorded_ms);
  }
  for (unsigned i = 1; i < std::size(s.off); ++i)
    if (s.off[i]) log_info("{} of them plain: {}", s.off[i], shim_reason_text(i));
  if (prefetch && prefetch->directories + prefetch->listed)
    log_info("fetched ahead: {} directories, {} entries, {} files, {} MiB; {:.0f} ms of processor time",
             prefetch->directories, prefetch->entries, prefetch->files, prefetch->bytes >> 20,
             static_cast<double>(prefetch->processor_ns) / 1e6);
  if (prefetch && prefetch->ended != PREFETCH_ENDED)
    log_warning("prefetcher: {}", prefetch_end_name(prefetch->ended));
  for (const std::string& path : stats.unknown) log_info("{}: was not known; it is from now on", path);
  for (const ShimStats::Unseen& u : stats.unseen)
    log_info("{}: its processes run plainly: {}", u.path, u.why);
}

}  // namespace

int cmd_run(const Words& words) {
  const std::string front = install_prefix() + "/bin/sysvm";
  std::vector<char*> argv{const_cast<char*>("sysvm"), const_cast<char*>("run")};
  for (const std::string& w : words) argv.push_back(const_cast<char*>(w.c_str()));
  argv.push_back(nullptr);
  ::execv(front.c_str(), argv.data());
  log_error("{}: {}", front, std::strerror(errno));
  return kExitToolFailed;
}

// BUNDLE_FD ENGINE AGE FLAGS PROCEDURES PATH
int cmd_run_prepare(const Words& words) {
  if (words.size() != 6) return kExitUsage;
  ShimOptions options;
  const int bundle_fd = std::atoi(words[0].c_str());
  options.engine = static_cast<enum ::sysvm_engine>(std::atoi(words[1].c_str()));
  options.age_ms = static_cast<uint32_t>(std::atoi(words[2].c_str()));
  const int flags = std::atoi(words[3].c_str());
  options.strict = flags & 1;
  options.relaxed_age = flags & 2;
  options.allow_seccomp = flags & 4;
  options.symbols = flags & 8;
  options.procedures = words[4];
  const auto found = find_command(words[5]);
  if (const auto* problem = std::get_if<CommandError>(&found)) {
    fmt::print("{}\n", problem->message);
    return problem->exit_code;
  }
  std::string bundle;
  const Judge judge{[](std::string_view notes) { return why_plain(notes, costs_here(), engine_here()); },
                    costs_file()};
  const Start start = prepare_once(std::get<FoundCommand>(found), options,
                                   PrivateFolder::at_default_place("starts", true), &bundle, judge);
  if (!bundle.empty() && !write_all(bundle_fd, bundle)) {
    fmt::print("no memory for the bundle: {}\n", std::strerror(errno));
    return kExitToolFailed;
  }
  return write_all(STDOUT_FILENO, pack_start(start)) ? 0 : kExitToolFailed;
}

// STATS_FD WAIT_STATUS WALL_MS ENGINE PROCEDURES PLAIN STATS json|"" verbose|"" filter|"" PREFETCH_FD CMD...
int cmd_run_report(const Words& words) {
  if (words.size() < 12) return kExitUsage;
  Options o;
  o.wait_status = std::atoi(words[1].c_str());
  o.wall_ms = std::strtod(words[2].c_str(), nullptr);
  o.engine = static_cast<enum ::sysvm_engine>(std::atoi(words[3].c_str()));
  o.procedures = words[4];
  o.plain = words[5];
  o.stats = words[6];
  o.json = !words[7].empty();
  o.verbose = !words[8].empty();
  o.command.assign(words.begin() + 11, words.end());
  const std::optional<prefetch_stats> prefetch = read_prefetch(std::atoi(words[10].c_str()));
  const auto procedures = check_procedures(o.procedures);
  const auto stats =
      read_stats(std::atoi(words[0].c_str()), procedures ? *procedures : "", !words[9].empty());
  if (!stats) return fail(kExitToolFailed, stats.error());
  // Names are alike where triggers differ; 'compile --profile' must not take one for the other.
  const Result<ProcedureFile> file =
      o.procedures.empty() ? Result<ProcedureFile>(ProcedureFile{}) : read_svp_file(o.procedures);
  const auto json = report(o, *stats, file, prefetch);
  if (!o.stats.empty()) {
    std::ofstream out(o.stats);
    out << json_text(json);
    if (!out.flush()) log_error("{}: cannot be written: {}", o.stats, std::strerror(errno));
  }
  if (o.json) fmt::print(stderr, "{}", json_line(json));
  if (o.verbose) explain(o, *stats, file, prefetch);
  return 0;
}

}  // namespace sysvm
