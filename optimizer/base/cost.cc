// SPDX-License-Identifier: MIT
#include "optimizer/base/cost.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "common/read_file.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

constexpr double kMostNs = 1e5, kMostStartNs = 1e9,
                 kLeastCrossingNs = 10;  // of one operation; of starting a process; of an entry

}  // namespace

double CostModel::inner_ns(uint32_t nr) const {
  if (const auto measured = work_ns.find(nr); measured != work_ns.end()) return measured->second;
  switch (nr) {
    case SYSVM_NR_openat:
    case SYSVM_NR_open: return 1290;
    case SYSVM_NR_close: return 520;
    case SYSVM_NR_fstat: return 250;
    case SYSVM_NR_newfstatat: return 300;
    case SYSVM_NR_read: return 370;
    case SYSVM_NR_pread64: return 350;
    case SYSVM_NR_lseek: return 55;
    case SYSVM_NR_fcntl:
    case SYSVM_NR_ioctl: return 60;
    case SYSVM_NR_fadvise64: return 90;
    case SYSVM_NR_getdents64: return 2500;  // about ten entries
    case SYSVM_NR_statx: return 850;
    default: return 600;
  }
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
  std::string lie;
  const auto take = [&](double& to, std::initializer_list<const char*> names, double minus = 0,
                        double most = kMostNs) {
    for (const char* name : names)
      if (const auto at = j.find(name); at != j.end() && at->is_number()) {
        const double ns = at->get<double>();
        if (!std::isfinite(ns) || ns > most || ns < -kMostNs)
          lie = fmt::format("{} is {}: no machine has that (at most {:.0f} was expected)", name, ns, most);
        to = std::max(0.0, ns - minus);
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
  take(cost.user_insn_ns, {"user_insn_ns"});
  take(cost.user_run_ns, {"user_run_ns"});
  take(cost.user_call_ns, {"user_call_ns"});
  take(cost.start_ns, {"start_ns"}, 0, kMostStartNs);
  take(cost.launch_ns, {"launch_ns"}, 0, kMostStartNs);
  if (cost.crossing_ns < kLeastCrossingNs)
    lie = fmt::format("crossing_ns is {}: no machine enters its kernel in less than {:.0f}", cost.crossing_ns,
                      kLeastCrossingNs);
  if (!lie.empty()) return error("{}", lie);
  if (const auto at = j.find("figures"); at != j.end() && at->is_object() && at->contains("crossing")) {
    const nlohmann::json& crossing = (*at)["crossing"];
    if (crossing.is_object() && crossing.contains("spread_percent") && crossing["spread_percent"].is_number())
      cost.uncertain = std::clamp(crossing["spread_percent"].get<double>() / 100, 0.05, 1.0);
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
  struct stat st {};
  if (stat(path.c_str(), &st) == 0)
    cost->age_s = std::max(0.0, std::difftime(std::time(nullptr), st.st_mtime));
  return cost;
}

std::string CostModel::source_and_age() const {
  if (age_s < 0)
    return source == "defaults" ? "built-in, of another machine; 'sysvm bench --save' measures this one"
                                : source;
  const auto ago = [](double n, const char* unit) {
    return fmt::format("{:.0f} {}{} ago", n, unit, n >= 1.5 ? "s" : "");
  };
  const std::string when = age_s < 3600    ? ago(age_s / 60, "minute")
                           : age_s < 86400 ? ago(age_s / 3600, "hour")
                                           : ago(age_s / 86400, "day");
  return fmt::format("measured {}: {}", when, source);
}

CostModel costs_here() {
  const std::string path = costs_file();
  if (path.empty() || access(path.c_str(), R_OK) != 0) return {};
  const Result<CostModel> cost = read_costs(path);
  return cost ? *cost : CostModel{};
}

bool nothing_to_gain(double saved_ns, uint64_t wall) {
  return saved_ns <= 0 || saved_ns < 0.01 * static_cast<double>(wall);
}

}  // namespace sysvm
