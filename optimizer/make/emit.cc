// SPDX-License-Identifier: MIT
#include "optimizer/make/emit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>

#include "optimizer/make/emitter.h"

namespace sysvm {
namespace {

constexpr uint32_t kEndSize = 64;        // asked for where the end is expected; a longer answer is a miss
constexpr uint32_t kLongestEntry = 280;  // struct linux_dirent64 with a name of 255 bytes, rounded up

}  // namespace

Result<Emitted> Emitter::run() {
  choose_guard();
  descriptor_ = is_open(plan_.nr) ? kTriggerResult : uint8_t{0};
  staging_ = (sizeof(struct stat) + 63) / 64 * 64;  // SVP_GUARD_STAT comes first
  if (guarded_) guard();
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    if (steps_result_.size() <= i) steps_result_.resize(i + 1, 0);
    if (guarded_ && i == hoisted_) {
      followers_.push_back(hoisted_follower_);
      steps_result_[i] = hoisted_follower_.result;
      continue;
    }
    step(i);
  }
  line("done:");
  line("end");
  if (next_ > kLastFree || followers_.size() > SVP_MAX_FOLLOWERS || staging_ > SVP_STAGING_MAX)
    return error("{}: too large: {} registers, {} followers, {} bytes staged", name(), next_,
                 followers_.size(), staging_);
  Emitted out;
  out.text = prologue() + constants() + body_;
  out.proc.name = name();
  out.proc.mode = SVP_RUN_AHEAD;
  out.proc.seen = plan_.seen;
  out.proc.exe = plan_.exe;
  out.proc.staging = static_cast<uint32_t>(staging_);
  out.proc.trigger_result = kTriggerResult;
  out.proc.triggers.push_back(trigger());
  out.proc.followers = followers_;
  out.proc.loop = loop_;
  out.proc.data = data_;
  return out;
}

std::string Emitter::name() const {
  std::string out = traits_of(plan_.nr, plan_.args).name;
  if (is_open(plan_.nr) || plan_.nr == SYSVM_NR_read) out = call_name(plan_.nr);
  if (plan_.streak) out += fmt::format(" no. {} in a row", plan_.streak);
  if (!plan_.path.empty()) out += " \"" + plan_.path + "\"";
  out += ":";
  for (const PlannedStep& s : plan_.steps) {
    out += " " + s.sources->traits.name;
    if (s.repeats > 1) out += fmt::format("*{}", s.repeats);
    if (s.end_call) out += "+end";
  }
  return out;
}

std::string Emitter::prologue() const {
  std::string out = closes();
  out += fmt::format("{} r{}", call_name(plan_.nr), kTriggerResult);
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(plan_.nr);
  for (size_t i = 0; i < row->nargs; ++i) out += fmt::format(", r{}", i);
  return out + "\n";
}

Trigger Emitter::trigger() {
  Trigger t;
  t.nr = plan_.nr;
  t.streak = plan_.streak;
  const CallTraits& traits = traits_of(plan_.nr, plan_.args);
  for (size_t i = 0; i < traits.nargs; ++i) {
    const uint16_t kind = traits.arg[i].kind;
    if (kind == SYSVM_KIND_FLAGS || kind == SYSVM_KIND_CMD)
      t.arg[i] = emitted_arg(SVP_ARG_CONST, plan_.args[i] & 0xffffffffu);
    if (kind == SYSVM_KIND_PATH && t.path_arg == 6) {
      t.path_arg = static_cast<uint32_t>(i);
      if (!plan_.path.empty()) t.arg[i] = emitted_arg(SVP_ARG_STRING, string(plan_.path));
    }
  }
  return t;
}

void Emitter::choose_guard() {
  hoisted_ = plan_.steps.size();
  guarded_ = is_open(plan_.nr) || plan_.nr == SYSVM_NR_read || plan_.nr == SYSVM_NR_fcntl;
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    const StepSources& s = *plan_.steps[i].sources;
    const From own = is_open(plan_.nr) ? From::kTriggerResult : From::kTriggerArg;
    if (is_struct_stat(s.nr) && s.args[0].from == own && !plan_.steps[i].go_on &&
        (s.nr == SYSVM_NR_fstat || (s.args[1].from == From::kString && s.args[1].text.empty()))) {
      hoisted_ = i;
      return;
    }
    if (s.traits.effect == SYSVM_EFFECT_POS) return;
  }
}

void Emitter::guard() {
  if (hoisted_ < plan_.steps.size()) {
    hoisted_follower_ = call(plan_.steps[hoisted_], 0, 0, /*guard=*/true);
  } else {
    line(fmt::format("fstat r{}, r{}, r{}", fresh(), descriptor_, +SVP_REG_STAGING));
  }
  const uint8_t t = temporary();
  line(
      fmt::format("ld64 r{}, [r{}+{}]", t, +SVP_REG_STAGING, SVP_GUARD_STAT + offsetof(struct stat, st_dev)));
  line(fmt::format("jne r{}, r{}, done", t, +SVP_REG_DEVICE));
  line(fmt::format("ld32 r{}, [r{}+{}]", t, +SVP_REG_STAGING,
                   SVP_GUARD_STAT + offsetof(struct stat, st_mode)));
  line(fmt::format("andi r{0}, r{0}, {1}", t, S_IFMT));
  line(
      fmt::format("jne r{}, r{}, done", t, constant(plan_.kind == FileKind::kDirectory ? S_IFDIR : S_IFREG)));
}

