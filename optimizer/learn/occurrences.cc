// SPDX-License-Identifier: MIT
#include "optimizer/learn/occurrences.h"

#include <sys/stat.h>

#include <algorithm>

#include "optimizer/learn/legality.h"

namespace sysvm {
namespace {

void learn_kind(Occurrence& found, const StepSources& sources, const PackedEvent& call) {
  if (sources.args.empty()) return;
  const bool own = sources.args[0].from == From::kTriggerResult ||
                   (sources.args[0].from == From::kTriggerArg && sources.args[0].index == 0 &&
                    traits_of(*found.trigger).arg[0].kind == SYSVM_KIND_FD);
  if (!own) return;
  if (call.has(kHasStat)) {
    if (S_ISREG(call.st_mode())) found.kind = FileKind::kRegular;
    if (S_ISDIR(call.st_mode())) found.kind = FileKind::kDirectory;
  } else if (found.kind == FileKind::kUnknown) {
    if (sources.nr == SYSVM_NR_read || sources.nr == SYSVM_NR_pread64) found.kind = FileKind::kRegular;
    if (sources.nr == SYSVM_NR_getdents64) found.kind = FileKind::kDirectory;
  }
}

// What has been found so far; only the last step grows.
class Steps {
 public:
  bool empty() const { return steps_.empty(); }
  size_t size() const { return steps_.size(); }
  const StepSources* last() const { return empty() ? nullptr : steps_.back().sources; }
  const PackedEvent* last_call() const { return calls_.back(); }
  size_t last_calls() const { return calls_.size() - from_.back(); }
  void add(const StepSources* sources, const PackedEvent* call) {
    steps_.push_back({sources, {}});
    from_.push_back(calls_.size());
    calls_.push_back(call);
  }
  void again(const PackedEvent* call) { calls_.push_back(call); }
  bool has_getdents() const {
    return std::any_of(steps_.begin(), steps_.end(), [](const OccurrenceStep& s) {
      return s.sources->nr == SYSVM_NR_getdents64 && !s.sources->loop;
    });
  }
  std::span<const OccurrenceStep> keep(Sources& in) {
    const std::span<const PackedEvent* const> calls = in.calls.keep(calls_);
    for (size_t i = 0; i < steps_.size(); ++i) {
      const size_t to = i + 1 < steps_.size() ? from_[i + 1] : calls_.size();
      steps_[i].calls = calls.subspan(from_[i], to - from_[i]);
    }
    return in.rows.keep(steps_);
  }

 private:
  std::vector<OccurrenceStep> steps_;
  std::vector<const PackedEvent*> calls_;
  std::vector<size_t> from_;  // of each step
};

// A read that finds the end of file after a call that the machine can make together with it (a write of what
// was read, say): the runtime makes it again after that call, in the same crossing. Returns its index, or 0.
size_t end_after_other_call(const Steps& found, const FlowContext& context, SourceTable& table,
                            const Stream& stream, size_t at) {
  if (found.empty() || !is_ridden(*stream.calls[at]) ||
      is_open(static_cast<uint32_t>(stream.calls[at]->nr())))
    return 0;
  if (found.last()->nr != SYSVM_NR_read || found.last_call()->ret() <= 0) return 0;
  for (size_t i = at + 1; i < stream.calls.size(); ++i) {
    const PackedEvent& call = *stream.calls[i];
    if (is_quiet(call)) continue;
    return call.nr() == SYSVM_NR_read && call.ret() == 0 && table.of(context, call) == found.last() ? i : 0;
  }
  return 0;
}

}  // namespace

bool is_run_call(uint32_t nr) { return nr == SYSVM_NR_read || nr == SYSVM_NR_getdents64; }

namespace {

// Follows the calls about names in the directory that the trigger opened.
class Dirents {
 public:
  Dirents(const FlowContext& context, const FollowOptions& options, Sources& sources)
      : context_(context), options_(options), table_(sources.steps), dirents_(sources.dirents) {
    if (!options.shapes.empty()) tracker_.step(*context.stream, *context.trigger);
  }

