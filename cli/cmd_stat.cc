// SPDX-License-Identifier: MIT
// sysvm stat: how often a command enters the kernel, by call. Counted in the kernel; no file, nothing
// shipped. The table goes to standard error, for standard output is the command's; --output names a file for
// it. Tested by tests/tracer/cli_test.py.
#include <spdlog/spdlog.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/args.h"
#include "cli/options.h"
#include "tracer/counter.h"

namespace sysvm {

namespace {

std::string table(const EntryCounts& c) {
  std::string out = fmt::format("{:>12} {:>6}  {}\n", "entries", "%", "call");
  for (const CallCount& call : c.calls)
    out += fmt::format("{:>12} {:>6.2f}  {}\n", call.entries,
                       100.0 * static_cast<double>(call.entries) / static_cast<double>(c.entries), call.name);
  out += fmt::format("{:>12} {:>6}  in {} thread{}, {:.3f} s ({})\n", c.entries, "", c.tasks,
                     c.tasks == 1 ? "" : "s", static_cast<double>(c.wall_ns) / 1e9, c.backend);
  return out;
}

std::string json(const EntryCounts& c, const Words& command) {
  nlohmann::ordered_json j;
  j["schema"] = 1;
  j["command"] = command;
  j["backend"] = c.backend;
  j["entries"] = c.entries;
  j["threads"] = c.tasks;
  j["left_running"] = c.left_running;
  j["lost"] = c.lost;
  j["wall_ns"] = c.wall_ns;
  j["wait_status"] = c.wait_status;
  j["calls"] = nlohmann::ordered_json::array();
  for (const CallCount& call : c.calls)
    j["calls"].push_back({{"name", call.name}, {"entries", call.entries}});
  return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

int cmd_stat(const Words& words) {
  const SplitArgs args = split_args(words, {"-o", "--output", "-u", "--user", "--backend"});
  CountOptions options;
  std::string backend = "auto", user, output;
  bool as_json = false;
  Options opts(
      "stat", "usage: sysvm stat [options] [--] CMD...",
      "Count how often a command enters the kernel, by system call.\n\n  sysvm stat -- du -s /usr/share\n");
  opts.flag("--json", as_json, "one JSON object instead of a table");
  opts.option("-o,--output", output, "write there instead of to standard error");
  opts.option("-u,--user", user, "run CMD as this user");
  opts.option("--backend", backend, "auto, bpf or ptrace", {"auto", "bpf", "ptrace"});
  if (auto code = opts.parse(args.own)) return *code;
  auto usage = [&](const std::string& what) { return opts.usage_error(what); };
  if (args.command.empty()) return usage("expected a command");
  options.command.argv = args.command;
  options.backend = backend == "bpf"      ? Backend::kBpf
                    : backend == "ptrace" ? Backend::kPtrace
                                          : Backend::kAuto;
  if (!user.empty()) {
    auto identity = find_user(user);
    if (!identity) return usage("-u: " + identity.message());
    options.command.user = *identity;
  }
  FILE* out = output.empty() ? stderr : fopen(output.c_str(), "we");
  if (!out) {
    spdlog::error("stat: {}: {}", output, strerror(errno));
    return kExitToolFailed;
  }
  int exit_code = kExitToolFailed;
  auto counts = count_entries(options, exit_code);
  if (!counts) {
    spdlog::error("stat: {}", counts.message());
    return exit_code;
  }
  if (!counts->note.empty())
    spdlog::warn("stat: the ptrace backend was used, which is slow. {}", counts->note);
  if (counts->lost)
    spdlog::warn("stat: {} threads could not be followed; the counts are too low", counts->lost);
  fmt::print(out, "{}", as_json ? json(*counts, args.command) : table(*counts));
  if (out != stderr && fclose(out) != 0) {
    spdlog::error("stat: {}: {}", output, strerror(errno));
    return kExitToolFailed;
  }
  return exit_like(counts->wait_status);
}

}  // namespace sysvm
