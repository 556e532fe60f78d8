// SPDX-License-Identifier: MIT
#include "optimizer/occurrences.h"

#include <sys/stat.h>

#include "optimizer/legality.h"

namespace sysvm {
namespace {

void learn_kind(Occurrence& found, const StepSources& sources, const Event& call) {
  if (sources.args.empty()) return;
  const bool own = sources.args[0].from == From::kTriggerResult ||
                   (sources.args[0].from == From::kTriggerArg && sources.args[0].index == 0 &&
                    traits_of(*found.trigger).arg[0].kind == SYSVM_KIND_FD);
  if (!own) return;
  if (call.has(kHasStat)) {
    if (S_ISREG(call.st_mode)) found.kind = FileKind::kRegular;
    if (S_ISDIR(call.st_mode)) found.kind = FileKind::kDirectory;
  } else if (found.kind == FileKind::kUnknown) {
    if (sources.nr == SYSVM_NR_read || sources.nr == SYSVM_NR_pread64) found.kind = FileKind::kRegular;
    if (sources.nr == SYSVM_NR_getdents64) found.kind = FileKind::kDirectory;
  }
}

// A read that finds the end of file behind a call that the machine can make together with it (a write of what
// was read, say): the runtime makes it again behind that call, in the same entry. Returns its index, or 0.
size_t end_behind_other_call(const Occurrence& found, const FlowContext& context, const Stream& stream,
                             size_t at) {
  if (found.steps.empty() || !is_ridden(*stream.calls[at]) ||
      is_open(static_cast<uint32_t>(stream.calls[at]->nr)))
    return 0;
  const OccurrenceStep& last = found.steps.back();
  if (last.sources->nr != SYSVM_NR_read || last.calls.back()->ret <= 0) return 0;
  for (size_t i = at + 1; i < stream.calls.size(); ++i) {
    const Event& call = *stream.calls[i];
    if (is_quiet(call)) continue;
    return call.nr == SYSVM_NR_read && call.ret == 0 && explain(context, call).key == last.sources->key ? i
                                                                                                        : 0;
  }
  return 0;
}

}  // namespace

const StepSources* SourceTable::keep(StepSources sources) {
  std::unique_ptr<StepSources>& slot = by_key_[sources.key];
  if (!slot) slot = std::make_unique<StepSources>(std::move(sources));
  return slot.get();
}

bool is_run_call(uint32_t nr) {
  return nr == SYSVM_NR_read || nr == SYSVM_NR_getdents64;
}

Occurrence follow(const Stream& stream, size_t at, SourceTable& table, size_t max_steps) {
  Occurrence found;
  found.stream = &stream;
  found.at = at;
  found.trigger = stream.calls[at];
  FlowContext context{&stream, found.trigger, {}};
  if (found.trigger->ret < 0) {
    found.stop = "the trigger failed";
    return found;
  }
  for (size_t i = at + 1; i < stream.calls.size(); ++i) {
    const Event& call = *stream.calls[i];
    if (is_quiet(call)) continue;
    const StepSources* sources = table.keep(explain(context, call));
    found.stop = why_not_follower(context, *sources, call);
    if (!found.stop.empty()) {
      const size_t end = end_behind_other_call(found, context, stream, i);
      if (!end) return found;
      found.steps.back().calls.push_back(stream.calls[end]);
      context.steps.back() = stream.calls[end];
      i = end;
      continue;
    }
    learn_kind(found, *sources, call);
    if (is_run_call(sources->nr) && !found.steps.empty() && found.steps.back().sources == sources) {
      found.steps.back().calls.push_back(&call);
      context.steps.back() = &call;
      continue;
    }
    if (found.steps.size() == max_steps) {
      found.stop = "long enough";
      return found;
    }
    found.steps.push_back({sources, {&call}});
    context.steps.push_back(&call);
  }
  found.stop = "the recording ends or is cut here";
  return found;
}

}  // namespace sysvm
