// SPDX-License-Identifier: MIT
// sysvm bench: what system calls, the machine and the shim cost on this machine.
//
// Every figure stands beside the plain call of the same run. No figure is judged.
// Tested by tests/cli/bench_test.py.
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "bench/figures.h"
#include "cli/base/json.h"
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/base/terminal.h"
#include "cli/ticker.h"
#include "libsysvm/run/start.h"
#include "optimizer/base/cost.h"
#include "procedures/reader.h"

namespace sysvm {
namespace {

using bench::Figure;
using bench::Report;

constexpr int kSchema = 1;

// The order of the report, and what each figure is. A name that is measured and not listed here is an error
// of ours.
struct Line {
  std::string_view name, what;
};
constexpr Line kLines[] = {
    {"crossing", "getppid through the C library: a crossing and next to nothing else"},
    {"crossing_inline", "the same as one inline instruction"},
    {"fstat", "fstat"},
    {"fstat_inline", "the same as one inline instruction"},
    {"openat_close", "openat and close of a file of one component below the temporary directory"},
    {"close", "close of a regular file"},
    {"read_4k", "pread of 4096 bytes from the page cache"},
    {"read_at_end", "read at the end of a file"},
    {"copy_4k", "memcpy of 4096 bytes in the cache"},
    {"whole_file", "openat, fstat, read, read at end, close of 4096 bytes"},
    {"user_run", "an empty procedure, user engine"},
    {"user_insn", "one interpreted arithmetic instruction, user engine"},
    {"user_jump", "one interpreted jump backwards, taken, user engine"},
    {"user_call", "one fstat inside a run, beyond fstat_inline, user engine"},
    {"kernel_run", "an empty procedure, kernel engine: one crossing"},
    {"kernel_insn", "one interpreted arithmetic instruction, kernel engine"},
    {"kernel_jump", "one interpreted jump backwards, taken, kernel engine"},
    {"kernel_call", "one fstat inside a run, beyond fstat_inline, kernel engine (negative: cheaper)"},
    {"verify_insn", "the verifier, for one instruction"},
    {"verify_byte", "the verifier, for one byte of code"},
    {"shim_miss", "a call that the shim has nothing to say about, beyond the plain call"},
    {"shim_miss_threaded", "the same in a process with threads, beyond the plain call"},
    {"shim_watched", "an fstat that the shim checks and forwards, beyond the plain call"},
    {"shim_hit", "an fstat answered from the log"},
    {"shim_read_hit", "a pread of 64 bytes answered from the log"},
    {"shim_read_hit_4k", "a pread of 4096 bytes answered from the log"},
    {"shim_copy_4k", "the copy alone, from memory touched as seldom"},
    {"start", "the shim's start in one more process of a command, user engine"},
    {"launch", "what `sysvm run` takes beside that, once for a command"},
};

struct Here {
  std::string kernel, processor;
  long cores;
};

Here here() {
  utsname name{};
  uname(&name);
  Here out{fmt::format("{} {}", name.release, name.version), "unknown", sysconf(_SC_NPROCESSORS_ONLN)};
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.rfind("model name", 0) == 0) {
      out.processor = line.substr(std::min(line.size(), line.find(": ") + 2));
      break;
    }
  return out;
}

double spread(const Figure& f) { return f.min > 0 ? 100 * (f.median - f.min) / f.min : 0; }

void print_text(const Report& report, const Here& machine) {
  fmt::print("{}, {} cores, Linux {}\n\n", machine.processor, machine.cores, machine.kernel);
  fmt::print("{:>10} {:>10} {:>10}   ns, fastest, median and slowest repetition\n", "min", "median", "max");
  for (const Line& line : kLines) {
    const auto found = report.figures.find(std::string(line.name));
    if (found == report.figures.end()) continue;
    const Figure& f = found->second;
    const auto plain = report.figures.find(fmt::format("{}_plain", line.name));
    const std::string what =
        fmt::format("{}: {}{}", line.name, line.what,
                    plain == report.figures.end() ? "" : fmt::format("; plain: {:.1f}", plain->second.min));
    fmt::print("{:>10.1f} {:>10.1f} {:>10.1f}   {}\n", f.min, f.median, f.max,
               filled(what, terminal_width(), 35, 35));
  }
  if (!report.absent.empty()) fmt::print("\nnot measured here:\n");
  for (const auto& [name, why] : report.absent) fmt::print("  {}: {}\n", name, why);
}

std::string to_json(const Report& report, const Here& machine, bool quick) {
  nlohmann::ordered_json out;
  out["schema"] = kSchema;
  out["quick"] = quick;
  out["machine"] = {{"processor", machine.processor}, {"cores", machine.cores}, {"kernel", machine.kernel}};
  for (const Line& line : kLines) {
    const auto found = report.figures.find(std::string(line.name));
    const std::string key = fmt::format("{}_ns", line.name);
    if (found == report.figures.end())
      out[key] = nullptr;
    else
      out[key] = found->second.min;
  }
  auto& figures = out["figures"] = nlohmann::ordered_json::object();
  for (const auto& [name, f] : report.figures)
    figures[name] = {{"min", f.min},
                     {"median", f.median},
                     {"max", f.max},
                     {"spread_percent", spread(f)},
                     {"repetitions", f.repetitions}};
  out["absent"] = report.absent;
  return json_text(out);
}

// Beside and renamed, so that nobody reads half of it.
Result<> save(const std::string& text) {
  const std::string path = costs_file();
  if (path.empty()) return error("there is no home to keep costs in: HOME and XDG_CACHE_HOME are not set");
  std::error_code problem;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), problem);
  const std::string beside = path + ".new";
  TRY(write_whole_file(beside, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
  if (std::rename(beside.c_str(), path.c_str())) return error("{}: {}", path, std::strerror(errno));
  log_info("{}: kept", path);
  return Unit{};
}

}  // namespace

int cmd_bench(const Words& words) {
  bool json = false, keep = false;
  bench::Options options;
  Options opts(
      "bench", "usage: sysvm bench [--json] [--quick] [--save]",
      "Measure what system calls, the machine and the shim cost here, each beside the plain call of the same "
      "run. A figure is the minimum of its repetitions; the median and the largest stand beside it.\n\n"
      "  sysvm bench\n  sysvm bench --save\n",
      "What cannot be measured here is null in JSON, with the reason under absent.\n");
  opts.flag("--quick", options.quick, "a tenth of the time: whether it works, rather than a figure to quote");
  opts.flag("--save", keep, "keep the figures as this machine's costs, which mine, compile and replay use");
  opts.flag(
      "--json", json,
      "one object, schema 1: crossing_ns and so on, figures by name (min, median, max, repetitions), absent");
  if (const auto code = opts.parse(words)) return *code;
  options.loop = install_prefix() + "/libexec/sysvm/shim_loop";
  options.sysvm = install_prefix() + "/bin/sysvm";  // as users call it
  Report report;
  std::optional<Ticker> ticker("bench: calls and the machine");
  options.stage = [&](const std::string& figure) { ticker->stage("bench: the shim, " + figure); };
  bench::register_plain();
  bench::register_machine(report);
  bench::run_registered(options, report);
  bench::derive_machine(report);
  bench::measure_shim(options, report);
  ticker.reset();
  const std::string text = to_json(report, here(), options.quick);
  if (json)
    fmt::print("{}", text);
  else
    print_text(report, here());
  if (keep)
    if (const Result<> kept = save(text); !kept) return fail(kExitToolFailed, kept.error());
  return 0;
}

}  // namespace sysvm
