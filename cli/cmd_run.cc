// SPDX-License-Identifier: MIT
// sysvm run: runs a command under the shim and hands its exit status on.
//
// Standard output and error belong to the command. What we have to say goes to standard error only if something is
// wrong, or if --verbose asks for it.
// Tested by tests/shim/entry/run.py.
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/args.h"
#include "cli/commands.h"
#include "libsysvm/run/run.h"
#include "optimizer/svp_reader.h"
#include "optimizer/svp_text.h"

namespace sysvm {
namespace {

constexpr int kSchema = 1;

constexpr std::string_view kHelp =
    "usage: sysvm run [options] [--] CMD...\n\n"
    "Runs CMD with the procedures of a file: fewer kernel entries, the same behaviour. Without -P every call is\n"
    "forwarded, which saves nothing and shows what the shim sees.\n\n"
    "  -P, --procedures FILE   procedures made by 'sysvm compile'\n"
    "  --engine NAME           auto (the module where /dev/sysvm can be used, else user), kernel, user\n"
    "  --strict                no late close\n"
    "  --relaxed=age           what was fetched ahead survives other calls that only look\n"
    "  --age MS                how long a result that was fetched ahead may wait; 10 unless told\n"
    "  --allow-seccomp         also under a seccomp filter: it may see calls that CMD has not made itself\n"
    "  --symbols               interpose by symbol instead of patching the C library: counts calls, answers none\n"
    "  --stats FILE            write counters there, as JSON\n"
    "  --json                  counters as one line of JSON on standard error\n"
    "  -v, --verbose           say on standard error what was used, and why a process went plain\n"
    "  -h, --help              this text\n\n"
    "SYSVM_DISABLE=1 in the environment runs CMD plainly. Exit status: that of CMD (by the same signal if one killed\n"
    "it), 2 usage or procedure file, 125 sysvm failed, 126 CMD cannot be executed, 127 CMD not found.\n";

struct Options {
  ShimOptions shim;
  std::string stats;
  bool json = false, verbose = false, help = false;
  Words command;
};

Result<uint32_t> parse_age(const std::string& text) {
  char* end;
  const unsigned long value = std::strtoul(text.c_str(), &end, 10);
  if (text.empty() || *end || text[0] == '-' || value > 60000)
    return error("--age: '{}' is not a number of milliseconds from 0 to 60000", text);
  return static_cast<uint32_t>(value);
}

Result<Options> parse(const Words& words) {
  const SplitArgs split = split_args(words, {"-P", "--procedures", "--engine", "--age", "--stats", "--relaxed"});
  Options out;
  out.command = split.command;
  for (size_t i = 0; i < split.own.size(); ++i) {
    std::string name = split.own[i], value;
    bool has_value = false;
    if (const size_t equals = name.find('='); name.rfind("--", 0) == 0 && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
      has_value = true;
    }
    const auto take = [&]() -> Result<std::string> {
      if (has_value) return value;
      if (i + 1 >= split.own.size()) return error("{} needs a value", name);
      return split.own[++i];
    };
    if (name == "-h" || name == "--help") out.help = true;
    else if (name == "-P" || name == "--procedures") out.shim.procedures = TRY(take());
    else if (name == "--strict") out.shim.strict = true;
    else if (name == "--allow-seccomp") out.shim.allow_seccomp = true;
    else if (name == "--symbols") out.shim.symbols = true;
    else if (name == "--json") out.json = true;
    else if (name == "-v" || name == "--verbose") out.verbose = true;
    else if (name == "--stats") out.stats = TRY(take());
    else if (name == "--age") out.shim.age_ms = TRY(parse_age(TRY(take())));
    else if (name == "--engine") {
      const std::string engine = TRY(take());
      if (engine == "auto") out.shim.engine = SYSVM_ENGINE_AUTO;
      else if (engine == "user") out.shim.engine = SYSVM_ENGINE_USER;
      else if (engine == "kernel") out.shim.engine = SYSVM_ENGINE_KERNEL;
      else return error("--engine: '{}' is none of auto, kernel, user", engine);
    } else if (name == "--relaxed") {
      const std::string list = TRY(take());
      if (list != "age") return error("--relaxed: '{}' is not offered; expected age", list);
      out.shim.relaxed_age = true;
    } else {
      return error("unknown option '{}'; 'sysvm run --help' lists them", split.own[i]);
    }
  }
  if (out.command.empty() && !out.help) return error("no command; usage: sysvm run [options] [--] CMD...");
  return out;
}

std::string_view engine_name(enum ::sysvm_engine engine) {
  return engine == SYSVM_ENGINE_USER ? "user" : engine == SYSVM_ENGINE_KERNEL ? "kernel" : "auto";
}

int exit_status(const ExitStatus& status) {
  return WIFEXITED(status.wait_status) ? WEXITSTATUS(status.wait_status) : 128 + WTERMSIG(status.wait_status);
}

nlohmann::ordered_json report(const Options& o, const ExitStatus& status, const ShimStats& stats,
                              const std::string& plain) {
  const shim_stats& s = stats.raw;
  nlohmann::ordered_json out{{"schema", kSchema},
                             {"command", o.command},
                             {"engine", engine_name(o.shim.engine)},
                             {"exit_status", exit_status(status)},
                             {"wall_ms", status.wall_ms},
                             {"plain", plain.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(plain)},
                             {"processes", s.processes},
                             {"seen", s.seen},
                             {"forwarded", s.forwarded},
                             {"answered", s.answered},
                             {"runs", s.runs},
                             {"inner", s.inner},
                             {"own", s.own},
                             {"off", nlohmann::ordered_json::object()},
                             {"procedures", nlohmann::ordered_json::array()},
                             {"unknown_objects", stats.unknown}};
  for (unsigned i = 1; i < std::size(s.off); ++i)
    if (s.off[i]) out["off"][shim_reason_name(i)] = s.off[i];
  // Names are alike where triggers differ; 'compile --profile' must not take one for the other.
  const Result<ProcedureFile> file = o.shim.procedures.empty() ? Result<ProcedureFile>(ProcedureFile{})
                                                               : read_svp_file(o.shim.procedures);
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

void explain(const ShimStats& stats) {
  const shim_stats& s = stats.raw;
  spdlog::info("{} processes, {} calls seen, {} forwarded, {} answered, {} runs", s.processes, s.seen, s.forwarded,
               s.answered, s.runs);
  for (unsigned i = 1; i < std::size(s.off); ++i)
    if (s.off[i]) spdlog::info("{} of them plain: {}", s.off[i], shim_reason_text(i));
  for (const std::string& path : stats.unknown) spdlog::info("{}: was not known; it is from now on", path);
}

// Ends as the command did: a shell that waits for us sees the same signal.
int end_like(const ExitStatus& status) {
  if (WIFSIGNALED(status.wait_status)) {
    const struct rlimit none = {0, 0};  // One core file is enough.
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(status.wait_status), SIG_DFL);
    raise(WTERMSIG(status.wait_status));
  }
  return exit_status(status);
}

}  // namespace

int cmd_run(const Words& words) {
  const auto options = parse(words);
  if (!options) {
    spdlog::error("run: {}", options.message());
    return kExitUsage;
  }
  const Options& o = *options;
  if (o.help) {
    fmt::print("{}", kHelp);
    return 0;
  }
  const auto found = find_command(o.command[0]);
  if (const auto* problem = std::get_if<CommandError>(&found)) {
    spdlog::error("{}", problem->message);
    return problem->exit_code;
  }
  const FoundCommand& command = std::get<FoundCommand>(found);
  if (const auto svp = check_procedures(o.shim.procedures); !svp) {
    spdlog::error("{}", svp.message());
    return kExitUsage;
  }
  const auto run = ShimRun::prepare(command, o.shim);
  if (!run) {
    spdlog::error("{}", run.message());
    return kExitToolFailed;
  }
  if (!command.plain.empty())
    spdlog::warn("{}: {}; it runs plainly (programs that it starts may not)", command.program, command.plain);
  if ((*run).by_symbols() && !o.shim.symbols)
    spdlog::warn("the C library of {} cannot be patched; calls are seen by symbol only, and all are forwarded", command.program);
  const auto status = run_command(command.path, o.command, (*run).environment());
  if (!status) {
    spdlog::error("{}", status.message());
    return kExitToolFailed;
  }
  if ((*status).exec_errno) {
    spdlog::error("{}: cannot be executed: {}", command.path, std::strerror((*status).exec_errno));
    return (*status).exec_errno == ENOENT ? kExitNotFound : kExitNotExecutable;
  }
  const auto stats = (*run).stats();
  if (!stats) {
    spdlog::error("{}", stats.message());
    return end_like(*status);
  }
  const auto json = report(o, *status, *stats, command.plain);
  if (!o.stats.empty()) {
    std::ofstream out(o.stats);
    out << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    if (!out.flush()) spdlog::error("{}: cannot be written: {}", o.stats, std::strerror(errno));
  }
  if (o.json) fmt::print(stderr, "{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  if (o.verbose) explain(*stats);
  return end_like(*status);
}

}  // namespace sysvm
