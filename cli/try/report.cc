// SPDX-License-Identifier: MIT
#include "cli/try/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/base/help_text.h"
#include "cli/base/json.h"
#include "common/numbers.h"
#include "common/printable.h"

namespace sysvm {
namespace {

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

std::string procedure_table(const std::vector<TryProcedure>& procedures, size_t width) {
  if (procedures.empty())
    return "  no procedures: nothing in this command repeats in a way that batching would save\n";
  size_t names = 9;
  for (const TryProcedure& p : procedures) names = std::max(names, std::min(p.name.size(), width - 45));
  std::string out = fmt::format("  {:<{}}  {:<10} {:>10} {:>8} {:>8}\n", "procedure", names, "mode", "hits",
                                "misses", "undone");
  for (const TryProcedure& p : procedures)
    out += fmt::format("  {:<{}}  {:<10} {:>10} {:>8} {:>8}\n", cut(p.name, names), names, p.mode,
                       thousands(p.hits), thousands(p.misses), thousands(p.undone));
  return out;
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
                    {"module_saved_ms", r.module_saved_ms},
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
  return json_text(j);
}

std::string command_line(const std::vector<std::string>& command, size_t width) {
  return cut(without_controls(joined(command, " ")), width) + "\n\n";
}

std::string to_table(const TryReport& r, size_t width) {
  std::string out = command_line(r.command, width);
  const auto row = [&](const char* name, const std::string& value) {
    out += fmt::format("  {:<12} {}\n", name, filled(value, width, 15, 15));
  };
  row("verdict", answer(r));
  row("identical", verdict(r));
  row("exit status", std::to_string(r.exit_status));
  row("crossings",
      fmt::format("{} before, {} after: {}{}", thousands(r.entries_before), thousands(r.entries_after),
                  times_fewer(r.entries_before, r.entries_after), r.strict ? " (--strict)" : ""));
  row("wall time",
      fmt::format("{:.1f} ms plain, {:.1f} ms under sysvm ({} engine)", r.plain_ms, r.sysvm_ms, r.engine));
  if (r.entries_predicted)
    row("predicted",
        fmt::format("{} crossings ({:+.1f} % of those after); {}", thousands(r.entries_predicted),
                    r.entries_after ? 100 * (double(r.entries_predicted) / double(r.entries_after) - 1) : 0,
                    r.predicted));
  for (const std::string& why : r.why) row("why", why);
  row("recorded", fmt::format("{} calls, {} lost", thousands(r.syscalls), thousands(r.lost)));
  out += "\n" + procedure_table(r.procedures, width);

  if (!r.engine_note.empty() || !r.notes.empty()) out += "\n";
  if (!r.engine_note.empty()) out += "  " + filled(r.engine_note, width, 2, 2) + "\n";
  for (const std::string& note : r.notes) out += "  note: " + filled(note, width, 8, 8) + "\n";
  return out;
}

}  // namespace sysvm
