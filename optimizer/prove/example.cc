// SPDX-License-Identifier: MIT
#include "optimizer/prove/example.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "optimizer/base/calls.h"
#include "procedures/text.h"
#include "traces/strace_text.h"
#include "vm/vm.h"

namespace sysvm {
namespace {

constexpr size_t kLeftColumn = 88;  // longer calls have a line of their own

// The result stands at the end, so it is the middle that goes.
std::string bounded(std::string text) {
  if (text.size() <= kExampleBytes) return text;
  constexpr size_t kTail = 60;
  return text.substr(0, kExampleBytes - kTail - 3) + "..." + text.substr(text.size() - kTail);
}

std::string call_text(const Stream& stream, const PackedEvent& call) {
  Event e = call.event();
  e.st_dev = 0;  // left out: it says nothing here
  return bounded(format_call(*stream.trace, e) + " = " + format_result(*stream.trace, e));
}

struct Instruction {  // one that makes a call
  std::string text;
  uint32_t nr = 0;
  uint8_t result = 0;
};

std::vector<Instruction> calls_of(const std::vector<uint8_t>& code) {
  std::vector<Instruction> out;
  const auto len = static_cast<uint32_t>(code.size());
  for (uint32_t at = 0; at < len;) {
    sysvm_insn insn;
    char text[128];
    const int size = sysvm_disasm(code.data(), len, at, SYSVM_DISASM_LABELS, text, sizeof text);
    if (size <= 0 || sysvm_decode(code.data(), len, at, &insn) <= 0) break;
    if (insn.op == SYSVM_OP_GOON && sysvm_decode(code.data(), len, at + insn.size, &insn) <= 0) break;
    if (sysvm_is_entries(insn.form))
      out.push_back(
          {text, insn.form == SYSVM_FORM_ENTRIES ? SYSVM_NR_newfstatat : SYSVM_NR_statx, insn.reg[0]});
    else if (sysvm_is_call(insn.form))
      out.push_back({text, static_cast<uint32_t>(sysvm_syscall_by_index(insn.call)->nr), insn.reg[0]});
    at += static_cast<uint32_t>(size);
  }
  return out;
}

// Which of the instructions, counted from 0, makes the call that `by` stands for; none: instructions.size().
size_t maker(const Procedure& proc, const std::vector<Instruction>& instructions, int by) {
  const auto find = [&](uint32_t nr, uint8_t result, size_t skip) {
    for (size_t i = 0; i < instructions.size(); ++i)
      if (instructions[i].nr == nr && instructions[i].result == result && skip-- == 0) return i;
    return instructions.size();
  };
  // The followers of a loop share a register.
  const auto of_follower = [&](size_t f) {
    size_t skip = 0;
    for (size_t i = 0; i < f; ++i)
      skip += proc.followers[i].nr == proc.followers[f].nr &&
              proc.followers[i].result == proc.followers[f].result;
    return find(proc.followers[f].nr, proc.followers[f].result, skip);
  };
  const auto follower = static_cast<size_t>(by);
  if (by >= 0) return follower < proc.followers.size() ? of_follower(follower) : instructions.size();
  if (by != ExampleCall::kTrigger || proc.triggers.empty()) return instructions.size();
  const size_t at = find(proc.triggers[0].nr, proc.trigger_result, 0);
  // A loop's first record may be what answers the trigger.
  if (at < instructions.size() || !proc.loop || proc.loop->first >= proc.followers.size()) return at;
  return of_follower(proc.loop->first);
}

const char* without_instruction(int by) {
  switch (by) {
    case ExampleCall::kTrigger: return "made first";
    case ExampleCall::kKnown: return "answered from what is known, no entry";
    case ExampleCall::kLate: return "answered at once, made with the next entry";
    case ExampleCall::kPlain: return "made as it is, an entry of its own";
    default: return "answered";
  }
}

}  // namespace

Example example_of(const Occurred& occurred, bool late_close) {
  Example out;
  if (!occurred.stream) return out;
  const auto& calls = occurred.stream->calls;
  auto at = std::find(calls.begin(), calls.end(), occurred.trigger);
  size_t next = 0;
  std::map<int, size_t> alike;  // by what, how many
  for (; at != calls.end() && (*at == occurred.trigger || next < occurred.answered.size()); ++at) {
    ExampleCall call;
    if (*at == occurred.trigger) {
      call.by = ExampleCall::kTrigger;
    } else if (*at == occurred.answered[next].first) {
      call.by = static_cast<int>(occurred.answered[next++].second);
    } else if (late_close && (*at)->nr() == SYSVM_NR_close && (*at)->ret() == 0) {
      call.by = ExampleCall::kLate;
    }
    if (out.calls.size() == kExampleCalls || ++alike[call.by] > kExampleAlike) {
      ++out.more;
      continue;
    }
    call.call = call_text(*occurred.stream, **at);
    out.calls.push_back(std::move(call));
  }
  return out;
}

Example example_of(const Stream& stream, const PackedEvent& call, int by) {
  return {{{call_text(stream, call), by}}, 0};
}

std::string printable(std::string_view text, size_t most) {
  std::string out;
  for (const char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 32 || byte >= 127)
      out += fmt::format("\\{:03o}", byte);
    else
      out += c;
  }
  return out + (text.size() > most ? "..." : "");
}

