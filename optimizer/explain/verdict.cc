// SPDX-License-Identifier: MIT
#include "optimizer/explain/verdict.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "common/numbers.h"
#include "optimizer/base/calls.h"
#include "optimizer/prove/example.h"

namespace sysvm {
namespace {

constexpr double kWorthSaying = 0.01;  // of the wall time
constexpr double kStandsOut = 0.1;     // of the calls: a reason
constexpr size_t kReasons = 3, kPrograms = 8;

std::string percent(double part, double whole) {
  return fmt::format("{:.1f} %", whole > 0 ? 100 * part / whole : 0);
}

Prediction predicted(double saved_ns, double spread_ns, uint64_t wall_ns) {
  Prediction p{saved_ns, saved_ns - spread_ns, saved_ns + spread_ns, Worth::kNothing};
  if (std::fabs(saved_ns) < kWorthSaying * static_cast<double>(wall_ns)) return p;
  if (p.low_ns > 0) p.worth = Worth::kFaster;
  if (p.high_ns < 0) p.worth = Worth::kSlower;
  return p;
}

const char* reason_text(const std::string& reason) {
#define SHIM_REASON(number, NAME, name, text, does) \
  if (reason == name) return does;
#include "libsysvm/shim/base/reasons.inc"
  return "make plain calls for another reason";
}

// Processes that gain nothing, and calls that must be made when they are made.
std::vector<std::string> reasons(const Replay& r) {
  std::vector<std::pair<uint64_t, std::string>> found;
  const auto calls = static_cast<double>(r.calls);
  for (const auto& [reason, off] : r.off) {
    if (static_cast<double>(off.calls) < kStandsOut * calls) continue;
    std::string names;
    for (const std::string& name : off.of) names += (names.empty() ? "" : ", ") + printable(name);
    found.emplace_back(
        off.calls, fmt::format("{} of {} processes ({} of the calls) {}: {}", off.processes, r.processes,
                               percent(static_cast<double>(off.calls), calls), reason_text(reason), names));
  }
  for (const auto& [nr, n] : r.left_by_nr) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
    const bool pure = row && row->effect == SYSVM_EFFECT_PURE;
    if (static_cast<double>(n) < kStandsOut * calls) continue;
    found.emplace_back(
        n, fmt::format("{} of {} calls are {}: {}", n, r.calls, call_name(nr),
                       pure          ? "what comes next is not known early enough, or too few come in a row"
                       : is_open(nr) ? "an open is never made ahead"
                                     : "it does something, so it is made when the program makes it"));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> out;
  for (size_t i = 0; i < std::min(found.size(), kReasons); ++i) out.push_back(std::move(found[i].second));
  return out;
}

const char* word(Worth worth) {
  return worth == Worth::kFaster ? "faster" : worth == Worth::kSlower ? "slower" : "nothing to gain";
}

struct Program {
  const std::string* path;
  const ReplayCounts* counts;
};

std::vector<Program> by_calls(const Replay& r) {
  std::vector<Program> out;
  for (const auto& [path, counts] : r.programs) out.push_back({&path, &counts});
  std::stable_sort(out.begin(), out.end(),
                   [](const Program& a, const Program& b) { return a.counts->calls > b.counts->calls; });
  return out;
}

nlohmann::json to_json(const Prediction& p, uint64_t wall_ns) {
  return {{"verdict", word(p.worth)},
          {"saved_ns", p.saved_ns},
          {"saved_low_ns", p.low_ns},
          {"saved_high_ns", p.high_ns},
          {"share", wall_ns ? p.saved_ns / static_cast<double>(wall_ns) : 0}};
}

}  // namespace

EngineHere engine_here() {
  const int fd = open("/dev/sysvm", O_RDWR | O_CLOEXEC);
  if (fd < 0) return {false, fmt::format("/dev/sysvm: {}", std::strerror(errno))};
  close(fd);
  return {true, ""};
}

Verdict judge(const Replay& r, const CostModel& cost, double spread_ns, uint64_t wall_ns, EngineHere here) {
  Verdict v;
  v.here = std::move(here);
  v.wall_ns = wall_ns;
  v.start_ns = r.calls ? cost.launch_ns + static_cast<double>(r.shimmed) * cost.start_ns : 0;
  const auto with = [&](double saved) {
    return predicted(saved - v.start_ns,
                     std::hypot(spread_ns, cost.uncertain * saved, cost.uncertain * v.start_ns), wall_ns);
  };
  v.kernel = with(saved_ns(cost, r));
  v.user = with(user_saved_ns(cost, r));
  if (v.kernel.worth != Worth::kFaster) v.why = reasons(r);
  return v;
}

std::string prediction_text(const Prediction& p, uint64_t wall_ns) {
  const double more = p.saved_ns < 0 ? -1 : 1;
  std::string out = fmt::format("{}: about {} ", word(p.worth), time_text(more * p.saved_ns));
  out += fmt::format("({} to {}", time_text(more > 0 ? p.low_ns : -p.high_ns),
                     time_text(more > 0 ? p.high_ns : -p.low_ns));
  if (wall_ns) out += fmt::format("; {}", percent(more * p.saved_ns, static_cast<double>(wall_ns)));
  out += more > 0 ? ") less" : ") more";
  return wall_ns ? out + fmt::format(" than {} plain", time_text(static_cast<double>(wall_ns))) : out;
}

std::string verdict_block(const Verdict& v, const Replay& r, const CostModel& cost) {
  std::string out;
  const auto line = [&](const char* name, const std::string& text) {
    out += fmt::format("  {:<16} {}\n", name, text);
  };
  const bool never = v.now().worth == Worth::kSlower && v.kernel.worth != Worth::kFaster;
  out += fmt::format("{}{}\n", never ? "nothing to gain; " : "", prediction_text(v.now(), v.wall_ns));
  line("engine",
       v.here.kernel
           ? "kernel: the module is loaded here"
           : fmt::format("user: the module is not here ({}); each call made ahead is an entry of its own",
                         v.here.why));
  if (!v.here.kernel) line("with the module", prediction_text(v.kernel, v.wall_ns));
  line("cold caches", "the same time saved in a longer run: what the disk adds is not in the recording");
  line("start",
       fmt::format("{} of it for starting the shim in {} processes", time_text(v.start_ns), r.shimmed));
  if (r.too_old * 100 > r.runs)
    line("too old", fmt::format("in {} of {} runs what was fetched ahead waits longer than an answer may (10 "
                                "ms; 'sysvm run --age' allows more) and is dropped",
                                r.too_old, r.runs));
  line("costs", fmt::format("an entry {:.0f} ns ({})", cost.crossing_ns, cost.source_and_age()));
  for (const std::string& why : v.why) line("why", why);
  if (r.programs.size() < 2) return out;
  out += fmt::format("\n{:>8} {:>10} {:>10} {:>10}  {}\n", "RUNS", "CALLS", "ENTRIES", "SAVES",
                     "PROGRAM (with the module, without its start)");
  const std::vector<Program> programs = by_calls(r);
  ReplayCounts rest;
  for (size_t i = 0; i < programs.size(); ++i) {
    const ReplayCounts& c = *programs[i].counts;
    if (i >= kPrograms) rest.add(c);
    if (i < kPrograms)
      out += fmt::format("{:>8} {:>10} {:>10} {:>10}  {}\n", c.processes, c.calls, c.entries,
                         time_text(saved_ns(cost, c)), printable(*programs[i].path));
  }
  if (programs.size() > kPrograms)
    out += fmt::format("{:>8} {:>10} {:>10} {:>10}  {} others\n", rest.processes, rest.calls, rest.entries,
                       time_text(saved_ns(cost, rest)), programs.size() - kPrograms);
  return out + fmt::format("{:>8} {:>10} {:>10} {:>10}  all\n", r.processes, r.calls, r.entries,
                           time_text(saved_ns(cost, r)));
}

nlohmann::json to_json(const Verdict& v, const Replay& r, const CostModel& cost) {
  nlohmann::json programs = nlohmann::json::array();
  for (const Program& p : by_calls(r))
    programs.push_back({{"program", *p.path},
                        {"processes", p.counts->processes},
                        {"calls", p.counts->calls},
                        {"entries", p.counts->entries},
                        {"saved_ns", saved_ns(cost, *p.counts)}});
  return {{"engine", v.here.kernel ? "kernel" : "user"},
          {"verdict", word(v.now().worth)},
          {"user", to_json(v.user, v.wall_ns)},
          {"kernel", to_json(v.kernel, v.wall_ns)},
          {"start_ns", v.start_ns},
          {"why", v.why},
          {"programs", programs}};
}

}  // namespace sysvm
