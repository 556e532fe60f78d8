// SPDX-License-Identifier: MIT
#include "procedures/text.h"

#include <fmt/format.h>

#include <charconv>

#include "common/hex.h"
#include "procedures/assembler.h"
#include "procedures/text_parts.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

constexpr size_t kNotesPiece = 80;  // bytes on a line

std::string call_name_of(uint32_t nr) {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  return row ? row->name : fmt::format("syscall_{}", nr);
}

std::string arguments_text(const ProcArgs& args, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += (i ? ", " : "") + arg_text(args[i]);
  return out;
}

size_t nargs_of(uint32_t nr) {
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(nr);
  return row ? row->nargs : 6;
}

std::string place_text(const CodePlace& place) {
  return fmt::format("{}+{:#x}", place.build_id, place.offset);
}

}  // namespace

std::string arg_text(const svp_arg& arg) {
  switch (arg.kind) {
    case SVP_ARG_ANY: return "_";
    case SVP_ARG_CONST:
      return arg.value < 10 ? fmt::format("{}", arg.value) : fmt::format("{:#x}", arg.value);
    case SVP_ARG_MASK: return fmt::format("mask({:#x})={:#x}", arg.mask, arg.value);
    case SVP_ARG_REG: return fmt::format("r{}", arg.reg);
    case SVP_ARG_PATH: return "path";
    case SVP_ARG_STRING: return fmt::format("string@{}", arg.value);
    case SVP_ARG_OUT: return fmt::format("out@{}:{}", arg.value, arg.size);
    case SVP_ARG_COUNT: return fmt::format("count r{}", arg.reg);
    case SVP_ARG_NAME: return "name";
    case SVP_ARG_UNDER: return "under";
    case SVP_ARG_KEPT: return fmt::format("kept r{}", arg.reg);
    case SVP_ARG_ROW: return arg.value ? fmt::format("row({})+{}", arg.mask + 1, arg.value) : "row";
    default: return "?";
  }
}

std::string trigger_text(const Trigger& t) {
  std::string out = fmt::format("{}({})", call_name_of(t.nr), arguments_text(t.arg, nargs_of(t.nr)));
  if (t.path_arg < 6) out += fmt::format(" path {}", t.path_arg);
  if (t.streak) out += fmt::format(" streak {}", t.streak);
  if (t.site) out += " site " + place_text(*t.site);
  if (t.caller) out += " caller " + place_text(*t.caller);
  return out;
}

std::string trigger_anywhere(Trigger trigger) {
  trigger.site = trigger.caller = std::nullopt;
  return trigger_text(trigger);
}

std::string follower_text(const Follower& f) {
  return fmt::format("r{} = {}({})", f.result, call_name_of(f.nr), arguments_text(f.arg, f.nargs));
}

std::string list_code(std::span<const uint8_t> code, std::string_view indent) {
  std::string out;
  std::string text = disassemble(code);
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const size_t first = std::min(text.find_first_not_of(" \t", at), end);
    out += fmt::format("{}{}\n", indent, std::string_view(text).substr(first, end - first));
    at = end + 1;
  }
  return out;
}

std::string to_text(const Procedure& p) {
  std::string out = fmt::format("procedure {} {} {{\n",
                                quoted({reinterpret_cast<const uint8_t*>(p.name.data()), p.name.size()}),
                                svp_mode_name(p.mode));
  out += fmt::format("  seen {}\n", p.seen);
  if (!p.exe.empty()) out += fmt::format("  exe {}\n", p.exe);
  out += fmt::format("  staging {}\n  result r{}\n", p.staging, p.trigger_result);
  for (const Trigger& t : p.triggers) out += "  trigger " + trigger_text(t) + "\n";
  for (const Follower& f : p.followers) out += "  follower " + follower_text(f) + "\n";
  if (p.loop)
    out += fmt::format("  loop first {} followers {} records {} stride {} capacity {} end r{}{}\n",
                       p.loop->first, p.loop->followers, p.loop->records, p.loop->stride, p.loop->capacity,
                       p.loop->end, p.loop->flags & SVP_LOOP_LEAVES ? " leaves" : "");
  if (!p.data.empty()) out += "  data " + quoted(p.data) + "\n";
  return out + "  code {\n" + list_code(p.code, "    ") + "  }\n}\n";
}

