// SPDX-License-Identifier: MIT
// One system call as the optimizer sees it: the table's row, with the command of fcntl and ioctl taken into
// account, and by-flags exceptions (an open for writing changes the world).
//
// Everything comes from kmod/uapi/syscalls.inc; nothing about a call is repeated here. Tested by
// tests/optimizer/dataflow_test.cc (Streams, Legality).
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "traces/packed.h"
#include "uapi/syscalls.h"

namespace sysvm {

struct CallTraits {
  std::string name;  // "openat", "fcntl F_GETFL"
  uint32_t nr = 0;
  uint8_t nargs = 0;
  uint8_t effect = SYSVM_EFFECT_TASK;  // of an unknown call: the worst
  uint8_t result = SYSVM_RESULT_INT;
  uint8_t undo = SYSVM_UNDO_NEVER;
  bool may_follow = false;   // the table lets it be a follower
  bool may_trigger = false;  // the table lets it be a trigger
  bool batchable = false;    // the machine has an opcode for it
  std::array<sysvm_arg_info, 6> arg{};
};

// Made once for each kind of call; the reference is this thread's, for as long as it runs.
const CallTraits& traits_of(uint32_t nr, const std::array<uint64_t, 6>& args);
inline const CallTraits& traits_of(const Event& e) { return traits_of(static_cast<uint32_t>(e.nr), e.args); }
const CallTraits& traits_of(const PackedEvent& e);

bool is_open(uint32_t nr);                                              // open, openat
uint64_t open_flags(uint32_t nr, const std::array<uint64_t, 6>& args);  // of those two
uint64_t open_flags(const PackedEvent& e);
// Fills a struct stat for a descriptor: fstat, newfstatat(fd, "", AT_EMPTY_PATH).
bool is_struct_stat(uint32_t nr);

// Does a call that succeeds give a descriptor: an own one, or a copy of its first argument?
enum class Gives : uint8_t { kNothing, kDescriptor, kCopy };
Gives gives_descriptor(const PackedEvent& e);

// It carries no news from others, so an outstanding log survives it: the QUIET calls of the table, and
// changes of memory that nobody else sees. The same rule as the runtime's (libsysvm/shim/known/rules.c).
bool is_quiet(const PackedEvent& e);

// The machine can make the call in the same crossing with what is made again after it: reads at the end of
// file and the like survive, say, a write (libsysvm/shim/ahead/ride.c).
bool is_ridden(const PackedEvent& e);

// strace's way to write a number: small ones in decimal, others in hexadecimal; AT_FDCWD by name.
std::string number_text(uint64_t value, const sysvm_arg_info& kind);
std::string call_name(uint32_t nr);

}  // namespace sysvm
