// SPDX-License-Identifier: MIT
#include "optimizer/legality.h"

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

bool follows_no_link(const StepSources& step) {
  auto has_flag = [&](size_t arg) {
    return step.args[arg].from == From::kConst && (step.args[arg].value & AT_SYMLINK_NOFOLLOW);
  };
  switch (step.nr) {
    case SYSVM_NR_lstat:
    case SYSVM_NR_lgetxattr:
    case SYSVM_NR_llistxattr: return true;
    case SYSVM_NR_newfstatat: return has_flag(3);
    case SYSVM_NR_statx: return has_flag(2);
    case SYSVM_NR_faccessat2: return has_flag(3);
    default: return false;
  }
}

std::string path_reason(const FlowContext& context, const StepSources& step, const Event& call) {
  for (size_t i = 0; i < step.args.size(); ++i) {
    if (step.args[i].from != From::kPath) continue;
    if (!is_open(static_cast<uint32_t>(context.trigger->nr))) return "a path may follow only an open of that path";
    if (!follows_no_link(step)) return step.traits.name + " may follow a symbolic link";
    const std::string* path = string_argument(*context.stream, call, step.traits, i);
    if (path && path->find('/') != std::string::npos) return "the path has more than one component";
    const bool relative_to_cwd = i == 0;
    if (relative_to_cwd ? context.trigger->nr != SYSVM_NR_open : step.args[i - 1].from != From::kTriggerArg)
      return "the path is relative to another directory than the trigger's";
  }
  return "";
}

bool on_own_descriptor(const FlowContext& context, const StepSources& step) {
  const ArgSource& fd = step.args[0];
  if (fd.from == From::kTriggerResult) return true;
  // A read that follows a read of the same descriptor.
  return fd.from == From::kTriggerArg && fd.index == 0 && static_cast<uint32_t>(context.trigger->nr) == step.nr;
}

}  // namespace

std::string why_not_follower(const FlowContext& context, const StepSources& step, const Event& call) {
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
    case SYSVM_NR_read:
    case SYSVM_NR_pread64:
      if (!on_own_descriptor(context, step)) return step.traits.name + " reads a descriptor that the trigger has not opened";
      break;
    case SYSVM_NR_getdents64:
      if (step.args[0].from != From::kTriggerResult) return "a directory is read ahead only right after its open";
      break;
    default: break;
  }
  return path_reason(context, step, call);
}

bool may_trigger(const Event& call) {
  const CallTraits traits = traits_of(call);
  return traits.batchable && traits.may_trigger;
}

}  // namespace sysvm
