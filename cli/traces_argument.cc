// SPDX-License-Identifier: MIT
#include "cli/traces_argument.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "traces/reader.h"

namespace sysvm {

Result<TraceFiles> TraceFiles::read(const std::vector<std::string>& paths) {
  TraceFiles out;
  for (const std::string& path : paths) {
    out.traces_.push_back(TRY(read_trace(path)));
    const Trace& trace = out.traces_.back();
    if (!trace.newer.empty()) spdlog::warn("{}", trace.newer);
    if (!trace.damage.empty()) spdlog::warn("{}", trace.damage);
    uint64_t lost = 0;
    for (const Loss& loss : trace.losses) lost += loss.count;
    if (lost) spdlog::warn("{}: {} events were lost; sequences are cut there", path, lost);
  }
  return out;
}

std::vector<const Trace*> TraceFiles::pointers() const {
  std::vector<const Trace*> out;
  for (const Trace& trace : traces_) out.push_back(&trace);
  return out;
}

int parse_words(CLI::App& app, const Words& words) {
  try {
    std::vector<std::string> reversed(words.rbegin(), words.rend());  // CLI11 wants them so
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& problem) {
    spdlog::error("{}; '{} --help' says more", problem.what(), app.get_name());
    return kExitUsage;
  }
  return -1;
}

}  // namespace sysvm