nlohmann::json to_json(const Example& example) {
  nlohmann::json calls = nlohmann::json::array();
  for (const ExampleCall& c : example.calls) calls.push_back({{"call", c.call}, {"by", c.by}});
  return {{"calls", calls}, {"more", example.more}};
}

Example example_from(const nlohmann::json& note) {
  Example out;
  if (!note.is_object() || !note.contains("calls") || !note["calls"].is_array()) return out;
  for (const nlohmann::json& c : note["calls"]) {
    if (!c.is_object() || !c.contains("call") || !c["call"].is_string()) continue;
    const bool known = c.contains("by") && c["by"].is_number_integer();
    const int64_t by = known ? c["by"].get<int64_t>() : ExampleCall::kPlain;
    if (out.calls.size() == kExampleCalls) break;
    out.calls.push_back(
        {printable(c["call"].get_ref<const std::string&>()),
         by < ExampleCall::kPlain || by >= SVP_MAX_FOLLOWERS ? ExampleCall::kPlain : static_cast<int>(by)});
  }
  if (note.contains("more") && note["more"].is_number_unsigned()) out.more = note["more"].get<uint64_t>();
  return out;
}

std::string side_by_side(const Procedure& proc, const Example& example, bool code) {
  const std::vector<Instruction> instructions = calls_of(proc.code);
  std::set<size_t> asked_for, shown;
  size_t width = 0;
  for (const ExampleCall& c : example.calls) {
    asked_for.insert(maker(proc, instructions, c.by));
    if (c.call.size() <= kLeftColumn) width = std::max(width, c.call.size());
  }
  std::string out;
  const auto line = [&](const std::string& left, const std::string& right) {
    if (left.size() > width)
      out += fmt::format("    {}\n    {:<{}}   {}\n", left, "", width, right);
    else
      out += fmt::format("    {:<{}}   {}\n", left, width, right);
  };
  const auto unasked_before = [&](size_t end) {
    for (size_t i = 0; code && i < end; ++i)
      if (!asked_for.count(i) && shown.insert(i).second)
        line("-", instructions[i].text + (instructions[i].nr == SYSVM_NR_close ? "  (a close that waited)"
                                                                               : "  (not asked for here)"));
  };
  for (const ExampleCall& c : example.calls) {
    const size_t at = maker(proc, instructions, c.by);
    if (at == instructions.size()) {
      line(c.call, without_instruction(c.by));
      continue;
    }
    unasked_before(at);
    shown.insert(at);
    const std::string by = c.by == ExampleCall::kTrigger ? "the trigger" : fmt::format("answer {}", c.by);
    line(c.call, code ? fmt::format("{}  ({})", instructions[at].text, by) : by);
  }
  if (example.more) out += fmt::format("    and {} calls more like these\n", example.more);
  if (!example.calls.empty()) unasked_before(instructions.size());
  return out;
}

}  // namespace sysvm
