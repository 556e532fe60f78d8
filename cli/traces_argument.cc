// SPDX-License-Identifier: MIT
#include "cli/traces_argument.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>
#include <memory>

#include "cli/help_text.h"
#include "libsysvm/sites/cache.h"
#include "common/hex.h"
#include "traces/own_time.h"
#include "traces/reader.h"

namespace sysvm {

void warn_about(const std::string& path, const TraceInfo& trace) {
  if (!trace.newer.empty()) spdlog::warn("{}", trace.newer);
  if (!trace.damage.empty()) spdlog::warn("{}", trace.damage);
  uint64_t lost = 0;
  for (const Loss& loss : trace.losses) lost += loss.count;
  if (lost) spdlog::warn("{}: {} events were lost; sequences are cut there", path, lost);
}

void warn_empty(const std::string& path) {
  spdlog::warn("{}: no call was recorded; nothing can be learned from it", path);
}

Result<TraceFiles> TraceFiles::read(const std::vector<std::string>& paths, bool warn) {
  TraceFiles out;
  for (const std::string& path : paths) {
    out.traces_.push_back(TRY(read_trace(path)));
    if (warn) warn_about(path, out.traces_.back());
    if (warn && out.traces_.back().events.empty()) warn_empty(path);
  }
  return out;
}

std::vector<const Trace*> TraceFiles::pointers() const {
  std::vector<const Trace*> out;
  for (const Trace& trace : traces_) out.push_back(&trace);
  return out;
}

void CostOptions::add_to(CLI::App& app) {
  app.add_option("--costs", file,
                 "costs of 'sysvm bench --save' (default: those saved last, else built-in ones)");
  app.add_option("--crossing,--crossing-ns", crossing_ns,
                 "cost of one entry in ns: what if it were another machine's")
      ->check(CLI::PositiveNumber);
}

Result<CostModel> CostOptions::get() const {
  CostModel cost = file.empty() ? costs_here() : TRY(read_costs(file));
  if (crossing_ns > 0) {
    cost.undo_ns += crossing_ns - cost.crossing_ns;
    cost.crossing_ns = crossing_ns;
  }
  return cost;
}

uint64_t wall_ns(const std::vector<const Trace*>& traces) {
  uint64_t sum = 0;
  for (const Trace* t : traces)
    if (!t->events.empty())
      sum += own_wall_ns(*t, t->events.size(), t->events.front().ts_ns,
                         t->events.back().ts_ns + t->events.back().dur_ns);
  return sum;
}

std::function<bool(const std::string& path, const std::string& build_id)> unseen_objects() {
  const auto verdicts = std::make_shared<std::map<std::string, bool>>();
  return [verdicts](const std::string& path, const std::string& build_id) {
    auto [at, fresh] = verdicts->try_emplace(path, false);
    if (!fresh) return at->second;
    const Result<Analysis> found = SiteCache::at_default_place().get(path);
    if (!found) return false;  // gone since: nothing is known about it
    const sysvm_object& object = found->object;
    if (to_hex({object.build_id, object.build_id_len}) != build_id) return false;
    return at->second = object.verdict == OBJECT_UNSEEN;
  };
}

int parse_words(CLI::App& app, const Words& words) {
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());  // CLI11 wants them so
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::string usage = "usage: " + app.get_name() + " [options]";
    for (const CLI::Option* option : app.get_options())
      if (option->get_positional())
        usage += " " + option->get_name(true) + (option->get_expected_max() > 1 ? "..." : "");
    fmt::print("{}", help_text(app, usage, help_width()));
    return 0;
  } catch (const CLI::ParseError& problem) {
    const std::string name = app.get_name();
    spdlog::error("{}: {} ('{} --help' says more)", name.substr(name.find(' ') + 1), mistake(app, problem),
                  name);
    return kExitUsage;
  }
  return -1;
}

}  // namespace sysvm
