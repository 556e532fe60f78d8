// SPDX-License-Identifier: MIT
#include "optimizer/emit.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <map>

namespace sysvm {
namespace {

constexpr uint8_t kClosed = 6, kTriggerResult = 7, kFirstFree = 8;
constexpr uint8_t kLastFree = SVP_REG_CLOSE2 - 1;
constexpr uint32_t kEndSize = 64;        // asked for where the end is expected; a longer answer is a miss
constexpr uint32_t kLongestEntry = 280;  // struct linux_dirent64 with a name of 255 bytes, rounded up

svp_arg arg(svp_arg_kind kind, uint64_t value = 0, uint8_t reg = 0, uint32_t size = 0) {
  svp_arg a{};
  a.kind = static_cast<uint8_t>(kind);
  a.value = value;
  a.reg = reg;
  a.size = size;
  return a;
}

std::string constant_text(uint8_t reg, uint64_t value) {
  const auto v = static_cast<int64_t>(value);
  const char* name = v == static_cast<int8_t>(v)    ? "movi8"
                     : v == static_cast<int16_t>(v) ? "movi16"
                     : v == static_cast<int32_t>(v) ? "movi32"
                                                    : "movi64";
  return fmt::format("{} r{}, {}", name, reg, v);
}

constexpr uint32_t kEntryLength = 16, kEntryName = 19;  // in struct linux_dirent64
constexpr uint32_t kMostRecords = 512;

uint64_t out_bytes(const EachCall& call) {
  for (const ArgSource& a : call.sources.args)
    if (a.from == From::kOut) return a.index == 6 ? a.bytes : call.size;
  return 0;
}

class Emitter {
 public:
  Emitter(const Plan& plan, bool late_close) : plan_(plan), late_close_(late_close) {}

  // The loop alone (emit_loop).
  Result<Emitted> run_loop(const LoopShape& shape) {
    staging_ = (sizeof(struct stat) + 63) / 64 * 64;
    loop(shape, 0, loop_capacity(shape, SVP_STAGING_MAX - staging_));
    line("done:");
    line("end");
    const StepSources& first = shape.calls[0].sources;
    Trigger t;
    t.nr = first.nr;
    for (size_t i = 0; i < first.args.size(); ++i) {
      if (first.args[i].from == From::kEntryName) t.arg[i] = arg(SVP_ARG_NAME);
      if (first.args[i].from == From::kEntryUnder) t.arg[i] = arg(SVP_ARG_UNDER);
      if (first.args[i].from == From::kConst) t.arg[i] = arg(SVP_ARG_CONST, first.args[i].value);
      if (t.arg[i].kind == SVP_ARG_NAME || t.arg[i].kind == SVP_ARG_UNDER) t.path_arg = static_cast<uint32_t>(i);
    }
    Emitted out;
    out.text = closes() + constants() + body_;
    out.proc.name = loop_sources(std::make_shared<LoopShape>(shape), {}).traits.name;
    out.proc.mode = SVP_RUN_AHEAD;
    out.proc.seen = plan_.seen;
    out.proc.exe = plan_.exe;
    out.proc.staging = static_cast<uint32_t>(staging_);
    out.proc.trigger_result = kTriggerResult;
    out.proc.triggers.push_back(t);
    out.proc.followers = followers_;
    out.proc.loop = loop_;
    out.proc.data = data_;
    return out;
  }

