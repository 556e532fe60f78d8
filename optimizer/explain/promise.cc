// SPDX-License-Identifier: MIT
#include "optimizer/explain/promise.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "procedures/writer.h"

namespace sysvm {
namespace {

constexpr double kMost = 1e15;  // calls, nanoseconds: a file is not trusted

struct Field {
  const char* name;
  uint64_t ReplayCounts::*at;
};
constexpr Field kFields[] = {{"processes", &ReplayCounts::processes}, {"calls", &ReplayCounts::calls},
                             {"entries", &ReplayCounts::entries},     {"unseen", &ReplayCounts::unseen},
                             {"plain", &ReplayCounts::plain},         {"forwarded", &ReplayCounts::forwarded},
                             {"runs", &ReplayCounts::runs},           {"own", &ReplayCounts::own},
                             {"answered", &ReplayCounts::answered},   {"ahead", &ReplayCounts::ahead},
                             {"used", &ReplayCounts::used},           {"inner", &ReplayCounts::inner},
                             {"shimmed", &ReplayCounts::shimmed},     {"too_old", &ReplayCounts::too_old}};

// False: it is there, but is no number that makes sense.
bool number(const nlohmann::json& from, const char* name, double& to) {
  const auto at = from.find(name);
  if (at == from.end()) return true;
  if (!at->is_number()) return false;
  to = at->get<double>();
  return std::isfinite(to) && to >= 0 && to <= kMost;
}

nlohmann::json parsed(std::string_view notes) {
  return nlohmann::json::parse(notes.substr(0, notes.find('\0')), nullptr, /*allow_exceptions=*/false);
}

}  // namespace

Verdict Promise::judged(const CostModel& cost, EngineHere here) const {
  Replay all;
  static_cast<ReplayCounts&>(all) = counts;
  return judge(all, cost, spread_ns, wall_ns, std::move(here));
}

Result<std::vector<uint8_t>> note_promise(ProcedureFile& file, const Promise& promise) {
  nlohmann::json notes = parsed(file.notes);
  if (!notes.is_object()) return error("the notes of the procedure file are not JSON");
  nlohmann::json counts = nlohmann::json::object(), ahead = nlohmann::json::object();
  for (const Field& f : kFields) counts[f.name] = promise.counts.*f.at;
  for (const auto& [nr, n] : promise.counts.ahead_by_nr) ahead[std::to_string(nr)] = n;
  counts["ahead_by_nr"] = ahead;
  notes["promise"] = {{"counts", counts},
                      {"spread_ns", static_cast<int64_t>(promise.spread_ns)},
                      {"wall_ns", promise.wall_ns}};
  file.notes = notes.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return write_svp(file);
}

std::optional<Promise> promise_in(std::string_view notes) {
  const nlohmann::json all = parsed(notes);
  if (!all.is_object() || !all.contains("promise") || !all["promise"].is_object()) return std::nullopt;
  const nlohmann::json& from = all["promise"];
  if (!from.contains("counts") || !from["counts"].is_object()) return std::nullopt;
  Promise promise;
  double value = 0;
  for (const Field& f : kFields) {
    if (!number(from["counts"], f.name, value = 0)) return std::nullopt;
    promise.counts.*f.at = static_cast<uint64_t>(value);
  }
  if (const auto ahead = from["counts"].find("ahead_by_nr"); ahead != from["counts"].end()) {
    if (!ahead->is_object()) return std::nullopt;
    for (const auto& [nr, n] : ahead->items()) {
      if (!number(*ahead, nr.c_str(), value = 0)) return std::nullopt;
      promise.counts.ahead_by_nr[static_cast<uint32_t>(std::strtoul(nr.c_str(), nullptr, 10))] =
          static_cast<uint64_t>(value);
    }
  }
  if (!number(from, "spread_ns", promise.spread_ns) || !number(from, "wall_ns", value = 0))
    return std::nullopt;
  promise.wall_ns = static_cast<uint64_t>(value);
  return promise;
}

std::string why_plain(std::string_view notes, const CostModel& cost, EngineHere here) {
  const std::optional<Promise> promise = promise_in(notes);
  if (!promise) return "";
  const Verdict v = promise->judged(cost, std::move(here));
  const Prediction& now = v.now();
  if (now.worth == Worth::kFaster) return "";
  return fmt::format("the {} engine{} does not pay: {}; --engine {} uses it all the same",
                     v.here.kernel ? "kernel" : "user",
                     v.here.kernel ? "" : fmt::format(" (no module here: {})", v.here.why),
                     prediction_text(now, v.wall_ns), v.here.kernel ? "kernel" : "user");
}

}  // namespace sysvm
