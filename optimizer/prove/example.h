// SPDX-License-Identifier: MIT
// One real occurrence of what a procedure replaces: the calls of the application as strace shows them, and
// what made or answered each.
//
// The compiler takes it from the replay (the first occurrence that most of the followers answered), bounded
// in length, and keeps it in the file's notes; so a procedure file carries path names of the recording,
// unless it was compiled with --no-examples. What is read back is text that anybody may have written: bounded
// again, and control characters are escaped. Tested by tests/optimizer/example_test.cc, explain_test.cc
// (golden text).
#pragma once

#include <bit>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "optimizer/base/streams.h"
#include "procedures/procedure.h"

namespace sysvm {

// What a run answered, by replay.
struct Occurred {
  const Stream* stream = nullptr;
  const PackedEvent* trigger = nullptr;
  std::vector<std::pair<const PackedEvent*, size_t>> answered = {};  // call, index of the follower
  uint64_t followers = 0;                                            // different ones, a bit for each

  void add(const PackedEvent& call, size_t follower) {
    answered.emplace_back(&call, follower);
    followers |= 1ull << follower % 64;
  }
  void keep_if_better(const Occurred& other) {
    if (!stream || std::popcount(other.followers) > std::popcount(followers)) *this = other;
  }
};

struct ExampleCall {
  // By what it was made or answered: a follower's index, or
  static constexpr int kTrigger = -1, kKnown = -2 /* from facts, with no entry */,
                       kLate = -3 /* late close */, kPlain = -4 /* an entry of its own */;
  std::string call;  // with its result
  int by = kPlain;
};

struct Example {
  std::vector<ExampleCall> calls;
  uint64_t more = 0;  // calls of the occurrence that are not among these
};

// Calls of one procedure, of these made or answered by the same (a loop answers many), bytes of one call.
constexpr size_t kExampleCalls = 12, kExampleAlike = 3, kExampleBytes = 200;

Example example_of(const Occurred& occurred, bool late_close);
Example example_of(const Stream& stream, const PackedEvent& call, int by);  // of one call

nlohmann::json to_json(const Example& example);
Example example_from(const nlohmann::json& note);  // of the notes of a file that nobody vouches for

// Text of a file that nobody vouches for: at most so many bytes, control characters and what is not ASCII
// escaped.
std::string printable(std::string_view text, size_t most = kExampleBytes);

// The calls on the left; on the right the instruction that makes each, or what else becomes of it.
// Instructions that make calls which the application did not ask for in this occurrence stand alone.
// code: with the instruction that makes each.
std::string side_by_side(const Procedure& proc, const Example& example, bool code);

}  // namespace sysvm