  Result<Emitted> run() {
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

 private:
  // --- names and small things

  std::string name() const {
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
  void line(const std::string& text) { body_ += text + "\n"; }
  std::string label() { return fmt::format("l{}", ++labels_); }
  uint8_t fresh() { return next_ > kLastFree ? kLastFree : static_cast<uint8_t>(next_++); }
  uint8_t constant(uint64_t value) {
    auto [at, is_new] = constants_.try_emplace(value, 0);
    if (is_new) {
      at->second = fresh();
      constant_order_.push_back(value);
    }
    return at->second;
  }
  uint64_t stage(uint64_t bytes) {
    const uint64_t at = staging_;
    staging_ = (staging_ + bytes + 63) / 64 * 64;
    return at;
  }
  uint64_t string(const std::string& text) {
    auto [at, is_new] = strings_.try_emplace(text, data_.size());
    if (is_new) {
      data_.insert(data_.end(), text.begin(), text.end());
      data_.push_back(0);
    }
    return at->second;
  }

  // --- the parts

  std::string closes() const {
    if (!late_close_) return "";
    return fmt::format("jneg r{0}, open\ngoon close r{2}, r{0}\njneg r{1}, open\ngoon close r{2}, r{1}\nopen:\n",
                       +SVP_REG_CLOSE, +SVP_REG_CLOSE2, kClosed);
  }

  std::string prologue() const {
    std::string out = closes();
    out += fmt::format("{} r{}", call_name(plan_.nr), kTriggerResult);
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(plan_.nr);
    for (size_t i = 0; i < row->nargs; ++i) out += fmt::format(", r{}", i);
    return out + "\n";
  }

  std::string constants() const {
    std::string out;
    for (uint64_t value : constant_order_) out += constant_text(constants_.at(value), value) + "\n";
    for (const auto& [text, reg] : string_registers_)
      out += fmt::format("data r{}, {}\n", reg, strings_.at(text));
    return out;
  }

  Trigger trigger() {
    Trigger t;
    t.nr = plan_.nr;
    t.streak = plan_.streak;
    const CallTraits traits = traits_of(plan_.nr, plan_.args);
    for (size_t i = 0; i < traits.nargs; ++i) {
      const uint16_t kind = traits.arg[i].kind;
      if (kind == SYSVM_KIND_FLAGS || kind == SYSVM_KIND_CMD)
        t.arg[i] = arg(SVP_ARG_CONST, plan_.args[i] & 0xffffffffu);
      if (kind == SYSVM_KIND_PATH && t.path_arg == 6) {
        t.path_arg = static_cast<uint32_t>(i);
        if (!plan_.path.empty()) t.arg[i] = arg(SVP_ARG_STRING, string(plan_.path));
      }
    }
    return t;
  }

  // The first fstat of the descriptor, if what stands before it leaves the file as it is.
  void choose_guard() {
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

  void guard() {
    if (hoisted_ < plan_.steps.size()) {
      hoisted_follower_ = call(plan_.steps[hoisted_], 0, 0, /*guard=*/true);
    } else {
      line(fmt::format("fstat r{}, r{}, r{}", fresh(), descriptor_, +SVP_REG_STAGING));
    }
    const uint8_t t = temporary();
    line(fmt::format("ld64 r{}, [r{}+{}]", t, +SVP_REG_STAGING,
                     SVP_GUARD_STAT + offsetof(struct stat, st_dev)));
    line(fmt::format("jne r{}, r{}, done", t, +SVP_REG_DEVICE));
    line(fmt::format("ld32 r{}, [r{}+{}]", t, +SVP_REG_STAGING,
                     SVP_GUARD_STAT + offsetof(struct stat, st_mode)));
    line(fmt::format("andi r{0}, r{0}, {1}", t, S_IFMT));
    line(fmt::format("jne r{}, r{}, done", t,
                     constant(plan_.kind == FileKind::kDirectory ? S_IFDIR : S_IFREG)));
  }

  // Before data is read: there is some, and reading it leaves atime as it is.
  void guard_data() {
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

  uint8_t temporary() { return temporary_ ? temporary_ : temporary_ = fresh(); }
  uint8_t temporary2() { return temporary2_ ? temporary2_ : temporary2_ = fresh(); }

  bool reads_data(const StepSources& s) const {
    return s.nr == SYSVM_NR_read || s.nr == SYSVM_NR_pread64 || s.nr == SYSVM_NR_getdents64;
  }

  void step(size_t i) {
    const PlannedStep& s = plan_.steps[i];
    if (s.sources->loop) return loop_behind_getdents(s);
    if (reads_data(*s.sources)) guard_data();
    if (is_run_call(s.sources->nr)) return run_of(s, i);
    followers_.push_back(call(s, i, s.size, false));
    steps_result_[i] = followers_.back().result;
  }

  // One call of a step: the line of code, and how the runtime recognises the application's.
  Follower call(const PlannedStep& s, size_t, uint64_t size, bool guard) {
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

  // The register that the code passes; fills what the runtime compares.
  uint8_t argument(const ArgSource& a, uint64_t size, bool guard, svp_arg& rule) {
    switch (a.from) {
      case From::kConst:
        rule = arg(SVP_ARG_CONST, a.value);
        return constant(a.value);
      case From::kTriggerResult:
        rule = arg(SVP_ARG_REG, 0, kTriggerResult);
        return kTriggerResult;
      case From::kStepResult:
        rule = arg(SVP_ARG_REG, 0, steps_result_[a.index]);
        return steps_result_[a.index];
      case From::kTriggerArg:
        rule = arg(SVP_ARG_REG, 0, a.index);
        return a.index;
      case From::kPath:
        rule = arg(SVP_ARG_PATH);
        line(fmt::format("jz r{}, done", +SVP_REG_PATH));
        return SVP_REG_PATH;
      case From::kString: {
        rule = arg(SVP_ARG_STRING, string(a.text));
        auto [at, is_new] = string_registers_.try_emplace(a.text, 0);
        if (is_new) at->second = fresh();
        return at->second;
      }
      case From::kKept: {
        const uint8_t reg = fresh();
        rule = arg(SVP_ARG_KEPT, 0, reg);
        line(fmt::format("jz r{}, done", reg));
        return reg;
      }
      case From::kOut: {
        const auto bytes = static_cast<uint32_t>(a.index == 6 ? a.bytes : size);
        if (guard) {
          rule = arg(SVP_ARG_OUT, SVP_GUARD_STAT, 0, bytes);
          return SVP_REG_STAGING;
        }
        const uint64_t at = stage(bytes);
        const uint8_t reg = fresh();
        rule = arg(SVP_ARG_OUT, at, 0, bytes);
        line(fmt::format("addi r{}, r{}, {}", reg, +SVP_REG_STAGING, at));
        return reg;
      }
      case From::kSize: {
        const uint8_t reg = constant(size);
        rule = arg(SVP_ARG_COUNT, 0, reg);
        return reg;
      }
      case From::kNothing:
      case From::kVarying:
      case From::kDirectory:
      case From::kEntryName:
      case From::kEntryUnder:
        break;
    }
    rule = arg(SVP_ARG_ANY);
    return constant(0);
  }

  void run_of(const PlannedStep& s, size_t index) {
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
      if (last && loops) line(fmt::format("movi8 r{}, 1", more_));  // the loop, but nothing behind it
      if (last) line(fmt::format("jmp {}", s.after_full || loops ? after : "done"));
    }
    line(end + ":");
    if (s.end_call)
      followers_.push_back(call(s, index, entries ? s.size : std::min<uint64_t>(kEndSize, s.size), false));
    line(after + ":");
  }

  void loop_behind_getdents(const PlannedStep& s) {
    line(fmt::format("addi r{}, r{}, {}", +SVP_REG_ENTRY, +SVP_REG_STAGING, names_at_));
    line(fmt::format("add r{0}, r{1}, r{2}", +SVP_REG_ENTRY_END, +SVP_REG_ENTRY, names_bytes_));
    const uint8_t inode = fresh(), at = fresh(), avoided = fresh();
    const std::string next = label(), ok = label();
    line(fmt::format("ld64 r{}, [r{}+{}]", inode, +SVP_REG_STAGING, SVP_GUARD_STAT + offsetof(struct stat, st_ino)));
    line(fmt::format("mov r{}, r{}", at, +SVP_REG_AVOID));
    line(next + ":");
    line(fmt::format("ld64 r{}, [r{}+0]", avoided, at));
    line(fmt::format("jz r{}, {}", avoided, ok));
    line(fmt::format("jeq r{}, r{}, done", avoided, inode));
    line(fmt::format("addi r{0}, r{0}, 8", at));
    line(fmt::format("jmp {}", next));
    line(ok + ":");
    const ArgSource& directory = s.sources->args[0];
    loop(*s.sources->loop, directory.from == From::kStepResult ? steps_result_[directory.index] : kTriggerResult,
         s.repeats);
    line(fmt::format("jnz r{}, done", more_));
  }

  // For each name from SVP_REG_ENTRY on: the shape's calls. Runs on behind the last, else to "done".
  void loop(const LoopShape& shape, uint8_t directory, uint32_t capacity) {
    const uint32_t stride = record_stride(shape);
    const auto records = static_cast<uint32_t>(stage(uint64_t{capacity} * stride));
    const auto n = static_cast<uint32_t>(shape.calls.size());
    const uint8_t record = fresh(), limit = fresh(), window = fresh(), name = fresh(), kind = fresh(), t = fresh(),
                  u = fresh(), result = fresh(), none = constant(SVP_NOT_MADE);
    const uint8_t dot = constant('.'), dots = constant('.' | '.' << 8);
    const std::string next = label(), skip = label(), take = label(), over = label();
    loop_ = svp_loop{};
    loop_->first = static_cast<uint32_t>(followers_.size());
    loop_->followers = n;
    loop_->records = records;
    loop_->stride = stride;
    loop_->capacity = capacity;
    loop_->end = record;
    loop_->flags = shape.leaves ? SVP_LOOP_LEAVES : 0;

    line(fmt::format("addi r{}, r{}, {}", record, +SVP_REG_STAGING, records));
    line(fmt::format("addi r{}, r{}, {}", limit, record, uint64_t{capacity} * stride));
    line(fmt::format("mov r{}, r{}", window, +SVP_REG_WINDOW));
    line(next + ":");
    line(fmt::format("jbe r{}, r{}, {}", +SVP_REG_ENTRY_END, +SVP_REG_ENTRY, over));
    line(fmt::format("jz r{}, done", window));
    line(fmt::format("jbe r{}, r{}, done", limit, record));
    line(fmt::format("addi r{}, r{}, {}", name, +SVP_REG_ENTRY, kEntryName));
    if (shape.hidden) {  // all but . and ..
      line(fmt::format("ld16 r{}, [r{}+0]", t, name));
      line(fmt::format("jeq r{}, r{}, {}", t, dot, skip));
      line(fmt::format("jne r{}, r{}, {}", t, dots, take));
      line(fmt::format("ld8 r{}, [r{}+2]", t, name));
      line(fmt::format("jz r{}, {}", t, skip));
      line(take + ":");
    } else {
      line(fmt::format("ld8 r{}, [r{}+0]", t, name));
      line(fmt::format("jeq r{}, r{}, {}", t, dot, skip));
    }
    if (shape.under) copy_name(name, t, u);
    line(fmt::format("st64 [r{}+0], r{}", record, +SVP_REG_ENTRY));

    uint64_t at = 8 + 8 * uint64_t{n};
    const std::string rest = label();
    for (uint32_t i = 0; i < n; ++i) {
      const EachCall& call = shape.calls[i];
      const std::string made = label();
      const uint64_t room = (out_bytes(call) + 7) / 8 * 8;
      if (i) {
        line(fmt::format("st64 [r{}+{}], r{}", record, 8 + 8 * i, none));
        skip_other_kinds(call.kinds, kind, made);
        if (is_readlink(call)) guard_link(shape.calls[0], 8 + 8 * uint64_t{n}, record, t, u, made);
      }
      each_call(call, at, record, directory, name, result, u, made);
      line(fmt::format("st64 [r{}+{}], r{}", record, 8 + 8 * i, result));
      if (!i) look_at_kind(call, at, record, result, kind, t, u, n);
      at += room;
      line(made + ":");
    }
    line(fmt::format("addi r{0}, r{0}, {1}", record, stride));
    line(fmt::format("addi r{0}, r{0}, -1", window));
    if (shape.leaves) {
      const std::string stay = label();
      line(fmt::format("jne r{}, r{}, {}", kind, constant(S_IFDIR), stay));
      line("jmp done");
      line(stay + ":");
    }
    line(skip + ":");
    line(fmt::format("ld16 r{}, [r{}+{}]", t, +SVP_REG_ENTRY, kEntryLength));
    line(fmt::format("add r{0}, r{0}, r{1}", +SVP_REG_ENTRY, t));
    line("jmp " + next);
    line(over + ":");
  }

  // To SVP_REG_NAME, 8 bytes at a time; what follows the name's 0 does not matter. The entry is at least 24 long.
  void copy_name(uint8_t name, uint8_t t, uint8_t u) {
    const uint8_t to = fresh(), end = fresh();
    const std::string next = label();
    line(fmt::format("ld16 r{}, [r{}+{}]", t, +SVP_REG_ENTRY, kEntryLength));
    line(fmt::format("add r{}, r{}, r{}", end, +SVP_REG_ENTRY, t));
    line(fmt::format("mov r{}, r{}", to, +SVP_REG_NAME));
    line(fmt::format("mov r{}, r{}", u, name));
    line(next + ":");
    line(fmt::format("ld64 r{}, [r{}+0]", t, u));
    line(fmt::format("st64 [r{}+0], r{}", to, t));
    line(fmt::format("addi r{0}, r{0}, 8", u));
    line(fmt::format("addi r{0}, r{0}, 8", to));
    line(fmt::format("jb r{}, r{}, {}", u, end, next));
  }

  static bool is_readlink(const EachCall& call) {
    return call.sources.nr == SYSVM_NR_readlink || call.sources.nr == SYSVM_NR_readlinkat;
  }

  void each_call(const EachCall& call, uint64_t at, uint8_t record, uint8_t directory, uint8_t name, uint8_t result,
                 uint8_t out, const std::string& made) {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(call.sources.nr);
    Follower f;
    f.nr = call.sources.nr;
    f.nargs = row->nargs;
    f.result = result;
    std::string text = fmt::format("goon {} r{}", row->name, result);
    for (size_t i = 0; i < row->nargs; ++i) {
      const ArgSource& a = call.sources.args[i];
      uint8_t reg = 0;
      switch (a.from) {
        case From::kDirectory:
          f.arg[i] = arg(SVP_ARG_REG, 0, directory);
          reg = directory;
          break;
        case From::kEntryName:
          f.arg[i] = arg(SVP_ARG_NAME);
          reg = name;
          break;
        case From::kEntryUnder:
          f.arg[i] = arg(SVP_ARG_UNDER);
          reg = SVP_REG_UNDER;
          break;
        case From::kKept:
          f.arg[i] = arg(SVP_ARG_KEPT, 0, reg = fresh());
          line(fmt::format("jz r{}, {}", reg, made));
          break;
        case From::kOut: {
          const uint64_t bytes = out_bytes(call);
          f.arg[i] = arg(SVP_ARG_OUT, at, 0, static_cast<uint32_t>(bytes));
          if (bytes) line(fmt::format("addi r{}, r{}, {}", out, record, at));
          reg = bytes ? out : constant(0);
          break;
        }
        case From::kSize:
          reg = constant(call.size);
          f.arg[i] = arg(SVP_ARG_COUNT, 0, reg);
          break;
        default:
          reg = argument(a, 0, false, f.arg[i]);
      }
      text += fmt::format(", r{}", reg);
    }
    followers_.push_back(f);
    line(text);
  }

  static bool is_statx(const EachCall& call) { return call.sources.nr == SYSVM_NR_statx; }

  // Behind the first call: nothing follows if it failed; another device ends the loop.
  void look_at_kind(const EachCall& call, uint64_t at, uint8_t record, uint8_t result, uint8_t kind, uint8_t t, uint8_t u,
                    uint32_t) {
    const std::string failed = label(), good = label();
    line(fmt::format("movi8 r{}, 0", kind));
    line(fmt::format("jneg r{}, {}", result, good));
    if (is_statx(call)) {  // st_dev is made of the two as the C library's makedev does it, below 2^20 minors
      line(fmt::format("ld32 r{}, [r{}+{}]", t, record, at + offsetof(struct statx, stx_dev_major)));
      line(fmt::format("ld32 r{}, [r{}+{}]", u, record, at + offsetof(struct statx, stx_dev_minor)));
      line(fmt::format("shl r{0}, r{0}, r{1}", t, constant(8)));
      line(fmt::format("andi r{}, r{}, 255", kind, u));
      line(fmt::format("or r{0}, r{0}, r{1}", t, kind));
      line(fmt::format("sub r{0}, r{0}, r{1}", u, kind));
      line(fmt::format("shl r{0}, r{0}, r{1}", u, constant(12)));
      line(fmt::format("or r{0}, r{0}, r{1}", t, u));
      line(fmt::format("ld16 r{}, [r{}+{}]", kind, record, at + offsetof(struct statx, stx_mode)));
    } else {
      line(fmt::format("ld64 r{}, [r{}+{}]", t, record, at + offsetof(struct stat, st_dev)));
      line(fmt::format("ld32 r{}, [r{}+{}]", kind, record, at + offsetof(struct stat, st_mode)));
    }
    line(fmt::format("andi r{0}, r{0}, {1}", kind, S_IFMT));
    line(fmt::format("jeq r{}, r{}, {}", t, +SVP_REG_DEVICE, good));
    line(fmt::format("jne r{}, r{}, done", t, +SVP_REG_DEVICE2));
    line(fmt::format("jeq r{}, r{}, done", kind, constant(S_IFDIR)));
    line(good + ":");
  }

  void skip_other_kinds(uint32_t kinds, uint8_t kind, const std::string& to) {
    const std::string take = label();
    for (uint32_t k = 1; k < 16; ++k)
      if (kinds >> k & 1) line(fmt::format("jeq r{}, r{}, {}", kind, constant(uint64_t{k} << 12), take));
    line("jmp " + to);
    line(take + ":");
  }

  // Reading a link must leave its atime as it is: the rule of guard_data, on what the first call has shown.
  void guard_link(const EachCall& first, uint64_t at, uint8_t record, uint8_t a, uint8_t b, const std::string& to) {
    const bool x = is_statx(first);
    const std::string ok = label();
    auto second = [&](uint8_t reg, size_t stat, size_t statx) {
      line(fmt::format("ld64 r{}, [r{}+{}]", reg, record, at + (x ? statx : stat)));
    };
    auto nano = [&](uint8_t reg, size_t stat, size_t statx) {
      line(fmt::format("{} r{}, [r{}+{}]", x ? "ld32" : "ld64", reg, record, at + 8 + (x ? statx : stat)));
    };
    const size_t atime[] = {offsetof(struct stat, st_atim), offsetof(struct statx, stx_atime)};
    line(fmt::format("jnz r{}, {}", +SVP_REG_NOATIME, ok));
    if (x) {  // STATX_ATIME: the file system has told it
      line(fmt::format("ld32 r{}, [r{}+{}]", a, record, at));
      line(fmt::format("andi r{0}, r{0}, {1}", a, STATX_ATIME));
      line(fmt::format("jz r{}, {}", a, to));
    }
    second(a, atime[0], atime[1]);
    line(fmt::format("jle r{}, r{}, {}", a, +SVP_REG_ATIME, to));
    for (const auto& [stat, statx] : {std::pair{offsetof(struct stat, st_mtim), offsetof(struct statx, stx_mtime)},
                                      std::pair{offsetof(struct stat, st_ctim), offsetof(struct statx, stx_ctime)}}) {
      const std::string later = label();
      second(a, atime[0], atime[1]);
      second(b, stat, statx);
      line(fmt::format("jlt r{}, r{}, {}", b, a, later));
      line(fmt::format("jne r{}, r{}, {}", a, b, to));
      nano(a, atime[0], atime[1]);
      nano(b, stat, statx);
      line(fmt::format("jle r{}, r{}, {}", a, b, to));
      line(later + ":");
    }
    line(ok + ":");
  }

  const Plan& plan_;
  bool late_close_;
  std::string body_;
  std::optional<svp_loop> loop_;
  uint64_t names_at_ = 0;  // of the getdents64 before the loop
  uint8_t names_bytes_ = 0, more_ = 0;
  uint32_t labels_ = 0;
  uint32_t next_ = kFirstFree;
  uint64_t staging_ = 0;
  uint8_t descriptor_ = 0, temporary_ = 0, temporary2_ = 0;
  bool guarded_ = false, data_guarded_ = false;
  size_t hoisted_ = 0;
  Follower hoisted_follower_;
  std::vector<Follower> followers_;
  std::vector<uint8_t> steps_result_;
  std::map<uint64_t, uint8_t> constants_;
  std::vector<uint64_t> constant_order_;
  std::map<std::string, uint64_t> strings_;
  std::map<std::string, uint8_t> string_registers_;
  std::vector<uint8_t> data_;
};

Emitted without_code(svp_mode mode, uint32_t nr, const std::string& name, const std::string& exe,
                     uint64_t seen) {
  Emitted out;
  out.text = "end\n";
  out.proc.name = name;
  out.proc.mode = mode;
  out.proc.exe = exe;
  out.proc.seen = seen;
  out.proc.trigger_result = kTriggerResult;
  Trigger t;
  t.nr = nr;
  out.proc.triggers.push_back(t);
  return out;
}

}  // namespace

Result<Emitted> emit_run_ahead(const Plan& plan, bool late_close) {
  return Emitter(plan, late_close).run();
}

Result<Emitted> emit_loop(const LoopShape& shape, const std::string& exe, uint64_t seen, bool late_close) {
  Plan plan;
  plan.exe = exe;
  plan.seen = seen;
  return Emitter(plan, late_close).run_loop(shape);
}

uint32_t record_stride(const LoopShape& shape) {
  uint64_t bytes = 8 + 8 * shape.calls.size();
  for (const EachCall& call : shape.calls) bytes += (out_bytes(call) + 7) / 8 * 8;
  return static_cast<uint32_t>(bytes);
}

uint32_t loop_capacity(const LoopShape& shape, uint64_t staging) {
  return static_cast<uint32_t>(std::min<uint64_t>(kMostRecords, staging / record_stride(shape)));
}

Emitted emit_answer(const AnsweredCall& call, const std::string& exe, uint64_t seen) {
  Emitted out = without_code(SVP_ANSWER, call.nr, call.name, exe, seen);
  for (const auto& [i, value] : call.constants) out.proc.triggers[0].arg[i] = arg(SVP_ARG_CONST, value);
  return out;
}

Emitted emit_late_close(const std::string& exe, uint64_t seen) {
  return without_code(SVP_LATE_CLOSE, SYSVM_NR_close, "close", exe, seen);
}

}  // namespace sysvm
