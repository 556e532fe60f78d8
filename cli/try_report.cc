// SPDX-License-Identifier: MIT
#include "cli/try_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace sysvm {
namespace {

std::string grouped(uint64_t n) {  // 1,234,567
  if (n < 1000) return std::to_string(n);
  return fmt::format("{},{:03}", grouped(n / 1000), n % 1000);
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  return fmt::format("{}", fmt::join(words, between));
}

std::string cut(const std::string& text, size_t width) {
  return text.size() <= width ? text : text.substr(0, width - 3) + "...";
}

// Measured, first of all.
std::string answer(const TryReport& r) {
  const double ms = r.saved_ms(), share = r.plain_ms > 0 ? 100 * ms / r.plain_ms : 0;
  if (!r.beyond_noise())
    return fmt::format(
        "nothing to gain here: {:+.1f} ms ({:+.1f} %) with the {} engine, within the {:.1f} ms that runs "
        "differ by",
        -ms, -share, r.engine, r.noise_ms);
  return fmt::format("{} here: {:.1f} ms ({:.1f} %) {} with the {} engine", ms > 0 ? "faster" : "slower",
                     std::fabs(ms), std::fabs(share), ms > 0 ? "less" : "more", r.engine);
}

std::string verdict(const TryReport& r) {
  if (!r.identical) return "not known: " + r.reason;
  if (!*r.identical) return "NO: " + r.reason;
  return fmt::format("yes ({}; {} plain runs, {} under sysvm)", joined(r.compared, ", "), r.plain_runs,
                     r.sysvm_runs);
}

}  // namespace

bool TryReport::beyond_noise() const { return std::fabs(saved_ms()) > std::max(noise_ms, 0.01 * plain_ms); }

std::string to_json(const TryReport& r) {
  nlohmann::ordered_json j;
  j["schema"] = 1;
  j["command"] = r.command;
  j["engine"] = r.engine;
  j["strict"] = r.strict;
  j["identical"] = r.identical ? nlohmann::ordered_json(*r.identical) : nlohmann::ordered_json(nullptr);
  j["reason"] = r.reason;
  j["compared"] = r.compared;
  j["exit_status"] = r.exit_status;
  j["syscalls"] = r.syscalls;
  j["entries"] = {{"before", r.entries_before}, {"after", r.entries_after}};
  j["wall_ms"] = {{"plain", r.plain_ms}, {"sysvm", r.sysvm_ms}, {"noise", r.noise_ms}};
  j["verdict"] = !r.beyond_noise() ? "nothing to gain" : r.saved_ms() > 0 ? "faster" : "slower";
  j["predicted"] = {{"entries", r.entries_predicted},
                    {"saved_ms", r.predicted_saved_ms},
                    {"text", r.predicted},
                    {"why", r.why}};
  j["runs"] = {{"plain", r.plain_runs}, {"sysvm", r.sysvm_runs}};
  j["lost"] = r.lost;
  j["procedures"] = nlohmann::ordered_json::array();
  for (const TryProcedure& p : r.procedures)
    j["procedures"].push_back(
        {{"name", p.name}, {"mode", p.mode}, {"hits", p.hits}, {"misses", p.misses}, {"undone", p.undone}});
  j["notes"] = r.notes;
  if (!r.engine_note.empty()) j["notes"].push_back(r.engine_note);
  return j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string to_table(const TryReport& r) {
  std::string out = fmt::format("{}\n\n", cut(joined(r.command, " "), 110));
  auto row = [&](const char* name, const std::string& value) {
    out += fmt::format("  {:<12} {}\n", name, value);
  };
  row("verdict", answer(r));
  row("identical", verdict(r));
  row("exit status", std::to_string(r.exit_status));
  const bool fewer = r.factor() >= 1 || r.entries_before == 0;
  row("entries", fmt::format("{} before, {} after: {:.2f} times {}{}", grouped(r.entries_before),
                             grouped(r.entries_after), fewer ? r.factor() : 1 / r.factor(),
                             fewer ? "fewer" : "MORE", r.strict ? " (--strict)" : ""));
  row("wall time",
      fmt::format("{:.1f} ms plain, {:.1f} ms under sysvm ({} engine)", r.plain_ms, r.sysvm_ms, r.engine));
  if (r.entries_predicted)
    row("predicted",
        fmt::format("{} entries ({:+.1f} % of those after); {}", grouped(r.entries_predicted),
                    r.entries_after ? 100 * (double(r.entries_predicted) / double(r.entries_after) - 1) : 0,
                    r.predicted));
  for (const std::string& why : r.why) row("why", why);
  row("recorded", fmt::format("{} calls, {} lost", grouped(r.syscalls), grouped(r.lost)));

  size_t width = 9;
  for (const TryProcedure& p : r.procedures) width = std::max(width, std::min<size_t>(p.name.size(), 56));
  if (r.procedures.empty()) {
    out += "\n  no procedures: nothing in this command repeats in a way that batching would save entries\n";
  } else {
    out += fmt::format("\n  {:<{}}  {:<10} {:>10} {:>8} {:>8}\n", "procedure", width, "mode", "hits",
                       "misses", "undone");
    for (const TryProcedure& p : r.procedures)
      out += fmt::format("  {:<{}}  {:<10} {:>10} {:>8} {:>8}\n", cut(p.name, 56), width, p.mode,
                         grouped(p.hits), grouped(p.misses), grouped(p.undone));
  }
  if (!r.engine_note.empty() || !r.notes.empty()) out += "\n";
  if (!r.engine_note.empty()) out += "  " + r.engine_note + "\n";
  for (const std::string& note : r.notes) out += "  note: " + note + "\n";
  return out;
}

}  // namespace sysvm
