// SPDX-License-Identifier: MIT
// What strace prints in front of what happened: process, time, number of the call, instruction pointer.
//
//     [pid  1234<comm>] [context] 12:00:01.5 (+ 0.1) [ 257] [00007f0123456789] close(3) = 0
//
// A number in front may be a process id or a time: process ids are at most 4,194,304. strace -r pads its
// seconds, the other clocks do not. Tested by tests/traces/import_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sysvm {

inline constexpr uint64_t kPidMax = 4194304;  // the kernel's PID_MAX_LIMIT

struct StracePrefix {
  std::optional<int32_t> pid;
  enum class Clock { kNone, kTimeOfDay, kSeconds, kRelative } clock = Clock::kNone;
  uint64_t ns = 0;  // since midnight, since 1970 or the start, since the line before
  uint64_t ip = 0;  // 0: none
  std::string_view rest;

  // What such lines go on with: a call's name and parenthesis, "<... x resumed>", "+++ ", "--- ".
  bool event_follows() const;
};

std::optional<StracePrefix> take_strace_prefix(std::string_view text);

// "12.345678" -> nanoseconds, exactly.
std::optional<uint64_t> take_seconds(std::string_view& text);

// Length of the identifier at the front.
size_t name_length(std::string_view text);

}  // namespace sysvm
