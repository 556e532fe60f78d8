// SPDX-License-Identifier: MIT
#include "optimizer/learn/legality.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace sysvm {
namespace {

std::string effect_reason(const CallTraits& traits) {
  switch (traits.effect) {
    case SYSVM_EFFECT_MUT: return traits.name + " changes what others can see";
    case SYSVM_EFFECT_SYNC: return traits.name + " waits for or tells another task";
    case SYSVM_EFFECT_CTX: return traits.name + " changes the process itself";
    case SYSVM_EFFECT_TASK: return traits.name + " makes, replaces or ends a task";
    case SYSVM_EFFECT_FREE: return traits.name + " gives the descriptor back (late close is another mode)";
    default: return traits.name + " is not a follower by the system call table";
  }
}

// The only names are "" (the descriptor itself) and the one that the trigger has just opened, without a link.
std::string name_reason(const FlowContext& context, const StepSources& step, const PackedEvent& call) {
  for (size_t i = 0; i < step.args.size(); ++i) {
    const From from = step.args[i].from;
    if (from == From::kKept) {
      const bool looks = step.nr == SYSVM_NR_newfstatat && step.args[0].from == From::kConst &&
                         (step.args[3].value == 0 || step.args[3].value == AT_SYMLINK_NOFOLLOW);
      if (!looks) return "a path from the root is followed only by newfstatat";
      continue;
    }
    if (from != From::kPath && from != From::kString) continue;
    if (step.nr == SYSVM_NR_statx && from == From::kString && step.args[i].text.empty()) {
      const uint64_t how = step.args[2].value;
      return how & AT_EMPTY_PATH && !(how & AT_STATX_FORCE_SYNC) ? "" : "statx of \"\" with other flags";
    }
    if (step.nr != SYSVM_NR_newfstatat) return "a name is followed only by newfstatat";
    const uint64_t flags = step.args[3].value;
    if (from == From::kString) return flags == AT_EMPTY_PATH ? "" : "newfstatat of \"\" with other flags";
    if (!is_open(static_cast<uint32_t>(context.trigger->nr())))
      return "a name may follow only an open of that name";
    if (flags != AT_SYMLINK_NOFOLLOW) return "newfstatat may follow a symbolic link";
    const std::string* path = string_argument(*context.stream, call, step.traits, i);
    if (path && path->find('/') != std::string::npos) return "the path has more than one component";
    if (context.trigger->nr() != SYSVM_NR_openat || step.args[0].from != From::kTriggerArg)
      return "the path is relative to another directory than the trigger's";
  }
  return "";
}

bool on_own_descriptor(const FlowContext& context, const StepSources& step) {
  const ArgSource& fd = step.args[0];
  if (is_open(static_cast<uint32_t>(context.trigger->nr()))) return fd.from == From::kTriggerResult;
  return fd.from == From::kTriggerArg && fd.index == 0;
}

}  // namespace

std::string why_not_follower(const FlowContext& context, const StepSources& step, const PackedEvent& call) {
  if (is_open(step.nr)) return "an open is a trigger, never a follower";
  if (!step.traits.may_follow || !step.traits.batchable) return effect_reason(step.traits);
  for (size_t i = 0; i < step.args.size(); ++i)
    if (step.args[i].from == From::kVarying)
      return fmt::format("argument {} of {} is not known at the trigger", i, step.traits.name);
  switch (step.nr) {
    case SYSVM_NR_readlink:
    case SYSVM_NR_readlinkat: return "reading a link may change its atime";
    case SYSVM_NR_lseek:
      if (step.args[1].value != 0 || step.args[2].value != SEEK_CUR) return "lseek sets the position";
      break;
    default: break;
  }
  const std::string reason = name_reason(context, step, call);
  if (!reason.empty()) return reason;
  const bool by_name =
      step.args.size() > 1 && (step.args[1].from == From::kPath || step.args[1].from == From::kKept);
  if (!by_name && !on_own_descriptor(context, step))
    return step.traits.name + " is not about the trigger's descriptor";
  const bool open = is_open(static_cast<uint32_t>(context.trigger->nr()));
  if (context.trigger->nr() == SYSVM_NR_fcntl && step.nr != SYSVM_NR_pread64 && !is_struct_stat(step.nr) &&
      step.nr != SYSVM_NR_statx)
    return step.traits.name + " moves the position of a descriptor that may be written to";
  if (!open && (step.traits.undo == SYSVM_UNDO_CLOSE || step.traits.undo == SYSVM_UNDO_CLRFD ||
                step.nr == SYSVM_NR_getdents64))
    return step.traits.name + " could not be taken back: the trigger has not opened the descriptor";
  return "";
}

bool may_trigger(const PackedEvent& call) {
  const CallTraits& traits = traits_of(call);
  return traits.batchable && traits.may_trigger;
}

}  // namespace sysvm
