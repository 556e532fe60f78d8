// SPDX-License-Identifier: MIT
#include "optimizer/explain/explain.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "common/numbers.h"
#include "optimizer/base/calls.h"
#include "optimizer/base/cost.h"
#include "optimizer/explain/lists_text.h"
#include "procedures/text.h"
#include "vm/vm.h"

namespace sysvm {
namespace {

// Registers that the code sets once, to a number.
std::map<uint8_t, int64_t> constants_of(const Procedure& p) {
  std::map<uint8_t, int64_t> constants;
  const auto len = static_cast<uint32_t>(p.code.size());
  for (uint32_t at = 0; at < len;) {
    sysvm_insn insn;
    const int size = sysvm_decode(p.code.data(), len, at, &insn);
    if (size <= 0) break;
    if (insn.op >= SYSVM_OP_MOVI8 && insn.op <= SYSVM_OP_MOVI64) constants.try_emplace(insn.reg[0], insn.imm);
    at += static_cast<uint32_t>(size);
  }
  return constants;
}

std::string wide_instruction(const Procedure& p) {
  const auto len = static_cast<uint32_t>(p.code.size());
  for (uint32_t at = 0; at < len;) {
    sysvm_insn insn;
    const int size = sysvm_decode(p.code.data(), len, at, &insn);
    if (size <= 0) break;
    if (sysvm_is_wide(insn.op)) return sysvm_opcode_lookup(insn.op).mnemonic;
    at += static_cast<uint32_t>(size);
  }
  return "";
}

class Explainer {
 public:
  explicit Explainer(const Procedure& p) : proc_(p), constants_(constants_of(p)) {}

  ExplainedCall follower(const Follower& f) const {
    ExplainedCall out;
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(f.nr);
    out.call = call_name(f.nr) + "(";
    for (size_t i = 0; i < f.nargs; ++i) {
      std::string brief, from;
      argument(f.arg[i], row ? row->arg[i] : sysvm_arg_info{}, f, brief, from);
      out.call += (i ? ", " : "") + brief;
      out.from.push_back(from);
    }
    out.call += ")";
    return out;
  }

  std::string trigger(const Trigger& t) const {
    const sysvm_syscall_info* row = sysvm_syscall_by_nr(t.nr);
    std::string out = (row && row->result == SYSVM_RESULT_FD ? "fd = " : "") + call_name(t.nr) + "(";
    for (size_t i = 0; row && i < row->nargs; ++i) {
      const svp_arg& a = t.arg[i];
      std::string text = i == t.path_arg ? "path" : fmt::format("${}", i);
      if (a.kind == SVP_ARG_CONST && row->arg[i].kind == SYSVM_KIND_CMD)
        text = command_name(t.nr, a.value);
      else if (a.kind == SVP_ARG_CONST)
        text = number_text(a.value, row->arg[i]);
      else if (a.kind != SVP_ARG_ANY)
        text = arg_text(a);
      out += (i ? ", " : "") + text;
    }
    out += ")";
    if (t.streak) out += fmt::format(", number {} in a row", t.streak);
    if (t.site) out += fmt::format(" at {}+{:#x}", t.site->build_id, t.site->offset);
    if (t.caller) out += fmt::format(" called from {}+{:#x}", t.caller->build_id, t.caller->offset);
    return out;
  }

 private:
  static std::string command_name(uint32_t nr, uint64_t value) {
    const auto cmd = static_cast<unsigned>(value);
    const sysvm_command_info* row = nr == SYSVM_NR_fcntl   ? sysvm_fcntl_by_cmd(cmd)
                                    : nr == SYSVM_NR_ioctl ? sysvm_ioctl_by_cmd(cmd)
                                                           : nullptr;
    return row ? row->name : fmt::format("{:#x}", value);
  }