  // The loop's sources if the call is one of its shape; else null.
  const StepSources* sources(const PackedEvent& call) {
    if (options_.shapes.empty()) return nullptr;
    const std::optional<DirentCall> entry = tracker_.step(*context_.stream, call);
    if (const std::string* path = entry || !last_ ? nullptr : kept_path_of(*context_.stream, call)) {
      const std::optional<size_t> at = call_of_shape(*last_->loop, table_.of(context_, call)->key, seen_);
      if (!at || (!kept_.empty() && kept_ != *path)) return nullptr;
      kept_ = *path;
      seen_ = *at + 1;
      return last_;
    }
    if (!entry || entry->directory->open != context_.trigger) return nullptr;
    for (const auto& shape : options_.shapes) {
      if (shape->under != entry->under) continue;
      if (name_ != entry->name) seen_ = 0;
      const std::string& key = dirents_.of(*context_.stream, call, entry->under)->key;
      std::optional<size_t> at = call_of_shape(*shape, key, seen_);
      if (!at && seen_) at = call_of_shape(*shape, key, 0);
      if (!at) return nullptr;
      name_ = entry->name;
      seen_ = *at + 1;
      ArgSource directory;
      if (!shape->under) directory = table_.of(context_, call)->args[0];
      if (!shape->under && directory.from != From::kTriggerResult && directory.from != From::kStepResult)
        return nullptr;
      if (last_ && last_->loop == shape && last_->args[0] == directory) return last_;
      return last_ = table_.keep(loop_sources(shape, directory));
    }
    return nullptr;
  }

 private:
  const FlowContext& context_;
  const FollowOptions& options_;
  SourceTable& table_;
  DirectoryTracker tracker_;
  DirentSources& dirents_;
  std::string_view name_, kept_;
  size_t seen_ = 0;
  const StepSources* last_ = nullptr;
};

}  // namespace

Occurrence follow(const Stream& stream, size_t at, Sources& known, const FollowOptions& options) {
  Occurrence found;
  found.stream = &stream;
  found.at = at;
  found.trigger = stream.calls[at];
  FlowContext context{&stream, found.trigger, {}};
  if (found.trigger->ret() < 0) {
    found.stop = "the trigger failed";
    return found;
  }
  Steps steps;
  Dirents dirents(context, options, known);
  bool closed = false;
  const auto stops = [&](std::string_view why) {
    found.stop = why;
    found.steps = steps.keep(known);
    return found;
  };
  for (size_t i = at + 1; i < stream.calls.size(); ++i) {
    const PackedEvent& call = *stream.calls[i];
    if (is_quiet(call)) continue;
    if (const StepSources* each = dirents.sources(call)) {
      if (steps.last() == each) {
        steps.again(&call);
        continue;
      }
      if (steps.has_getdents() && steps.size() < options.max_steps) {
        steps.add(each, &call);
        context.steps.push_back(&call);
        continue;
      }
    }
    const StepSources* sources = known.steps.of(context, call);
    std::string stop = why_not_follower(context, *sources, call);
    if (stop.empty() && closed) stop = "the descriptor is closed";
    if (stop.empty() && sources->args.size() > 1 && sources->args[1].from == From::kKept) {
      std::string none;
      std::string& last =
          options.kept ? (*options.kept)[options.of + std::to_string(steps.size()) + sources->key] : none;
      const std::string* path = kept_path_of(stream, call);
      if (!path || *path != last) stop = "the path is another one than the last time";
      if (path) last = *path;
    }
    if (!stop.empty()) {
      const bool own_close =
          call.nr() == SYSVM_NR_close && call.arg(0) == static_cast<uint64_t>(found.trigger->ret());
      if (own_close && options.late_close && !options.shapes.empty() && steps.has_getdents() && !closed) {
        closed = true;
        continue;
      }
      const size_t end = end_after_other_call(steps, context, known.steps, stream, i);
      if (!end) return stops(*known.reasons.insert(std::move(stop)).first);
      steps.again(stream.calls[end]);
      context.steps.back() = stream.calls[end];
      i = end;
      continue;
    }
    learn_kind(found, *sources, call);
    if (is_run_call(sources->nr) && steps.last() == sources) {
      if (steps.last_calls() >= options.max_run) return stops("long enough");
      steps.again(&call);
      context.steps.back() = &call;
      continue;
    }
    if (steps.size() == options.max_steps) return stops("long enough");
    steps.add(sources, &call);
    context.steps.push_back(&call);
  }
  return stops("the recording ends or is cut here");
}

}  // namespace sysvm
