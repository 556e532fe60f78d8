// SPDX-License-Identifier: MIT
// The loop over a directory's entries: what emit.h says about it, as text of code. Tested by
// tests/optimizer/directories_test.cc and emit_test.cc (golden text).
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>

#include "optimizer/make/emitter.h"

namespace sysvm {
namespace {

constexpr uint32_t kEntryLength = 16, kEntryType = 18, kEntryName = 19;  // in struct linux_dirent64
constexpr uint32_t kMostRecords = 512;

uint64_t out_bytes(const EachCall& call) {
  for (const ArgSource& a : call.sources.args)
    if (a.from == From::kOut) return a.index == 6 ? a.bytes : call.size;
  return 0;
}

// Can one instruction make the first call of each name? It looks names up below a descriptor; and where what
// else is asked is asked of regular files, too, it would end after nearly each.
bool is_wide(const LoopShape& shape) {
  const EachCall& first = shape.calls[0];
  if (shape.row || shape.under ||
      (first.sources.nr != SYSVM_NR_newfstatat && first.sources.nr != SYSVM_NR_statx) ||
      first.sources.args[0].from != From::kDirectory || first.sources.args[1].from != From::kDirentName)
    return false;
  return std::none_of(shape.calls.begin() + 1, shape.calls.end(),
                      [](const EachCall& call) { return call.kinds >> kKindRegular & 1; });
}

// After which files there is more to do than to go on to the next name.
uint32_t kinds_to_end_at(const LoopShape& shape) {
  uint32_t kinds = shape.leaves ? 1u << kKindDirectory : 0;
  for (size_t i = 1; i < shape.calls.size(); ++i) kinds |= shape.calls[i].kinds & 0xfffe;
  return kinds;
}

}  // namespace

Result<Emitted> Emitter::run_loop(const LoopShape& shape) {
  staging_ = (sizeof(struct stat) + 63) / 64 * 64;
  loop(shape, 0, loop_capacity(shape, SVP_STAGING_MAX - staging_));
  line("done:");
  line("end");
  const StepSources& first = shape.calls[0].sources;
  Trigger t;
  t.nr = first.nr;
  for (size_t i = 0; i < first.args.size(); ++i) {
    if (first.args[i].from == From::kDirentName) t.arg[i] = emitted_arg(SVP_ARG_NAME);
    if (first.args[i].from == From::kDirentUnder) t.arg[i] = emitted_arg(SVP_ARG_UNDER);
    if (first.args[i].from == From::kRow) {
      t.arg[i] = emitted_arg(SVP_ARG_ROW, shape.row->gap);
      t.arg[i].mask = shape.row->mask;
    }
    if (first.args[i].from == From::kConst) t.arg[i] = emitted_arg(SVP_ARG_CONST, first.args[i].value);
    if (t.arg[i].kind == SVP_ARG_NAME || t.arg[i].kind == SVP_ARG_UNDER || t.arg[i].kind == SVP_ARG_ROW)
      t.path_arg = static_cast<uint32_t>(i);
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

void Emitter::loop_after_getdents(const PlannedStep& s) {
  line(fmt::format("addi r{}, r{}, {}", +SVP_REG_ENTRY, +SVP_REG_STAGING, names_at_));
  line(fmt::format("add r{0}, r{1}, r{2}", +SVP_REG_ENTRY_END, +SVP_REG_ENTRY, names_bytes_));
  const uint8_t inode = fresh(), at = fresh(), avoided = fresh();
  const std::string next = label(), ok = label();
  line(fmt::format("ld64 r{}, [r{}+{}]", inode, +SVP_REG_STAGING,
                   SVP_GUARD_STAT + offsetof(struct stat, st_ino)));
  line(fmt::format("mov r{}, r{}", at, +SVP_REG_AVOID));
  line(next + ":");
  line(fmt::format("ld64 r{}, [r{}+0]", avoided, at));
  line(fmt::format("jz r{}, {}", avoided, ok));
  line(fmt::format("jeq r{}, r{}, done", avoided, inode));
  line(fmt::format("addi r{0}, r{0}, 8", at));
  line(fmt::format("jmp {}", next));
  line(ok + ":");
  const ArgSource& directory = s.sources->args[0];
  loop(*s.sources->loop,
       directory.from == From::kStepResult ? steps_result_[directory.index] : kTriggerResult, s.repeats);
  line(fmt::format("jnz r{}, done", more_));
}

void Emitter::loop(const LoopShape& shape, uint8_t directory, uint32_t capacity) {
  const uint32_t stride = record_stride(shape);
  const auto records = static_cast<uint32_t>(stage(uint64_t{capacity} * stride));
  const auto n = static_cast<uint32_t>(shape.calls.size());
  const uint8_t record = fresh(), limit = fresh(), window = fresh(), name = fresh(), kind = fresh(),
                t = fresh(), u = fresh(), result = fresh();
  const bool one = is_wide(shape);
  const uint8_t none = one ? 0 : constant(SVP_NOT_MADE), dot = shape.row || one ? 0 : constant('.'),
                dots = shape.row || one ? 0 : constant('.' | '.' << 8);
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
  if (one) {
    wide(shape, {directory, record, limit, window, name, kind, t, u, result}, next);
    return;
  }
  line(fmt::format("jbe r{}, r{}, {}", +SVP_REG_ENTRY_END, +SVP_REG_ENTRY, over));
  line(fmt::format("jz r{}, done", window));
  line(fmt::format("jbe r{}, r{}, done", limit, record));
  line(fmt::format("addi r{}, r{}, {}", name, +SVP_REG_ENTRY, kEntryName));
  if (shape.row) {
    // the runtime has checked the names
  } else if (shape.hidden) {  // all but . and ..
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
    if (!i) check_kind(call, at, record, result, kind, t, u, n);
    at += room;
    line(made + ":");
  }
  line(fmt::format("addi r{0}, r{0}, {1}", record, stride));
  line(fmt::format("addi r{0}, r{0}, -1", window));
  if (shape.row) {  // what lies beyond a link, or does not exist, is not asked about
    const std::string stay = label();
    line(fmt::format("ld8 r{}, [r{}+{}]", t, +SVP_REG_ENTRY, kEntryType));
    line(fmt::format("jz r{}, {}", t, stay));
    line(fmt::format("jne r{}, r{}, done", kind, constant(S_IFDIR)));
    line(stay + ":");
  }
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

void Emitter::wide(const LoopShape& shape, const LoopRegisters& r, const std::string& next) {
  const EachCall& first = shape.calls[0];
  const bool x = is_statx(first);
  const auto n = static_cast<uint32_t>(shape.calls.size());
  const std::string over = label();
  Follower f;
  f.nr = first.sources.nr;
  f.nargs = sysvm_syscall_by_nr(f.nr)->nargs;
  f.result = r.result;
  std::vector<uint8_t> plain;  // flags, and the mask of statx
  for (size_t i = 0; i < f.nargs; ++i) {
    const ArgSource& a = first.sources.args[i];
    if (a.from == From::kDirectory)
      f.arg[i] = emitted_arg(SVP_ARG_REG, 0, r.directory);
    else if (a.from == From::kDirentName)
      f.arg[i] = emitted_arg(SVP_ARG_NAME);
    else if (a.from == From::kOut)
      f.arg[i] = emitted_arg(SVP_ARG_OUT, 8 + 8 * uint64_t{n}, 0, static_cast<uint32_t>(out_bytes(first)));
    else
      plain.push_back(argument(a, 0, false, f.arg[i]));
  }
  followers_.push_back(f);
  line(fmt::format("{} r{}, r{}, r{}, r{}, r{}, r{}, r{}, r{}, r{}, r{}{}, {}, {}, {}, {}",
                   x ? "statx_entries" : "stat_entries", r.result, r.directory, plain[0], +SVP_REG_ENTRY,
                   +SVP_REG_ENTRY_END, r.window, r.record, r.limit, +SVP_REG_DEVICE, +SVP_REG_DEVICE2,
                   x ? fmt::format(", r{}", plain[1]) : "", record_stride(shape), n, shape.hidden ? 1 : 2,
                   kinds_to_end_at(shape)));
  if (n == 1) {
    line(fmt::format("jnz r{}, done", r.result));
    return;
  }
  line(fmt::format("jz r{}, {}", r.result, over));
  line(fmt::format("jb r{}, r{}, done", r.result, constant(S_IFIFO)));  // it did not end at a kind of file
  line(fmt::format("mov r{}, r{}", r.kind, r.result));
  // The record is counted already: what is not made now has not been made.
  const uint8_t last = fresh();
  line(fmt::format("addi r{}, r{}, -{}", last, r.record, record_stride(shape)));
  line(fmt::format("ld64 r{}, [r{}+0]", r.name, last));
  line(fmt::format("addi r{0}, r{0}, {1}", r.name, kEntryName));
  uint64_t at = 8 + 8 * uint64_t{n} + (out_bytes(first) + 7) / 8 * 8;
  for (uint32_t i = 1; i < n; ++i) {
    const EachCall& call = shape.calls[i];
    const std::string made = label();
    skip_other_kinds(call.kinds, r.kind, made);
    if (is_readlink(call)) guard_link(first, 8 + 8 * uint64_t{n}, last, r.t, r.u, made);
    each_call(call, at, last, r.directory, r.name, r.result, r.u, made);
    line(fmt::format("st64 [r{}+{}], r{}", last, 8 + 8 * i, r.result));
    line(made + ":");
    at += (out_bytes(call) + 7) / 8 * 8;
  }
  if (shape.leaves) line(fmt::format("jeq r{}, r{}, done", r.kind, constant(S_IFDIR)));
  line("jmp " + next);
  line(over + ":");
}

void Emitter::copy_name(uint8_t name, uint8_t t, uint8_t u) {
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

bool Emitter::is_readlink(const EachCall& call) {
  return call.sources.nr == SYSVM_NR_readlink || call.sources.nr == SYSVM_NR_readlinkat;
}

void Emitter::each_call(const EachCall& call, uint64_t at, uint8_t record, uint8_t directory, uint8_t name,
                        uint8_t result, uint8_t out, const std::string& made) {
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
        f.arg[i] = emitted_arg(SVP_ARG_REG, 0, directory);
        reg = directory;
        break;
      case From::kDirentName:
        f.arg[i] = emitted_arg(SVP_ARG_NAME);
        reg = name;
        break;
      case From::kRow:
        f.arg[i] = emitted_arg(SVP_ARG_ROW);
        reg = name;
        break;
      case From::kDirentUnder:
        f.arg[i] = emitted_arg(SVP_ARG_UNDER);
        reg = SVP_REG_UNDER;
        break;
      case From::kKept:
        f.arg[i] = emitted_arg(SVP_ARG_KEPT, 0, reg = fresh());
        line(fmt::format("jz r{}, {}", reg, made));
        break;
      case From::kOut: {
        const uint64_t bytes = out_bytes(call);
        f.arg[i] = emitted_arg(SVP_ARG_OUT, at, 0, static_cast<uint32_t>(bytes));
        if (bytes) line(fmt::format("addi r{}, r{}, {}", out, record, at));
        reg = bytes ? out : constant(0);
        break;
      }
      case From::kSize:
        reg = constant(call.size);
        f.arg[i] = emitted_arg(SVP_ARG_COUNT, 0, reg);
        break;
      default: reg = argument(a, 0, false, f.arg[i]);
    }
    text += fmt::format(", r{}", reg);
  }
  followers_.push_back(f);
  line(text);
}

void Emitter::check_kind(const EachCall& call, uint64_t at, uint8_t record, uint8_t result, uint8_t kind,
                         uint8_t t, uint8_t u, uint32_t) {
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

void Emitter::skip_other_kinds(uint32_t kinds, uint8_t kind, const std::string& to) {
  const std::string take = label();
  for (uint32_t k = 1; k < 16; ++k)
    if (kinds >> k & 1) line(fmt::format("jeq r{}, r{}, {}", kind, constant(uint64_t{k} << 12), take));
  line("jmp " + to);
  line(take + ":");
}

void Emitter::guard_link(const EachCall& first, uint64_t at, uint8_t record, uint8_t a, uint8_t b,
                         const std::string& to) {
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
  if (x) {  // STATX_ATIME: the file system has reported it
    line(fmt::format("ld32 r{}, [r{}+{}]", a, record, at));
    line(fmt::format("andi r{0}, r{0}, {1}", a, STATX_ATIME));
    line(fmt::format("jz r{}, {}", a, to));
  }
  second(a, atime[0], atime[1]);
  line(fmt::format("jle r{}, r{}, {}", a, +SVP_REG_ATIME, to));
  for (const auto& [stat, statx] :
       {std::pair{offsetof(struct stat, st_mtim), offsetof(struct statx, stx_mtime)},
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

}  // namespace sysvm
