// SPDX-License-Identifier: MIT
#include "optimizer/notes.h"

#include <nlohmann/json.hpp>
#include <set>

namespace sysvm {
namespace {

constexpr size_t kObjectsMax = 512;  // files that a recording is said to have executed

// The files that the recorded processes executed code of: `sysvm run` analyses them before the program
// starts.
nlohmann::json objects_of(const std::vector<const PackedTrace*>& traces, const CompileOptions& options) {
  std::set<std::string> paths;
  if (options.examples)  // they are path names of the recording
    for (const PackedTrace* trace : traces)
      for (const Mapping& m : trace->mappings)
        if (m.path.starts_with('/') && paths.size() < kObjectsMax) paths.insert(m.path);
  return paths;
}

// The programs that the procedures are bound to, by build-id.
nlohmann::json programs_of(const Compiled& c, const std::vector<const PackedTrace*>& traces,
                           const CompileOptions& options) {
  nlohmann::json out = nlohmann::json::object();
  if (!options.examples) return out;
  std::set<std::string> bound;
  for (const Procedure& p : c.file.procs) bound.insert(p.exe);
  for (const PackedTrace* trace : traces)
    for (const Process& p : trace->processes)
      if (!p.build_id.empty() && !p.exe.empty() && bound.contains(p.build_id)) out[p.build_id] = p.exe;
  return out;
}

}  // namespace

std::string notes_of(const Compiled& c, const std::vector<const PackedTrace*>& traces,
                     const CompileOptions& options) {
  nlohmann::json procedures = nlohmann::json::array(), dropped = nlohmann::json::array();
  for (const EmittedInfo& e : c.emitted) {
    procedures.push_back({{"name", e.name},
                          {"mode", e.mode},
                          {"seen", e.seen},
                          {"hits", e.hits},
                          {"misses", e.misses},
                          {"undone", e.undone},
                          {"saved_ns", static_cast<int64_t>(e.saved_ns)},
                          {"saved_low_ns", static_cast<int64_t>(e.saved_low_ns)},
                          {"saved_high_ns", static_cast<int64_t>(e.saved_high_ns)},
                          {"break_even_ns", e.break_even_ns},
                          {"made", e.made},
                          {"unused", e.unused},
                          {"stop", e.stop}});
    if (options.examples) procedures.back()["example"] = to_json(e.example);
  }
  for (const DroppedInfo& d : c.dropped)
    dropped.push_back({{"trigger", d.trigger}, {"seen", d.seen}, {"reason", d.reason}});
  const nlohmann::json notes = {{"schema", 1},
                                {"calls", c.calls},
                                {"predicted_entries", c.predicted_entries},
                                {"min_count", options.min_count},
                                {"strict", options.strict},
                                {"costs",
                                 {{"source", options.cost.source},
                                  {"crossing_ns", options.cost.crossing_ns},
                                  {"serve_ns", options.cost.serve_ns},
                                  {"watch_ns", options.cost.watch_ns},
                                  {"copy_4k_ns", options.cost.copy_4k_ns},
                                  {"insn_ns", options.cost.insn_ns},
                                  {"run_ns", options.cost.run_ns},
                                  {"inner_extra_ns", options.cost.inner_extra_ns},
                                  {"undo_ns", options.cost.undo_ns}}},
                                {"procedures", procedures},
                                {"objects", objects_of(traces, options)},
                                {"programs", programs_of(c, traces, options)},
                                {"dropped", dropped}};
  // A name in the recording may be any bytes; JSON may not.
  return notes.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sysvm