void Emitter::guard_data() {
  if (!guarded_ || data_guarded_) return;
  data_guarded_ = true;
  const uint8_t a = temporary(), b = temporary2(), an = fresh(), bn = fresh();
  auto load = [&](uint8_t reg, size_t offset) {
    line(fmt::format("ld64 r{}, [r{}+{}]", reg, +SVP_REG_STAGING, SVP_GUARD_STAT + offset));
  };
  if (plan_.kind == FileKind::kRegular) {
    load(a, offsetof(struct stat, st_size));
    line(fmt::format("jz r{}, done", a));
  }
  const std::string ok = label();
  line(fmt::format("jnz r{}, {}", +SVP_REG_NOATIME, ok));
  load(a, offsetof(struct stat, st_atim));
  load(an, offsetof(struct stat, st_atim) + 8);
  line(fmt::format("jle r{}, r{}, done", a, +SVP_REG_ATIME));
  for (size_t other : {offsetof(struct stat, st_mtim), offsetof(struct stat, st_ctim)}) {
    const std::string later = label();
    load(b, other);
    line(fmt::format("jlt r{}, r{}, {}", b, a, later));
    line(fmt::format("jne r{}, r{}, done", a, b));
    load(bn, other + 8);
    line(fmt::format("jle r{}, r{}, done", an, bn));
    line(later + ":");
  }
  line(ok + ":");
}

bool Emitter::reads_data(const StepSources& s) const {
  return s.nr == SYSVM_NR_read || s.nr == SYSVM_NR_pread64 || s.nr == SYSVM_NR_getdents64;
}

void Emitter::step(size_t i) {
  const PlannedStep& s = plan_.steps[i];
  if (s.sources->loop) return loop_after_getdents(s);
  if (reads_data(*s.sources)) guard_data();
  if (is_run_call(s.sources->nr)) return run_of(s, i);
  followers_.push_back(call(s, i, s.size, false));
  steps_result_[i] = followers_.back().result;
}

void Emitter::run_of(const PlannedStep& s, size_t index) {
  const bool entries = s.sources->nr == SYSVM_NR_getdents64;
  const std::string end = label(), after = label();
  const bool loops = entries && index + 1 < plan_.steps.size() && plan_.steps[index + 1].sources->loop;
  if (entries) names_at_ = staging_;
  if (loops) line(fmt::format("movi8 r{}, 0", more_ = fresh()));
  for (uint32_t k = 0; k < s.repeats; ++k) {
    followers_.push_back(call(s, index, s.size, false));
    const uint8_t got = followers_.back().result, asked = constant(s.size);
    if (entries) names_bytes_ = got;
    const bool last = k + 1 == s.repeats;
    line(fmt::format("jz r{}, {}", got, after));
    if (entries) {  // short: the kernel would have added even the longest entry
      const uint8_t t = temporary();
      line(fmt::format("addi r{}, r{}, {}", t, got, kLongestEntry));
      line(fmt::format("jle r{}, r{}, {}", t, asked, end));
    } else {
      line(fmt::format("jlt r{}, r{}, {}", got, asked, end));
    }
    if (last && loops) line(fmt::format("movi8 r{}, 1", more_));  // the loop, but nothing after it
    if (last) line(fmt::format("jmp {}", s.after_full || loops ? after : "done"));
  }
  line(end + ":");
  if (s.end_call)
    followers_.push_back(call(s, index, entries ? s.size : std::min<uint64_t>(kEndSize, s.size), false));
  line(after + ":");
}

namespace {

Emitted without_code(svp_mode mode, uint32_t nr, const std::string& name, const std::string& exe,
                     uint64_t seen) {
  Emitted out;
  out.text = "end\n";
  out.proc.name = name;
  out.proc.mode = mode;
  out.proc.exe = exe;
  out.proc.seen = seen;
  out.proc.trigger_result = Emitter::kTriggerResult;
  Trigger t;
  t.nr = nr;
  out.proc.triggers.push_back(t);
  return out;
}

}  // namespace

Result<Emitted> emit_run_ahead(const Plan& plan, bool late_close) { return Emitter(plan, late_close).run(); }

Emitted emit_answer(const AnsweredCall& call, const std::string& exe, uint64_t seen) {
  Emitted out = without_code(SVP_ANSWER, call.nr, call.name, exe, seen);
  for (const auto& [i, value] : call.constants)
    out.proc.triggers[0].arg[i] = emitted_arg(SVP_ARG_CONST, value);
  return out;
}

Emitted emit_late_close(const std::string& exe, uint64_t seen) {
  return without_code(SVP_LATE_CLOSE, SYSVM_NR_close, "close", exe, seen);
}

}  // namespace sysvm
