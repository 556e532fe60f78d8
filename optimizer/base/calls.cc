// SPDX-License-Identifier: MIT
#include "optimizer/base/calls.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <memory>
#include <unordered_map>

namespace sysvm {

namespace {

void take_command(CallTraits& traits, const sysvm_command_info* command) {
  if (!command) {  // unknown: the call's own row states the worst case
    traits.may_follow = traits.may_trigger = false;
    return;
  }
  traits.name += std::string(" ") + command->name;
  traits.effect = command->effect;
  traits.result = command->result;
  traits.undo = command->undo;
  traits.may_follow = traits.may_follow && (command->flags & SYSVM_FLAG_AHEAD);
  traits.may_trigger = traits.may_trigger && (command->flags & SYSVM_FLAG_TRIGGER);
  traits.arg[2] = command->arg;
  traits.nargs = command->arg.kind == SYSVM_KIND_NONE ? 2 : 3;
}

}  // namespace

bool is_open(uint32_t nr) { return nr == SYSVM_NR_open || nr == SYSVM_NR_openat; }

uint64_t open_flags(uint32_t nr, const std::array<uint64_t, 6>& args) {
  return (nr == SYSVM_NR_open ? args[1] : args[2]) & 0xffffffffu;
}

bool is_struct_stat(uint32_t nr) { return nr == SYSVM_NR_fstat || nr == SYSVM_NR_newfstatat; }

uint64_t open_flags(const PackedEvent& e) { return e.arg(e.nr() == SYSVM_NR_open ? 1 : 2) & 0xffffffffu; }

Gives gives_descriptor(const PackedEvent& e) {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr()));
  if (!row) return Gives::kNothing;
  uint8_t result = row->result, effect = row->effect;
  if (row->nr == SYSVM_NR_fcntl || row->nr == SYSVM_NR_ioctl) {
    const auto command = static_cast<uint32_t>(e.arg(1));
    const sysvm_command_info* info =
        row->nr == SYSVM_NR_fcntl ? sysvm_fcntl_by_cmd(command) : sysvm_ioctl_by_cmd(command);
    if (info) result = info->result, effect = info->effect;
  }
  if (result != SYSVM_RESULT_FD) return Gives::kNothing;
  return effect == SYSVM_EFFECT_FD && !is_open(row->nr) ? Gives::kCopy : Gives::kDescriptor;
}

namespace {

constexpr uint64_t kOpenMatters = O_ACCMODE | O_CREAT | O_TRUNC | O_PATH | O_DIRECT | O_ASYNC;

// What of its arguments a call's traits depend on. arg: of a number, that argument.
template <typename Arg>
uint64_t kind_of(uint32_t nr, Arg arg) {
  if (nr == SYSVM_NR_fcntl || nr == SYSVM_NR_ioctl) return static_cast<uint32_t>(arg(1));
  return is_open(nr) ? arg(nr == SYSVM_NR_open ? 1 : 2) & kOpenMatters : 0;
}

CallTraits make_traits(uint32_t nr, const std::array<uint64_t, 6>& args) {
  CallTraits traits;
  traits.nr = nr;
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  if (!row) {
    traits.name = fmt::format("syscall_{}", nr);
    traits.nargs = 6;
    return traits;
  }
  traits.name = row->name;
  traits.nargs = row->nargs;
  traits.effect = row->effect;
  traits.result = row->result;
  traits.undo = row->undo;
  traits.batchable = row->index >= 0;
  traits.may_follow = row->flags & SYSVM_FLAG_AHEAD;
  traits.may_trigger = row->flags & SYSVM_FLAG_TRIGGER;
  std::copy(row->arg, row->arg + 6, traits.arg.begin());
  const auto command = static_cast<uint32_t>(args[1]);
  if (nr == SYSVM_NR_fcntl) take_command(traits, sysvm_fcntl_by_cmd(command));
  if (nr == SYSVM_NR_ioctl) take_command(traits, sysvm_ioctl_by_cmd(command));
  if (is_open(nr)) {
    const uint64_t flags = open_flags(nr, args);
    if ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC)) {
      traits.effect = SYSVM_EFFECT_MUT;
      traits.may_trigger = false;
    }
    // What is known about such a descriptor is not enough to read it ahead.
    if (flags & (O_PATH | O_DIRECT | O_ASYNC)) traits.may_trigger = false;
  }
  return traits;
}

}  // namespace

namespace {

constexpr uint32_t kUsual = 512;  // numbers of calls that the kernel has
thread_local std::array<std::unique_ptr<CallTraits>, kUsual> usual_traits;
thread_local std::unordered_map<uint64_t, std::unique_ptr<CallTraits>> other_traits;

std::unique_ptr<CallTraits>& known_traits(uint32_t nr, uint64_t kind) {
  return nr < kUsual && !kind ? usual_traits[nr] : other_traits[uint64_t{nr} << 32 | kind];
}

}  // namespace

const CallTraits& traits_of(uint32_t nr, const std::array<uint64_t, 6>& args) {
  std::unique_ptr<CallTraits>& known = known_traits(nr, kind_of(nr, [&](size_t i) { return args[i]; }));
  if (!known) known = std::make_unique<CallTraits>(make_traits(nr, args));
  return *known;
}

const CallTraits& traits_of(const PackedEvent& e) {
  const auto nr = static_cast<uint32_t>(e.nr());
  std::unique_ptr<CallTraits>& known = known_traits(nr, kind_of(nr, [&](size_t i) { return e.arg(i); }));
  if (!known) known = std::make_unique<CallTraits>(make_traits(nr, e.args()));
  return *known;
}

bool is_quiet(const PackedEvent& e) {
  switch (e.nr()) {
    case SYSVM_NR_mmap: return e.arg(3) & MAP_ANONYMOUS;
    case SYSVM_NR_munmap:
    case SYSVM_NR_mprotect:
    case SYSVM_NR_madvise: return true;
    default: break;
  }
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr()));
  return row && row->effect == SYSVM_EFFECT_QUIET;
}

bool is_ridden(const PackedEvent& e) {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(e.nr()));
  return row && row->index >= 0 && (row->effect <= SYSVM_EFFECT_PRIV || row->effect == SYSVM_EFFECT_MUT) &&
         row->nr != SYSVM_NR_ioctl && row->nr != SYSVM_NR_fcntl && row->nr != SYSVM_NR_mmap;
}

std::string number_text(uint64_t value, const sysvm_arg_info& kind) {
  const bool descriptor = kind.kind == SYSVM_KIND_DIRFD || kind.kind == SYSVM_KIND_FD;
  if (descriptor && static_cast<int32_t>(value) == AT_FDCWD) return "AT_FDCWD";
  if (kind.kind == SYSVM_KIND_FLAGS || kind.kind == SYSVM_KIND_MODE)
    return value ? fmt::format("{:#x}", value) : "0";
  const auto number = static_cast<int64_t>(value);
  if (number > -4096 && number < (1 << 20)) return fmt::format("{}", number);
  return fmt::format("{:#x}", value);
}

std::string call_name(uint32_t nr) {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  return row ? row->name : fmt::format("syscall_{}", nr);
}

}  // namespace sysvm
