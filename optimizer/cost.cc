// SPDX-License-Identifier: MIT
#include "optimizer/cost.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "optimizer/rehearsal.h"
#include "optimizer/svp_reader.h"
#include "uapi/syscalls.h"

namespace sysvm {

double CostModel::inner_ns(uint32_t nr) const {
  if (const auto measured = work_ns.find(nr); measured != work_ns.end()) return measured->second;
  switch (nr) {
    case SYSVM_NR_openat:
    case SYSVM_NR_open:
      return 1290;
    case SYSVM_NR_close:
      return 520;
    case SYSVM_NR_fstat:
      return 250;
    case SYSVM_NR_newfstatat:
      return 300;
    case SYSVM_NR_read:
      return 370;
    case SYSVM_NR_pread64:
      return 350;
    case SYSVM_NR_lseek:
      return 55;
    case SYSVM_NR_fcntl:
    case SYSVM_NR_ioctl:
      return 60;
    case SYSVM_NR_fadvise64:
      return 90;
    case SYSVM_NR_getdents64:
      return 2500;  // about ten entries
    case SYSVM_NR_statx:
      return 850;
    default:
      return 600;
  }
}

double CostModel::saved_ns(const Rehearsal& r) const {
  const double entries = static_cast<double>(r.calls) - static_cast<double>(r.entries);
  double wasted = 0;  // the work of what nobody asked for, as of the average call made ahead
  for (const auto& [nr, n] : r.ahead_by_nr) wasted += static_cast<double>(n) * inner_ns(nr) * r.unused_share();
  return entries * crossing_ns - static_cast<double>(r.answered) * serve_ns -
         static_cast<double>(r.forwarded) * watch_ns -
         static_cast<double>(r.runs) * (run_ns + insns_per_run * insn_ns) -
         static_cast<double>(r.ahead) * (inner_extra_ns + insns_per_call * insn_ns) - wasted;
}

std::string costs_file() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (cache && *cache == '/') return std::string(cache) + "/sysvm/costs.json";
  return home && *home ? std::string(home) + "/.cache/sysvm/costs.json" : "";
}

Result<CostModel> costs_from_json(std::string_view text) {
  const nlohmann::json j = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!j.is_object() || !j.contains("crossing_ns") || !j["crossing_ns"].is_number())
    return error("not what 'sysvm bench --save' writes: crossing_ns is missing");
  CostModel cost;
  const auto take = [&](double& to, std::initializer_list<const char*> names, double minus = 0) {
    for (const char* name : names)
      if (const auto at = j.find(name); at != j.end() && at->is_number() && std::isfinite(at->get<double>())) {
        to = std::max(0.0, at->get<double>() - minus);
        return;
      }
  };
  double inline_ns = 0;
  take(cost.crossing_ns, {"crossing_ns"});
  take(inline_ns, {"crossing_inline_ns", "crossing_ns"});
  take(cost.serve_ns, {"shim_hit_ns"});
  take(cost.copy_4k_ns, {"copy_4k_ns"});
  take(cost.watch_ns, {"shim_watched_ns"});
  take(cost.insn_ns, {"kernel_insn_ns", "user_insn_ns"});
  take(cost.run_ns, {"user_run_ns"});
  take(cost.run_ns, {"kernel_run_ns"}, inline_ns);  // that is with its entry
  take(cost.inner_extra_ns, {"kernel_call_ns", "user_call_ns"});
  const std::pair<uint32_t, const char*> work[] = {{SYSVM_NR_fstat, "fstat_inline_ns"},
                                                   {SYSVM_NR_close, "close_ns"},
                                                   {SYSVM_NR_pread64, "read_4k_ns"},
                                                   {SYSVM_NR_read, "read_4k_ns"}};
  for (const auto& [nr, name] : work) {
    double whole = -1;
    take(whole, {name});
    if (whole >= 0) cost.work_ns[nr] = std::max(0.0, whole - inline_ns);
  }
  cost.undo_ns = cost.crossing_ns + cost.inner_ns(SYSVM_NR_lseek);
  cost.source = "measured";
  return cost;
}

Result<CostModel> read_costs(const std::string& path) {
  const std::vector<uint8_t> bytes = TRY(read_whole_file(path, 1 << 20));
  Result<CostModel> cost = costs_from_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!cost) return error("{}: {}", path, cost.message());
  cost->source = path;
  return cost;
}

CostModel costs_here() {
  const std::string path = costs_file();
  if (path.empty() || access(path.c_str(), R_OK) != 0) return {};
  const Result<CostModel> cost = read_costs(path);
  return cost ? *cost : CostModel{};
}

std::string time_text(double ns) {
  const double a = std::fabs(ns);
  if (a < 1e3) return fmt::format("{:.0f} ns", ns);
  if (a < 1e6) return fmt::format("{:.3g} us", ns / 1e3);
  if (a < 1e9) return fmt::format("{:.3g} ms", ns / 1e6);
  return fmt::format("{:.3g} s", ns / 1e9);
}

bool nothing_to_gain(double saved_ns, uint64_t wall) {
  return saved_ns <= 0 || saved_ns < 0.01 * static_cast<double>(wall);
}

std::string verdict_text(double saved_ns, double spread_ns, uint64_t wall) {
  const double share = wall ? 100 * saved_ns / static_cast<double>(wall) : 0;
  const std::string figure = fmt::format("{} ({} to {})", time_text(saved_ns), time_text(saved_ns - spread_ns),
                                         time_text(saved_ns + spread_ns));
  if (nothing_to_gain(saved_ns, wall))
    return fmt::format("nothing to gain: expected to save {}, {:.2f} % of {} wall time", figure, share,
                       time_text(static_cast<double>(wall)));
  return wall ? fmt::format("expected to save {}, {:.1f} % of {} wall time", figure, share,
                            time_text(static_cast<double>(wall)))
              : fmt::format("expected to save {}", figure);
}

}  // namespace sysvm
