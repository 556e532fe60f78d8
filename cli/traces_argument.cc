// SPDX-License-Identifier: MIT
#include "cli/traces_argument.h"

#include <malloc.h>

#include <map>
#include <memory>

#include "cli/base/messages.h"
#include "common/hex.h"
#include "libsysvm/sites/cache.h"
#include "traces/own_time.h"

namespace sysvm {

void warn_about(const std::string& path, const TraceInfo& trace) {
  if (!trace.newer.empty()) log_warning("{}", trace.newer);
  if (!trace.damage.empty()) log_warning("{}", trace.damage);
  if (const uint64_t lost = trace.lost())
    log_warning("{}: {} events were lost; sequences are cut there", path, lost);
}

void warn_empty(const std::string& path) {
  log_warning("{}: no call was recorded; nothing can be learned from it", path);
}

Result<TraceFiles> TraceFiles::read(const std::vector<std::string>& paths, bool warn) {
  TraceFiles out;
  for (const std::string& path : paths) {
    out.traces_.push_back(TRY(read_packed(path)));
    if (warn) warn_about(path, out.traces_.back());
    if (warn && out.traces_.back().events.empty()) warn_empty(path);
  }
  ::malloc_trim(0);  // what the readers' threads have used: as much as a fifth of all memory
  return out;
}

std::vector<const PackedTrace*> TraceFiles::pointers() const {
  std::vector<const PackedTrace*> out;
  for (const PackedTrace& trace : traces_) out.push_back(&trace);
  return out;
}

uint64_t TraceFiles::calls() const {
  uint64_t sum = 0;
  for (const PackedTrace& trace : traces_) sum += trace.events.size();
  return sum;
}

void CostOptions::add_to(Options& options) {
  options.text("--costs FILE", file, "costs of 'sysvm bench --save' [those saved last, else built-in ones]");
  options.number("--crossing,--crossing-ns NS", crossing_ns, 0.001, 1e9,
                 "cost of one crossing: what if it were another machine's");
}

Result<CostModel> CostOptions::get() const {
  CostModel cost = file.empty() ? costs_here() : TRY(read_costs(file));
  if (crossing_ns > 0) {
    cost.undo_ns += crossing_ns - cost.crossing_ns;
    cost.crossing_ns = crossing_ns;
  }
  return cost;
}

uint64_t wall_ns(const std::vector<const PackedTrace*>& traces) {
  uint64_t sum = 0;
  for (const PackedTrace* t : traces)
    if (!t->events.empty())
      sum += own_wall_ns(*t, t->events.size(), t->events.first_ns(), t->events.last_ns());
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

int finish(const char* command, const Result<TraceInfo>& info, const char* so_far) {
  if (!info) return fail(kExitUsage, command, info.error());
  if (!info->newer.empty()) log_warning("{}: {}", command, info->newer);
  if (info->damage.empty()) return 0;
  return fail(kExitUsage, command, error("{}; {}", info->damage, so_far));
}

int finish(const char* command, const Result<TraceInfo>& info, DataOutput& out, const char* so_far) {
  if (!info) return fail(kExitUsage, command, info.error());
  if (const auto closed = out.close(); !closed) return fail(kExitToolFailed, command, closed.error());
  return finish(command, info, so_far);
}

}  // namespace sysvm
