// SPDX-License-Identifier: MIT
#include "optimizer/prove/answers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <map>

#include "optimizer/learn/descriptors.h"
#include "optimizer/make/emit.h"
#include "procedures/assembler.h"

namespace sysvm {
namespace {

constexpr uint64_t kTcgets = 0x5401;

struct Answered {  // calls of one executable
  const Stream* first_in = nullptr;
  std::vector<const PackedEvent*> calls;
  void add(const Stream& s, const PackedEvent* e) {
    if (calls.empty()) first_in = &s;
    calls.push_back(e);
  }
};
using ByExe = std::map<std::string, Answered>;

struct Question {
  AnsweredCall call;
  bool needs_guard;   // the answer depends on the kind of file
  bool needs_before;  // the first answer must come from the kernel

  bool is(const PackedEvent& e) const {
    if (static_cast<uint32_t>(e.nr()) != call.nr) return false;
    const uint64_t mask = call.nr == SYSVM_NR_lseek ? ~uint64_t{0} : 0xffffffffu;  // a command has 32 bits
    for (const auto& [arg, value] : call.constants)
      if ((e.arg(arg) & mask) != value) return false;
    return true;
  }
};

const Question kQuestions[] = {
    {{SYSVM_NR_ioctl, "ioctl TCGETS", {{1, kTcgets}}}, true, false},
    {{SYSVM_NR_lseek, "lseek(0, SEEK_CUR)", {{1, 0}, {2, SEEK_CUR}}}, true, false},
    {{SYSVM_NR_fcntl, "fcntl F_GETFL", {{1, F_GETFL}}}, false, true},
    {{SYSVM_NR_fcntl, "fcntl F_GETFD", {{1, F_GETFD}}}, false, false},
};

// emit: of the executable and the number of calls.
template <typename Emit>
Result<> add(const ByExe& by_exe, const std::string& what, int by, const CompileOptions& options, Kept& kept,
             Emit emit) {
  for (const auto& [exe, answered] : by_exe) {
    const uint64_t hits = answered.calls.size();
    if (hits < options.min_count) {
      kept.drop(what, exe, fmt::format("seen {} times, fewer than {}", hits, options.min_count), hits);
      continue;
    }
    Emitted emitted = emit(exe, hits);
    emitted.proc.code = TRY(assemble(emitted.text));
    EmittedInfo info;
    info.name = emitted.proc.name;
    info.mode = svp_mode_name(emitted.proc.mode);
    info.exe = exe;
    info.seen = info.hits = hits;
    info.set_saved(static_cast<double>(hits) * (options.cost.crossing_ns - options.cost.serve_ns), 0);
    info.break_even_ns = options.cost.serve_ns;
    info.example = example_of(*answered.first_in, *answered.calls[0], by);
    kept.answer(answered.calls);
    kept.keep(std::move(emitted.proc), std::move(info));
  }
  return Unit{};
}

}  // namespace

Result<> add_answers(const std::vector<Stream>& streams, const CompileOptions& options, Kept& kept) {
  ByExe by_exe[std::size(kQuestions)];
  EventSet asked[std::size(kQuestions)];  // opens
  for (const Stream& s : streams) {
    OwnDescriptors own;
    for (const PackedEvent* e : s.calls) {
      const OwnDescriptors::Own on = own.step(*e);
      if (!on.open || on.copied) continue;
      for (size_t i = 0; i < std::size(kQuestions); ++i) {
        if (!kQuestions[i].is(*e)) continue;
        const bool first = asked[i].insert(on.open);
        if (kept.answered().contains(e) || (kQuestions[i].needs_guard && !kept.is_guarded(on.open)) ||
            (kQuestions[i].needs_before && first))
          continue;
        by_exe[i][s.exe].add(s, e);
      }
    }
  }
  for (size_t i = 0; i < std::size(kQuestions); ++i)
    TRY(add(
        by_exe[i], "answer " + kQuestions[i].call.name, ExampleCall::kKnown, options, kept,
        [&](const std::string& exe, uint64_t hits) { return emit_answer(kQuestions[i].call, exe, hits); }));
  return Unit{};
}

Result<> add_late_closes(const std::vector<Stream>& streams, const CompileOptions& options, Kept& kept) {
  ByExe by_exe;
  for (const Stream& s : streams) {
    OwnDescriptors own;
    for (const PackedEvent* e : s.calls) {
      const OwnDescriptors::Own on = own.step(*e);
      if (e->nr() == SYSVM_NR_close && e->ret() == 0 && kept.is_guarded(on.open)) by_exe[s.exe].add(s, e);
    }
  }
  return add(by_exe, "late close", ExampleCall::kLate, options, kept, emit_late_close);
}

}  // namespace sysvm
