// SPDX-License-Identifier: MIT
#include "optimizer/make/emitter.h"

namespace sysvm {
namespace {

constexpr uint8_t kClosed = 6;

std::string constant_text(uint8_t reg, uint64_t value) {
  const auto v = static_cast<int64_t>(value);
  const char* name = v == static_cast<int8_t>(v)    ? "movi8"
                     : v == static_cast<int16_t>(v) ? "movi16"
                     : v == static_cast<int32_t>(v) ? "movi32"
                                                    : "movi64";
  return fmt::format("{} r{}, {}", name, reg, v);
}

}  // namespace

uint8_t Emitter::constant(uint64_t value) {
  auto [at, is_new] = constants_.try_emplace(value, 0);
  if (is_new) {
    at->second = fresh();
    constant_order_.push_back(value);
  }
  return at->second;
}

uint64_t Emitter::stage(uint64_t bytes) {
  const uint64_t at = staging_;
  staging_ = (staging_ + bytes + 63) / 64 * 64;
  return at;
}

uint64_t Emitter::string(const std::string& text) {
  auto [at, is_new] = strings_.try_emplace(text, data_.size());
  if (is_new) {
    data_.insert(data_.end(), text.begin(), text.end());
    data_.push_back(0);
  }
  return at->second;
}

std::string Emitter::closes() const {
  if (!late_close_) return "";
  return fmt::format(
      "jneg r{0}, open\ngoon close r{2}, r{0}\njneg r{1}, open\ngoon close r{2}, r{1}\nopen:\n",
      +SVP_REG_CLOSE, +SVP_REG_CLOSE2, kClosed);
}

std::string Emitter::constants() const {
  std::string out;
  for (uint64_t value : constant_order_) out += constant_text(constants_.at(value), value) + "\n";
  for (const auto& [text, reg] : string_registers_)
    out += fmt::format("data r{}, {}\n", reg, strings_.at(text));
  return out;
}

Follower Emitter::call(const PlannedStep& s, size_t, uint64_t size, bool guard) {
  const StepSources& src = *s.sources;
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(src.nr);
  Follower f;
  f.nr = src.nr;
  f.nargs = row->nargs;
  f.result = fresh();
  std::string text = fmt::format("{}{} r{}", s.go_on ? "goon " : "", row->name, f.result);
  for (size_t i = 0; i < row->nargs; ++i) {
    const ArgSource a = i < src.args.size() ? src.args[i] : ArgSource{};
    text += fmt::format(", r{}", argument(a, size, guard, f.arg[i]));
  }
  line(text);
  return f;
}

uint8_t Emitter::argument(const ArgSource& a, uint64_t size, bool guard, svp_arg& rule) {
  switch (a.from) {
    case From::kConst: rule = emitted_arg(SVP_ARG_CONST, a.value); return constant(a.value);
    case From::kTriggerResult: rule = emitted_arg(SVP_ARG_REG, 0, kTriggerResult); return kTriggerResult;
    case From::kStepResult:
      rule = emitted_arg(SVP_ARG_REG, 0, steps_result_[a.index]);
      return steps_result_[a.index];
    case From::kTriggerArg: rule = emitted_arg(SVP_ARG_REG, 0, a.index); return a.index;
    case From::kPath:
      rule = emitted_arg(SVP_ARG_PATH);
      line(fmt::format("jz r{}, done", +SVP_REG_PATH));
      return SVP_REG_PATH;
    case From::kString: {
      rule = emitted_arg(SVP_ARG_STRING, string(a.text));
      auto [at, is_new] = string_registers_.try_emplace(a.text, 0);
      if (is_new) at->second = fresh();
      return at->second;
    }
    case From::kKept: {
      const uint8_t reg = fresh();
      rule = emitted_arg(SVP_ARG_KEPT, 0, reg);
      line(fmt::format("jz r{}, done", reg));
      return reg;
    }
    case From::kOut: {
      const auto bytes = static_cast<uint32_t>(a.index == 6 ? a.bytes : size);
      if (guard) {
        rule = emitted_arg(SVP_ARG_OUT, SVP_GUARD_STAT, 0, bytes);
        return SVP_REG_STAGING;
      }
      const uint64_t at = stage(bytes);
      const uint8_t reg = fresh();
      rule = emitted_arg(SVP_ARG_OUT, at, 0, bytes);
      line(fmt::format("addi r{}, r{}, {}", reg, +SVP_REG_STAGING, at));
      return reg;
    }
    case From::kSize: {
      const uint8_t reg = constant(size);
      rule = emitted_arg(SVP_ARG_COUNT, 0, reg);
      return reg;
    }
    case From::kNothing:
    case From::kVarying:
    case From::kDirectory:
    case From::kDirentName:
    case From::kDirentUnder:
    case From::kRow: break;
  }
  rule = emitted_arg(SVP_ARG_ANY);
  return constant(0);
}

}  // namespace sysvm