std::string to_text(const ProcedureFile& file) {
  std::string out =
      fmt::format("; sysvm procedures, ABI {}: `sysvm asm` reads this back\n", SYSVM_ABI_VERSION);
  for (const Procedure& p : file.procs) out += "\n" + to_text(p);
  for (const PrefetchList& list : file.lists) out += "\n" + to_text(list);
  if (!file.notes.empty()) out += "\n";
  for (size_t at = 0; at < file.notes.size(); at += kNotesPiece) {
    const std::string_view piece = std::string_view(file.notes).substr(at, kNotesPiece);
    out += "notes " + quoted({reinterpret_cast<const uint8_t*>(piece.data()), piece.size()}) + "\n";
  }
  return out;
}

namespace {

Result<uint32_t> call_number(LineReader& in) {
  const std::string word = in.word();
  const sysvm_syscall_info* row = sysvm_syscall_by_name(word.c_str());
  if (!row) return in.fail("'{}' is not a system call", word);
  return uint32_t{row->nr};
}

Result<uint8_t> read_register(LineReader& in) {
  const std::string word = in.word();
  unsigned value = 0;
  if (word.size() < 2 || word[0] != 'r' ||
      std::from_chars(word.data() + 1, word.data() + word.size(), value).ptr != word.data() + word.size() ||
      value >= SYSVM_NREGS)
    return in.fail("'{}' is not a register; expected r0 to r255", word);
  return static_cast<uint8_t>(value);
}

Result<svp_arg> read_arg(LineReader& in) {
  svp_arg a{};
  if (in.take("_")) {
    a.kind = SVP_ARG_ANY;
  } else if (in.take("mask(")) {
    a.kind = SVP_ARG_MASK;
    a.mask = TRY(in.number());
    TRY(in.expect(")="));
    a.value = TRY(in.number());
  } else if (in.take("string@")) {
    a.kind = SVP_ARG_STRING;
    a.value = TRY(in.number());
  } else if (in.take("out@")) {
    a.kind = SVP_ARG_OUT;
    a.value = TRY(in.number());
    TRY(in.expect(":"));
    a.size = static_cast<uint32_t>(TRY(in.number()));
  } else if (in.take("count ")) {
    a.kind = SVP_ARG_COUNT;
    a.reg = TRY(read_register(in));
  } else if (in.take("path")) {
    a.kind = SVP_ARG_PATH;
  } else if (in.take("name")) {
    a.kind = SVP_ARG_NAME;
  } else if (in.take("under")) {
    a.kind = SVP_ARG_UNDER;
  } else if (in.take("kept ")) {
    a.kind = SVP_ARG_KEPT;
    a.reg = TRY(read_register(in));
  } else if (in.take("row(")) {
    a.kind = SVP_ARG_ROW;
    a.mask = TRY(in.number()) - 1;
    TRY(in.expect(")+"));
    a.value = TRY(in.number());
  } else if (in.take("row")) {
    a.kind = SVP_ARG_ROW;
  } else if (in.peek() == 'r') {
    a.kind = SVP_ARG_REG;
    a.reg = TRY(read_register(in));
  } else {
    a.kind = SVP_ARG_CONST;
    a.value = TRY(in.number());
  }
  return a;
}

Result<size_t> read_args(LineReader& in, ProcArgs& args) {
  TRY(in.expect("("));
  size_t n = 0;
  while (!in.take(")")) {
    if (n) TRY(in.expect(","));
    if (n == 6) return in.fail("more than 6 arguments");
    args[n++] = TRY(read_arg(in));
  }
  return n;
}

Result<CodePlace> read_place(LineReader& in) {
  CodePlace place;
  place.build_id = in.word();
  if (!from_hex(place.build_id)) return in.fail("'{}' is not a build-id in hexadecimal", place.build_id);
  TRY(in.expect("+"));
  place.offset = TRY(in.number());
  return place;
}

Result<Trigger> read_trigger(LineReader& in) {
  Trigger t;
  t.nr = TRY(call_number(in));
  TRY(read_args(in, t.arg));
  while (!in.at_end()) {
    if (in.take("path "))
      t.path_arg = static_cast<uint32_t>(TRY(in.number()));
    else if (in.take("streak "))
      t.streak = static_cast<uint8_t>(TRY(in.number()));
    else if (in.take("site "))
      t.site = TRY(read_place(in));
    else if (in.take("caller "))
      t.caller = TRY(read_place(in));
    else
      return in.fail("expected path, streak, site, caller or the end of the line");
  }
  return t;
}

Result<Follower> read_follower(LineReader& in) {
  Follower f;
  f.result = TRY(read_register(in));
  TRY(in.expect("="));
  f.nr = TRY(call_number(in));
  f.nargs = static_cast<uint8_t>(TRY(read_args(in, f.arg)));
  return f;
}

Result<svp_loop> read_loop(LineReader& in) {
  svp_loop loop{};
  const std::pair<const char*, uint32_t*> fields[] = {{"first ", &loop.first},
                                                      {"followers ", &loop.followers},
                                                      {"records ", &loop.records},
                                                      {"stride ", &loop.stride},
                                                      {"capacity ", &loop.capacity}};
  for (const auto& [name, value] : fields) {
    TRY(in.expect(name));
    *value = static_cast<uint32_t>(TRY(in.number()));
  }
  TRY(in.expect("end "));
  loop.end = TRY(read_register(in));
  if (in.take("leaves")) loop.flags = SVP_LOOP_LEAVES;
  return loop;
}

Result<svp_mode> read_mode(LineReader& in) {
  const std::string word = in.word();
  for (svp_mode mode : {SVP_RUN_AHEAD, SVP_ANSWER, SVP_LATE_CLOSE, SVP_DEFER})
    if (word == svp_mode_name(mode)) return mode;
  return in.fail("'{}' is not a mode; expected run_ahead, answer, late_close or defer", word);
}

Result<std::vector<uint8_t>> read_code(LineReader& in) {
  TRY(in.expect("{"));
  const size_t first = in.line_number();
  std::string text;
  for (;;) {
    if (!in.next_line()) return in.fail("the code that began at line {} has no closing '}}'", first);
    if (in.take("}")) break;
    text += std::string(in.whole_line()) + "\n";
  }
  Result<std::vector<uint8_t>> code = assemble(text);
  if (!code) return error("{}: code from line {} on: {}", in.name(), first + 1, code.message());
  return code;
}

Result<Procedure> read_procedure(LineReader& in) {
  Procedure p;
  p.name = TRY(in.quoted_string());
  p.mode = TRY(read_mode(in));
  TRY(in.expect("{"));
  for (;;) {
    if (!in.next_line()) return in.fail("procedure \"{}\" has no closing '}}'", p.name);
    if (in.take("}")) return p;
    const std::string item = in.word();
    if (item == "seen") {
      p.seen = TRY(in.number());
    } else if (item == "exe") {
      p.exe = in.word();
      if (!from_hex(p.exe)) return in.fail("'{}' is not a build-id in hexadecimal", p.exe);
    } else if (item == "staging") {
      p.staging = static_cast<uint32_t>(TRY(in.number()));
    } else if (item == "result") {
      p.trigger_result = TRY(read_register(in));
    } else if (item == "trigger") {
      p.triggers.push_back(TRY(read_trigger(in)));
    } else if (item == "follower") {
      p.followers.push_back(TRY(read_follower(in)));
    } else if (item == "loop") {
      p.loop = TRY(read_loop(in));
    } else if (item == "data") {
      const std::string bytes = TRY(in.quoted_string());
      p.data.assign(bytes.begin(), bytes.end());
    } else if (item == "code") {
      p.code = TRY(read_code(in));
    } else {
      return in.fail("'{}': expected seen, exe, staging, result, trigger, follower, loop, data, code or '}}'",
                     item);
    }
    if (!in.at_end()) return in.fail("'{}' was not expected at the end of the line", in.rest());
  }
}

}  // namespace

Result<ProcedureFile> from_text(std::string_view text, const std::string& name) {
  ProcedureFile file;
  LineReader in(text, name);
  while (in.next_line()) {
    const std::string_view line = in.rest();
    const std::string item = in.word();
    if (item == "notes") {
      file.notes += TRY(in.quoted_string());
      if (!in.at_end()) return in.fail("'{}' was not expected at the end of the line", in.rest());
    } else if (item == "list") {
      file.lists.push_back(TRY(read_list(in)));
    } else if (item == "procedure") {
      file.procs.push_back(TRY(read_procedure(in)));
    } else {
      return in.fail("'{}': expected procedure \"NAME\" MODE {{, list \"NAME\" prefetch {{ or notes \"...\"",
                     line);
    }
  }
  return file;
}

}  // namespace sysvm