  void argument(const svp_arg& a, const sysvm_arg_info& kind, const Follower& f, std::string& brief,
                std::string& from) const {
    switch (a.kind) {
      case SVP_ARG_ANY:
        brief = "_";
        from = "not used";
        return;
      case SVP_ARG_CONST:
        brief = kind.kind == SYSVM_KIND_CMD ? command_name(f.nr, a.value) : number_text(a.value, kind);
        from = "constant " + brief;
        return;
      case SVP_ARG_REG: return register_source(a.reg, brief, from);
      case SVP_ARG_PATH:
        brief = "path";
        from = "string equal to the trigger's path";
        return;
      case SVP_ARG_STRING:
        brief = fmt::format("\"{}\"", printable(reinterpret_cast<const char*>(proc_.data.data()) + a.value));
        from = "constant string " + brief;
        return;
      case SVP_ARG_OUT:
        brief = "buf";
        from = fmt::format("filled: {} bytes staged at {}", a.size, a.value);
        return;
      case SVP_ARG_NAME:
        brief = "name";
        from = "the name of each entry of the directory";
        return;
      case SVP_ARG_KEPT:
        brief = "kept path";
        from = "the path from the root that was passed here the last time";
        return;
      case SVP_ARG_ROW:
        brief = "name";
        from =
            "each of the names that lie in a row in the program's memory, "
            "and each directory on the way to one";
        return;
      case SVP_ARG_UNDER:
        brief = "dir/name";
        from = "the directory's path, '/', and the name of each entry";
        return;
      case SVP_ARG_COUNT: {
        const auto at = constants_.find(a.reg);
        brief = at == constants_.end() ? fmt::format("r{}", a.reg) : fmt::format("{}", at->second);
        from = fmt::format("size {}, or any if the transfer was shorter", brief);
        return;
      }
      default: brief = from = "?";
    }
  }

  void register_source(uint8_t reg, std::string& brief, std::string& from) const {
    if (reg == proc_.trigger_result) {
      brief = "fd";
      from = "the trigger's result";
      return;
    }
    if (reg < 6) {
      brief = fmt::format("${}", reg);
      from = fmt::format("argument {} of the trigger", reg);
      return;
    }
    for (size_t i = 0; i < proc_.followers.size(); ++i)
      if (proc_.followers[i].result == reg) {
        brief = fmt::format("#{}", i);
        from = fmt::format("result of follower {} ({})", i, call_name(proc_.followers[i].nr));
        return;
      }
    brief = from = fmt::format("r{}", reg);
  }

