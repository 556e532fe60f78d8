// SPDX-License-Identifier: MIT
#include "optimizer/learn/dataflow.h"

#include <fcntl.h>
#include <fmt/format.h>

namespace sysvm {
namespace {

bool same_descriptor(uint64_t a, uint64_t b) { return static_cast<int32_t>(a) == static_cast<int32_t>(b); }

ArgSource descriptor_source(const FlowContext& context, uint64_t value) {
  const CallTraits& trigger = traits_of(*context.trigger);
  ArgSource source;
  // The newest first: numbers are used again.
  for (size_t k = context.steps.size(); k-- > 0;)
    if (traits_of(*context.steps[k]).result == SYSVM_RESULT_FD &&
        same_descriptor(context.steps[k]->ret(), value)) {
      source.from = From::kStepResult;
      source.index = static_cast<uint8_t>(k);
      return source;
    }
  if (trigger.result == SYSVM_RESULT_FD && same_descriptor(context.trigger->ret(), value)) {
    source.from = From::kTriggerResult;
    return source;
  }
  for (uint8_t i = 0; i < trigger.nargs; ++i) {
    const uint16_t kind = trigger.arg[i].kind;
    if ((kind == SYSVM_KIND_FD || kind == SYSVM_KIND_DIRFD) &&
        same_descriptor(context.trigger->arg(i), value)) {
      source.from = From::kTriggerArg;
      source.index = i;
      return source;
    }
  }
  source.from = From::kVarying;
  return source;
}

// Index of the trigger's path argument, 6 if it has none that was read.
const std::string* trigger_path(const FlowContext& context) {
  const CallTraits& trigger = traits_of(*context.trigger);
  for (size_t i = 0; i < trigger.nargs; ++i)
    if (trigger.arg[i].kind == SYSVM_KIND_PATH)
      return string_argument(*context.stream, *context.trigger, trigger, i);
  return nullptr;
}

ArgSource string_source(const FlowContext& context, const std::string* text, bool is_path) {
  ArgSource source;
  source.from = From::kVarying;
  if (!text) return source;
  const std::string* path = is_path ? trigger_path(context) : nullptr;
  if (path && !path->empty() && *path == *text) {
    source.from = From::kPath;
  } else if (text->empty() || !is_path) {
    source.from = From::kString;
    source.text = *text;
  } else if (text->starts_with('/')) {
    source.from = From::kKept;
  }
  return source;
}

ArgSource source_of(const FlowContext& context, const PackedEvent& call, const CallTraits& traits, size_t i) {
  ArgSource source;
  const sysvm_arg_info& kind = traits.arg[i];
  const uint64_t value = call.arg(i);
  switch (kind.kind) {
    case SYSVM_KIND_NONE: break;
    case SYSVM_KIND_FD:
    case SYSVM_KIND_DIRFD: return descriptor_source(context, value);
    case SYSVM_KIND_PATH:
    case SYSVM_KIND_STR:
      return string_source(context, string_argument(*context.stream, call, traits, i),
                           kind.kind == SYSVM_KIND_PATH);
    case SYSVM_KIND_OUT:
    case SYSVM_KIND_OUTN:
    case SYSVM_KIND_OUTS: return out_source(kind);
    case SYSVM_KIND_SIZE: {
      bool of_out_buffer = false;
      for (size_t j = 0; j < traits.nargs; ++j)
        of_out_buffer |= traits.arg[j].kind == SYSVM_KIND_OUT && traits.arg[j].param == i;
      source.from = of_out_buffer ? From::kSize : From::kConst;
      source.value = of_out_buffer ? 0 : value;
      break;
    }
    case SYSVM_KIND_FLAGS:
    case SYSVM_KIND_MODE:
    case SYSVM_KIND_CMD:  // 32 bits; the upper half of the register means nothing
      source.from = From::kConst;
      source.value = value & 0xffffffffu;
      break;
    case SYSVM_KIND_INT:
    case SYSVM_KIND_UINT:
    case SYSVM_KIND_OFF:
    case SYSVM_KIND_SIG:
      source.from = From::kConst;
      source.value = value;
      break;
    default:  // addresses that are followed: what stands there is data
      source.from = From::kVarying;
  }
  return source;
}

bool is_kept_here(const PackedEvent& call, From from) {
  return from == From::kKept && static_cast<int32_t>(call.arg(0)) == AT_FDCWD;
}

}  // namespace

const std::string* string_argument(const Stream& stream, const PackedEvent& call, const CallTraits& traits,
                                   size_t arg) {
  size_t which = 0;
  for (size_t i = 0; i < arg; ++i)
    which += traits.arg[i].kind == SYSVM_KIND_PATH || traits.arg[i].kind == SYSVM_KIND_STR;
  // An empty string that was read has an index of its own; kNoString means that there is nothing to compare.
  if (which > 1 || call.path(which) == kNoString || call.flags() & (kPathFault | kPathCut)) return nullptr;
  return &stream.string(call, which);
}

ArgSource out_source(const sysvm_arg_info& kind) {
  ArgSource source;
  source.from = From::kOut;
  const bool fixed = kind.kind == SYSVM_KIND_OUTS;  // else an argument says how large it is
  source.index = fixed ? uint8_t{6} : static_cast<uint8_t>(kind.param);
  source.bytes = fixed ? kind.param : 0;
  return source;
}

StepSources explain(const FlowContext& context, const PackedEvent& call) {
  StepSources step;
  step.nr = static_cast<uint32_t>(call.nr());
  step.traits = traits_of(call);
  for (size_t i = 0; i < step.traits.nargs; ++i)
    step.args.push_back(source_of(context, call, step.traits, i));
  if (step.args.size() > 1 && is_kept_here(call, step.args[1].from))
    step.args[0] = {From::kConst, static_cast<uint32_t>(AT_FDCWD), 0, 0, ""};
  step.key = describe(step);
  return step;
}

const StepSources* SourceTable::keep(StepSources sources) {
  std::unique_ptr<StepSources>& slot = by_key_[sources.key];
  if (!slot) slot = std::make_unique<StepSources>(std::move(sources));
  return slot.get();
}

// The sources of each argument as numbers, without a text: two calls of the same form have the same key.
const StepSources* SourceTable::of(const FlowContext& context, const PackedEvent& call) {
  const CallTraits& traits = traits_of(call);
  Form form{static_cast<uint64_t>(call.nr())};
  for (size_t i = 0; i < traits.nargs; ++i) {
    const ArgSource source = source_of(context, call, traits, i);
    uint64_t& part = form[1 + 2 * i];
    part = static_cast<uint64_t>(source.from) << 8 | source.index;
    form[2 + 2 * i] = source.value;
    if (source.from == From::kString && !source.text.empty())
      form[2 + 2 * i] = reinterpret_cast<uint64_t>(string_argument(*context.stream, call, traits, i));
    if (i == 1 && is_kept_here(call, source.from)) form[1] = form[2] = UINT64_MAX;
  }
  const StepSources*& known = by_form_[form];
  if (!known) known = keep(explain(context, call));
  return known;
}

size_t SourceTable::Hash::operator()(const Form& form) const {
  uint64_t h = 0;
  for (const uint64_t part : form) h = (h ^ part) * 0x9e3779b97f4a7c15ull, h ^= h >> 31;
  return h;
}

const std::string* kept_path_of(const Stream& stream, const PackedEvent& call) {
  if (call.nr() != SYSVM_NR_newfstatat || static_cast<int32_t>(call.arg(0)) != AT_FDCWD) return nullptr;
  if (call.arg(3) != 0 && call.arg(3) != AT_SYMLINK_NOFOLLOW) return nullptr;
  const std::string* path = string_argument(stream, call, traits_of(call), 1);
  return path && path->starts_with('/') ? path : nullptr;
}

std::string describe(const StepSources& step) {
  std::string out = call_name(step.nr) + "(";
  for (size_t i = 0; i < step.args.size(); ++i) {
    const ArgSource& a = step.args[i];
    if (i) out += ", ";
    switch (a.from) {
      case From::kNothing: out += "_"; break;
      case From::kConst:
        if (i == 1 && step.traits.arg[1].kind == SYSVM_KIND_CMD &&
            step.traits.name.find(' ') != std::string::npos)
          out += step.traits.name.substr(step.traits.name.find(' ') + 1);
        else
          out += number_text(a.value, step.traits.arg[i]);
        break;
      case From::kTriggerResult: out += "fd"; break;
      case From::kStepResult: out += fmt::format("#{}", a.index); break;
      case From::kTriggerArg: out += fmt::format("${}", a.index); break;
      case From::kPath: out += "path"; break;
      case From::kString: out += '"' + a.text + '"'; break;
      case From::kKept: out += "kept"; break;
      case From::kOut: out += "buf"; break;
      case From::kSize: out += "size"; break;
      case From::kDirectory: out += "dir"; break;
      case From::kDirentName: out += "name"; break;
      case From::kDirentUnder: out += "dir/name"; break;
      case From::kRow: out += "next in memory"; break;
      case From::kVarying: out += "?"; break;
    }
  }
  return out + ")";
}

}  // namespace sysvm
