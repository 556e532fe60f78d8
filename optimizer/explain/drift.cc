// SPDX-License-Identifier: MIT
#include "optimizer/explain/drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "optimizer/base/images.h"
#include "optimizer/explain/explain.h"

namespace sysvm {
namespace {

constexpr uint64_t kRuns = 16;      // fewer say nothing about what changed
constexpr double kMisses = 0.25;    // of the runs, beyond what was noted (compile --profile narrows there)
constexpr double kLessHits = 0.75;  // of what a run answered when it was compiled
constexpr size_t kLine = 200;

const char* text_of(DriftState state) {
  switch (state) {
    case DriftState::kFits: return "fits";
    case DriftState::kDiverges: return "diverges";
    case DriftState::kIdle: return "idle";
    case DriftState::kReplaced: return "replaced";
    case DriftState::kAbsent: return "absent";
  }
  return "";
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string time_of(uint64_t realtime_ns) {
  if (!realtime_ns) return "never";
  const auto seconds = static_cast<time_t>(realtime_ns / 1000000000);
  struct tm utc {};
  char out[32];
  if (!gmtime_r(&seconds, &utc) || !strftime(out, sizeof out, "%Y-%m-%d %H:%M", &utc)) return "?";
  return out;
}

// Processes of the recordings by what they ran.
struct Programs {
  explicit Programs(const std::vector<const PackedTrace*>& traces) {
    for (const PackedTrace* trace : traces) {
      const Images images(*trace);
      for (const Process& p : trace->processes) {
        const std::string& id = images.build_id(&p);
        ++processes[id];
        if (!p.exe.empty() && !id.empty()) builds[p.exe].insert(id);
        ++all;
      }
    }
  }
  std::map<std::string, uint64_t> processes;            // by build-id
  std::map<std::string, std::set<std::string>> builds;  // by path
  uint64_t all = 0;
};

double each(uint64_t n, uint64_t runs) {
  return runs ? static_cast<double>(n) / static_cast<double>(runs) : 0;
}

void judge(DriftedProcedure& d, const ExplainedProcedure& noted, const Programs& programs) {
  const ReplayedProcedure& c = d.counts;
  if (!d.processes) {
    const auto builds = programs.builds.find(noted.program);
    const bool there = !noted.program.empty() && builds != programs.builds.end();
    d.state = there ? DriftState::kReplaced : DriftState::kAbsent;
    d.why = there ? fmt::format("{} is another build by now: compile again", noted.program)
                  : "its program is not in the recordings";
    return;
  }
  const double misses = each(c.misses, c.runs);
  const double misses_noted = noted.misses > 0 ? each(static_cast<uint64_t>(noted.misses), noted.seen) : 0;
  // Answers and late closes have no runs of their own.
  const bool bets = c.runs || c.mode == "run_ahead" || c.mode == "fuse";
  if (!c.runs && !c.hits) {
    d.state = DriftState::kIdle;
    d.why = fmt::format("{} processes never came to its trigger", d.processes);
  } else if (c.off) {
    d.state = DriftState::kDiverges;
    d.why = fmt::format("it switched itself off in {} of {} processes", c.off, d.processes);
  } else if (bets && c.runs >= kRuns && misses > misses_noted + kMisses) {
    d.state = DriftState::kDiverges;
    d.why = fmt::format("{} of {} runs missed ({:.0f} % when it was compiled)", c.misses, c.runs,
                        100 * misses_noted);
  } else if (bets && c.runs >= kRuns && d.hits_noted > 0 && d.hits_of_run < kLessHits * d.hits_noted) {
    d.state = DriftState::kDiverges;
    d.why =
        fmt::format("a run answers {:.1f} calls, {:.1f} when it was compiled", d.hits_of_run, d.hits_noted);
  }
}

}  // namespace

std::vector<DriftedProcedure> drift_of(const ProcedureFile& file, const Replay& replayed,
                                       const std::vector<const PackedTrace*>& traces) {
  const Programs programs(traces);
  const std::vector<ExplainedProcedure> noted = explain(file);
  std::vector<DriftedProcedure> out;
  for (size_t i = 0; i < file.procs.size() && i < replayed.procedures.size(); ++i) {
    DriftedProcedure& d = out.emplace_back();
    const Procedure& proc = file.procs[i];
    d.name = proc.name;
    d.mode = replayed.procedures[i].mode;
    d.program = name_of(noted[i].program);
    d.counts = replayed.procedures[i];
    d.last_ns = d.counts.last_ns;
    const auto of = programs.processes.find(proc.exe);
    d.processes = proc.exe.empty() ? programs.all : of == programs.processes.end() ? 0 : of->second;
    d.hits_of_run = each(d.counts.hits, d.counts.runs);
    if (noted[i].hits >= 0 && noted[i].seen)
      d.hits_noted = each(static_cast<uint64_t>(noted[i].hits), noted[i].seen);
    judge(d, noted[i], programs);
  }
  const auto rank = [](const DriftedProcedure& d) {
    switch (d.state) {
      case DriftState::kDiverges: return 0;
      case DriftState::kReplaced: return 1;
      case DriftState::kIdle: return 2;
      case DriftState::kAbsent: return 3;
      case DriftState::kFits: return 4;
    }
    return 4;
  };
  std::stable_sort(out.begin(), out.end(),
                   [&](const DriftedProcedure& a, const DriftedProcedure& b) { return rank(a) < rank(b); });
  return out;
}

std::string drift_text(const std::vector<DriftedProcedure>& all) {
  const auto drifted = std::count_if(all.begin(), all.end(), [](const DriftedProcedure& d) {
    return d.state != DriftState::kFits && d.state != DriftState::kAbsent;
  });
  std::string out =
      drifted ? fmt::format("{} of {} procedures no longer match what programs do\n", drifted, all.size())
              : fmt::format("none of {} procedures has drifted\n", all.size());
  out += fmt::format("\n{:<8} {:>8} {:>8} {:>8} {:>8} {:>9}  {:<16}  {}\n", "STATE", "RUNS", "HITS", "MISSES",
                     "UNDONE", "PROCESSES", "LAST SEEN (UTC)", "PROCEDURE");
  for (const DriftedProcedure& d : all) {
    const std::string program = d.program.empty() ? "" : printable(d.program) + ": ";
    out += fmt::format("{:<8} {:>8} {:>8} {:>8} {:>8} {:>9}  {:<16}  {}{}\n", text_of(d.state), d.counts.runs,
                       d.counts.hits, d.counts.misses, d.counts.undone, d.processes, time_of(d.last_ns),
                       program, printable(d.name, kLine));
    if (!d.why.empty()) out += fmt::format("{:<8} {}\n", "", printable(d.why, kLine));
  }
  return out;
}

nlohmann::json drift_json(const std::vector<DriftedProcedure>& all) {
  nlohmann::json out = nlohmann::json::array();
  for (const DriftedProcedure& d : all)
    out.push_back({{"name", d.name},
                   {"mode", d.mode},
                   {"program", d.program},
                   {"state", text_of(d.state)},
                   {"why", d.why},
                   {"processes", d.processes},
                   {"runs", d.counts.runs},
                   {"hits", d.counts.hits},
                   {"misses", d.counts.misses},
                   {"undone", d.counts.undone},
                   {"off", d.counts.off},
                   {"hits_of_run", d.hits_of_run},
                   {"hits_of_run_noted", d.hits_noted < 0 ? nlohmann::json() : nlohmann::json(d.hits_noted)},
                   {"last_seen_ns", d.last_ns ? nlohmann::json(d.last_ns) : nlohmann::json()}});
  return out;
}

}  // namespace sysvm