  const Procedure& proc_;
  std::map<uint8_t, int64_t> constants_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// The guard that the format asks of code that reads ahead (procedures/svp.h); "" where nothing is read.
std::string guard_of(const Procedure& p) {
  bool data = false, entries = false;
  for (const Follower& f : p.followers) {
    data |= f.nr == SYSVM_NR_read || f.nr == SYSVM_NR_pread64;
    entries |= f.nr == SYSVM_NR_getdents64;
  }
  if (!data && !entries) return "";
  return fmt::format(
      "{}, on a file system where reading ahead is harmless, its atime not moved; else nothing is read",
      data && entries ? "a file that is not empty, or a directory"
      : data          ? "a regular file that is not empty"
                      : "a directory");
}

const char* what_the_mode_does(uint32_t mode) {
  switch (mode) {
    case SVP_RUN_AHEAD:
      return "made in one crossing with the trigger, each answered when the program asks for it";
    case SVP_ANSWER: return "answered without a crossing, from what is known about the descriptor";
    case SVP_LATE_CLOSE: return "answered at once; made with the thread's next crossing";
    default: return "";
  }
}

// Of notes that may say anything: what has the wrong type is not there.
const nlohmann::json* member(const nlohmann::json& from, const char* name) {
  const auto at = from.is_object() ? from.find(name) : from.end();
  return from.is_object() && at != from.end() ? &*at : nullptr;
}

double number_of(const nlohmann::json& from, const char* name, double otherwise) {
  const nlohmann::json* at = member(from, name);
  const double value = at && at->is_number() ? at->get<double>() : otherwise;
  return std::fabs(value) < 1e18 ? value : otherwise;
}

std::string text_of(const nlohmann::json& from, const char* name) {
  const nlohmann::json* at = member(from, name);
  return at && at->is_string() ? printable(at->get_ref<const std::string&>(), 1000) : "";
}

// The notes of the procedure at this place, or null.
const nlohmann::json* note_of(const nlohmann::json& notes, size_t i, const std::string& name) {
  const nlohmann::json* all = member(notes, "procedures");
  if (!all || !all->is_array() || i >= all->size() || text_of((*all)[i], "name") != name) return nullptr;
  return &(*all)[i];
}

std::vector<ExplainedProcedure> explain(const ProcedureFile& file, const nlohmann::json& notes) {
  std::vector<ExplainedProcedure> out;
  for (size_t i = 0; i < file.procs.size(); ++i) {
    const Procedure& p = file.procs[i];
    const Explainer explainer(p);
    ExplainedProcedure& e = out.emplace_back();
    e.name = printable(p.name, 1000);
    e.mode = svp_mode_name(p.mode);
    e.exe = p.exe;
    if (const nlohmann::json* programs = member(notes, "programs"))
      e.program = text_of(*programs, p.exe.c_str());
    e.seen = p.seen;
    e.staging = p.staging;
    e.guard = guard_of(p);
    if (p.loop) {
      e.loop_first = p.loop->first;
      e.loop_calls = p.loop->followers;
      e.loop_entries = p.loop->capacity;
      e.loop_instruction = wide_instruction(p);
      for (const svp_arg& a : p.followers[p.loop->first].arg) e.loop_over_names |= a.kind == SVP_ARG_ROW;
    }
    if (const nlohmann::json* note = note_of(notes, i, e.name)) {
      e.hits = static_cast<int64_t>(number_of(*note, "hits", -1));
      e.misses = static_cast<int64_t>(number_of(*note, "misses", -1));
      e.undone = static_cast<int64_t>(number_of(*note, "undone", -1));
      e.saved_ns = number_of(*note, "saved_ns", 0);
      e.saved_low_ns = number_of(*note, "saved_low_ns", e.saved_ns);
      e.saved_high_ns = number_of(*note, "saved_high_ns", e.saved_ns);
      e.break_even_ns = number_of(*note, "break_even_ns", 0);
      e.stop = text_of(*note, "stop");
      if (const nlohmann::json* example = member(*note, "example")) e.example = example_from(*example);
    }
    for (const Trigger& t : p.triggers) e.triggers.push_back(explainer.trigger(t));
    for (const Follower& f : p.followers) e.followers.push_back(explainer.follower(f));
    e.code = lines_of(list_code(p.code, ""));
  }
  return out;
}

nlohmann::json notes_of(const ProcedureFile& file) {
  return nlohmann::json::parse(file.notes, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

std::vector<ExplainedProcedure> explain(const ProcedureFile& file) { return explain(file, notes_of(file)); }

std::string explain_text(const ProcedureFile& file, bool code) {
  std::string out;
  const std::vector<ExplainedProcedure> all = explain(file);
  if (all.empty()) out = "no procedures: every call is made plainly\n";
  for (size_t i = 0; i < all.size(); ++i) {
    const ExplainedProcedure& e = all[i];
    out += fmt::format("{}procedure {}: {} ({})\n  {}\n", i ? "\n" : "", i, e.name, e.mode,
                       what_the_mode_does(file.procs[i].mode));
    out += fmt::format("  seen {} times", e.seen);
    if (e.hits >= 0)
      out += fmt::format("; replayed: {} hits, {} misses, {} undone", e.hits, e.misses, e.undone);
    if (e.hits >= 0 && e.saved_ns != 0)
      out += fmt::format(
          "\n  expected to save {} ({} to {}) in a run like the recorded one; "
          "pays from {:.0f} ns for a crossing",
          time_text(e.saved_ns), time_text(e.saved_low_ns), time_text(e.saved_high_ns), e.break_even_ns);
    out += e.exe.empty()       ? "; for any executable\n"
           : e.program.empty() ? fmt::format("; for the executable {}\n", e.exe)
                               : fmt::format("; for {} (build-id {:.8})\n", e.program, e.exe);
    if (!e.example.calls.empty())
      out += "  example  calls of the recorded run, beside what makes or answers each\n";
    out += side_by_side(file.procs[i], e.example, code);
    for (const std::string& t : e.triggers) out += "  when     " + t + "\n";
    if (!e.guard.empty()) out += "  only if  " + e.guard + "\n";
    for (size_t j = 0; j < e.followers.size(); ++j) {
      const ExplainedCall& f = e.followers[j];
      if (e.loop_calls && j == e.loop_first)
        out += fmt::format("  loop     what follows is made for each {}, at most {} in a run{}:\n",
                           e.loop_over_names ? "name in the row and each directory on the way" : "dirent",
                           e.loop_entries,
                           e.loop_instruction.empty()
                               ? ""
                               : ", the first call of each by one instruction (" + e.loop_instruction + ")");
      if (e.loop_calls && j == e.loop_first + e.loop_calls) out += "  end      of the loop\n";
      out += "  answers  " + f.call + "\n";
      for (size_t k = 0; k < f.from.size(); ++k) out += fmt::format("             {}  {}\n", k, f.from[k]);
    }
    if (!e.stop.empty()) out += "  ends     " + e.stop + "\n";
    if (code && e.code.size() > 1) {
      out += fmt::format("  code     {} bytes, {} bytes staged\n", file.procs[i].code.size(), e.staging);
      for (const std::string& line : e.code)
        out += fmt::format("    {}{}\n", line.ends_with(':') ? "" : "  ", line);
    }
  }
  return out + lists_text(file.lists);
}

std::string explain_json(const ProcedureFile& file) {
  nlohmann::json procedures = nlohmann::json::array();
  const nlohmann::json notes = notes_of(file);
  for (const ExplainedProcedure& e : explain(file, notes)) {
    nlohmann::json followers = nlohmann::json::array();
    for (const ExplainedCall& f : e.followers) followers.push_back({{"call", f.call}, {"from", f.from}});
    nlohmann::json one = {{"name", e.name},       {"mode", e.mode},         {"exe", e.exe},
                          {"seen", e.seen},       {"triggers", e.triggers}, {"followers", followers},
                          {"staging", e.staging}, {"code", e.code},         {"stop", e.stop},
                          {"guard", e.guard}};
    if (e.loop_calls)
      one["loop"] = {{"first", e.loop_first}, {"calls", e.loop_calls}, {"entries", e.loop_entries}};
    if (!e.loop_instruction.empty()) one["loop"]["instruction"] = e.loop_instruction;
    if (e.hits >= 0)
      one.update({{"hits", e.hits},
                  {"misses", e.misses},
                  {"undone", e.undone},
                  {"saved_ns", e.saved_ns},
                  {"saved_low_ns", e.saved_low_ns},
                  {"saved_high_ns", e.saved_high_ns},
                  {"break_even_ns", e.break_even_ns}});
    if (!e.example.calls.empty()) one["example"] = to_json(e.example);
    procedures.push_back(one);
  }
  nlohmann::json out = {{"schema", 1}, {"procedures", procedures}, {"lists", lists_json(file.lists)}};
  const nlohmann::json* dropped = member(notes, "dropped");
  if (dropped && dropped->is_array()) {
    out["dropped"] = nlohmann::json::array();
    for (const nlohmann::json& d : *dropped)
      out["dropped"].push_back({{"trigger", text_of(d, "trigger")},
                                {"seen", static_cast<int64_t>(number_of(d, "seen", 0))},
                                {"reason", text_of(d, "reason")}});
  }
  return out.dump(2);
}

}  // namespace sysvm
