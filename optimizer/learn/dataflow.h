// SPDX-License-Identifier: MIT
// Stage 2: where each argument of a call comes from, as far as it is known when the sequence begins.
//
// A call that follows a trigger can be made ahead only if every argument is known at the trigger: a constant,
// the trigger's own result (the descriptor that it opened), the result of an earlier follower (a dup), one of
// the trigger's arguments, the trigger's path, a constant string, a buffer that is only written, or a size.
// explain() gives for one call the first of these that fits each argument, in an order that prefers what
// *means* something: descriptors are looked for among results before they are taken for constants, flags and
// commands are constants first. Calls whose sources differ are different steps; so the sources of a step
// explain all of its occurrences.
//
// Values are never guessed: an argument that none of these explains (a name read from a directory, data) is
// varying, and the sequence is cut there. Sizes are left open here (kSize): planner.cc decides by all
// occurrences. Tested by tests/optimizer/dataflow_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "optimizer/base/calls.h"
#include "optimizer/base/streams.h"

namespace sysvm {

enum class From : uint8_t {
  kNothing,  // the call does not use it
  kConst,    // value
  kTriggerResult,
  kStepResult,   // result of step index (counted from 0 after the trigger)
  kTriggerArg,   // argument index of the trigger
  kPath,         // a string equal to the trigger's path
  kString,       // a string equal to text
  kKept,         // a path from the root: the one that was passed in this place the last time
  kOut,          // buffer that is filled: size in argument index, or bytes of it if index is 6
  kSize,         // size of an out-buffer
  kDirectory,    // the directory's descriptor; this and the next two only in loops (directories.h)
  kDirentName,   // a name in it
  kDirentUnder,  // the directory's path, '/', and such a name
  kRow,          // a name of a row in memory (rows.h)
  kVarying,
};

struct ArgSource {
  From from = From::kNothing;
  uint64_t value = 0;
  uint32_t bytes = 0;
  uint8_t index = 0;
  std::string text;
  bool operator==(const ArgSource&) const = default;
};

struct LoopShape;

struct StepSources {
  uint32_t nr = 0;
  CallTraits traits;
  std::vector<ArgSource> args;
  std::string key;  // equal for two calls if and only if call, command and sources are equal
  std::shared_ptr<const LoopShape> loop;  // not null: the calls for each entry of a directory (directories.h)
};

// What has been seen of the current occurrence when `call` comes.
struct FlowContext {
  const Stream* stream = nullptr;
  const PackedEvent* trigger = nullptr;
  std::vector<const PackedEvent*> steps;  // last call of each step so far
};

// Of an argument that the call fills (OUT, OUTN, OUTS).
ArgSource out_source(const sysvm_arg_info& kind);

StepSources explain(const FlowContext& context, const PackedEvent& call);

// Equal sources are kept once, so that steps can be compared by address.
class SourceTable {
 public:
  const StepSources* keep(StepSources sources);
  const StepSources* of(const FlowContext& context, const PackedEvent& call);  // explain(), kept

 private:
  using Form = std::array<uint64_t, 13>;
  struct Hash {
    size_t operator()(const Form& form) const;
  };
  std::map<std::string, std::unique_ptr<StepSources>> by_key_;
  std::unordered_map<Form, const StepSources*, Hash> by_form_;  // a recording has few forms and many calls
};

// "newfstatat(fd, \"\", buf, 0x1000)": fd is the trigger's result, $0.. its arguments, #k the result of step
// k.
std::string describe(const StepSources& step);

// A stat of a path from the root, which may be the same each time: that path, else nullptr.
const std::string* kept_path_of(const Stream& stream, const PackedEvent& call);

// The string arguments of a call as the trace has them; nullptr if it was not read.
const std::string* string_argument(const Stream& stream, const PackedEvent& call, const CallTraits& traits,
                                   size_t arg);

}  // namespace sysvm
