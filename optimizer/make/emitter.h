// SPDX-License-Identifier: MIT
// One text of code in the making, with its registers, constants, staging area and followers. What emit.cc
// (procedures) and emit_loop.cc (loops over a directory) share is in emitter.cc.
#pragma once

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/make/emit.h"

namespace sysvm {

inline svp_arg emitted_arg(svp_arg_kind kind, uint64_t value = 0, uint8_t reg = 0, uint32_t size = 0) {
  svp_arg a{};
  a.kind = static_cast<uint8_t>(kind);
  a.value = value;
  a.reg = reg;
  a.size = size;
  return a;
}

class Emitter {
 public:
  static constexpr uint8_t kTriggerResult = 7, kLastFree = SVP_REG_CLOSE2 - 1;
  Emitter(const Plan& plan, bool late_close) : plan_(plan), late_close_(late_close) {}
  // The loop alone (emit_loop).
  Result<Emitted> run_loop(const LoopShape& shape);
  Result<Emitted> run();

 private:
  // --- names and small things
  std::string name() const;
  void line(const std::string& text) { body_ += text + "\n"; }
  std::string label() { return fmt::format("l{}", ++labels_); }
  uint8_t fresh() { return next_ > kLastFree ? kLastFree : static_cast<uint8_t>(next_++); }
  uint8_t constant(uint64_t value);
  uint64_t stage(uint64_t bytes);
  uint64_t string(const std::string& text);

  // --- the parts
  std::string closes() const;
  std::string prologue() const;
  std::string constants() const;
  Trigger trigger();
  // The first fstat of the descriptor, if what stands before it leaves the file as it is.
  void choose_guard();
  void guard();
  // Before data is read: there is some, and reading it leaves atime as it is.
  void guard_data();
  uint8_t temporary() { return temporary_ ? temporary_ : temporary_ = fresh(); }
  uint8_t temporary2() { return temporary2_ ? temporary2_ : temporary2_ = fresh(); }
  bool reads_data(const StepSources& s) const;
  void step(size_t i);
  // One call of a step: the line of code, and how the runtime recognises the application's.
  Follower call(const PlannedStep& s, size_t, uint64_t size, bool guard);
  // The register that the code passes; fills what the runtime compares.
  uint8_t argument(const ArgSource& a, uint64_t size, bool guard, svp_arg& rule);
  void run_of(const PlannedStep& s, size_t index);
  void loop_after_getdents(const PlannedStep& s);
  // For each name from SVP_REG_ENTRY on: the shape's calls. Runs on after the last, else to "done".
  void loop(const LoopShape& shape, uint8_t directory, uint32_t capacity);
  struct LoopRegisters {
    uint8_t directory, record, limit, window, name, kind, t, u, result;
  };
  // The rest of a loop from its label `next` on, with one instruction that makes the first call of each name
  // (kmod/vm/entries.c).
  void wide(const LoopShape& shape, const LoopRegisters& r, const std::string& next);
  // To SVP_REG_NAME, 8 bytes at a time; what follows the name's 0 does not matter. The entry is at least 24
  // long.
  void copy_name(uint8_t name, uint8_t t, uint8_t u);
  static bool is_readlink(const EachCall& call);
  void each_call(const EachCall& call, uint64_t at, uint8_t record, uint8_t directory, uint8_t name,
                 uint8_t result, uint8_t out, const std::string& made);
  static bool is_statx(const EachCall& call) { return call.sources.nr == SYSVM_NR_statx; }
  // After the first call: nothing follows if it failed; another device ends the loop.
  void check_kind(const EachCall& call, uint64_t at, uint8_t record, uint8_t result, uint8_t kind, uint8_t t,
                  uint8_t u, uint32_t);
  void skip_other_kinds(uint32_t kinds, uint8_t kind, const std::string& to);
  // Reading a link must leave its atime as it is: the rule of guard_data, on what the first call has shown.
  void guard_link(const EachCall& first, uint64_t at, uint8_t record, uint8_t a, uint8_t b,
                  const std::string& to);

  const Plan& plan_;
  bool late_close_;
  std::string body_;
  std::optional<svp_loop> loop_;
  uint64_t names_at_ = 0;  // of the getdents64 before the loop
  uint8_t names_bytes_ = 0, more_ = 0;
  uint32_t labels_ = 0;
  uint32_t next_ = 8;  // the first free register
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

}  // namespace sysvm
