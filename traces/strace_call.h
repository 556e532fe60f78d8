// SPDX-License-Identifier: MIT
// One call as strace prints it, taken apart: "read(3</a>, "abc"..., 4096) = 3 <0.000012>".
//
// What the text does not show stays unknown, and the event says so (kUnknownArg0 ... in event.h): an argument
// that is shown by what it points to, a constant whose name this version does not know, an error without a
// number, a number that is none. Nothing is guessed. Tested by tests/traces/import_test.cc and
// tests/traces/import_unknown_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "traces/event.h"

namespace sysvm {

struct StraceCall {
  Event event;
  std::vector<std::optional<std::string>> strings;  // PATH and STR arguments, in order, at most two
  std::string data;                                 // if event has kHasData
  bool timed = false;                               // the text has its duration (-T)
  // only i386 has a call of that name; event.nr is of that table
  bool only_32 = false;
  bool is_exec = false, is_wait = false;
  std::vector<std::string> argv;     // of an exec
  std::optional<bool> makes_thread;  // of clone and clone3; nothing if the text does not say
  // fork and its like: the new thread's id, as strace sees it
  std::optional<int32_t> made;
  std::set<std::string> unknown;  // names of constants that are not known here
};

enum class StraceAbi { k64, k32, kX32 };

struct StraceProblem {
  enum What { kNone, kNotUnderstood, kUnknownCall } what = kNone;
  std::string name;  // kUnknownCall
};

std::optional<StraceCall> parse_strace_call(std::string_view text, StraceAbi abi, StraceProblem& problem);

}  // namespace sysvm
