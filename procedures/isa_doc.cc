// SPDX-License-Identifier: MIT
// Prints docs/isa.md: the hand-written head, the tables, and the comparison with a stack machine.
//
// The comparison takes the programs of tests/cases that the verifier accepts and counts them twice: as they
// are, and as a compiler for a stack machine would write them. The model favours the stack: opcodes and slots
// of one byte, every value that is used once and by the next instruction stays on the stack for free, and
// jumps compare with the top of it. What it cannot avoid is what batching is about: a descriptor or an
// address that several calls use has to be stored once and fetched for each of them. Tested by tests/vm/
// (ctest vm.IsaPageIsFresh).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "procedures/assembler.h"
#include "uapi/syscalls.h"
#include "vm/vm.h"

namespace {

struct Row {
  unsigned op;
  const char *mnemonic, *operands, *effect;
};
constexpr Row kRows[] = {
#define SYSVM_INSN(number, NAME, mnemonic, operands, effect) {number, #mnemonic, #operands, effect},
#include "uapi/opcodes.inc"
};

std::string example(const Row& row) {
  static const std::map<std::string, const char*> kText = {
      {"NONE", ""},
      {"R", "r1"},
      {"RR", "r1, r2"},
      {"RRR", "r1, r2, r3"},
      {"RI8", "r1, imm"},
      {"RI16", "r1, imm"},
      {"RI32", "r1, imm"},
      {"RI64", "r1, imm"},
      {"RRI32", "r1, r2, imm"},
      {"LOAD", "r1, [r2+imm]"},
      {"STORE", "[r1+imm], r2"},
      {"J", "label"},
      {"RJ", "r1, label"},
      {"RRJ", "r1, r2, label"},
      {"RD", "r1, offset"},
  };
  return fmt::format("{} {}", row.mnemonic, kText.at(row.operands));
}

void print_instructions() {
  fmt::print("\n## Machine instructions\n\n| opcode | bytes | text | effect |\n|---|--:|---|---|\n");
  for (const Row& row : kRows) {
    std::string effect = row.effect;
    for (size_t at = 0; (at = effect.find('|', at)) != std::string::npos; at += 2) effect.insert(at, "\\");
    fmt::print("| {:#04x} | {} | `{}` | {} |\n", row.op, sysvm_insn_size(row.op), example(row), effect);
  }
}

constexpr Row kWide[] = {
#define SYSVM_WIDE(second, NAME, mnemonic, operands, effect) {SYSVM_OP_##NAME, #mnemonic, #operands, effect},
#include "uapi/opcodes.inc"
};

void print_wide() {
  fmt::print(
      "\n## Wide instructions\n\nWhat their operands are, and what a record is, is said in "
      "`kmod/uapi/opcodes.inc`; they have neither `goon` nor a short form.\nAn error of a call is in its "
      "record and stops nothing.\n\n| opcode | bytes | text | effect |\n|---|--:|---|---|\n");
  for (const Row& row : kWide) {
    std::string registers;
    const sysvm_opcode_info info = sysvm_opcode_lookup(row.op);
    for (unsigned i = 1; i <= sysvm_insn_regs(&info); i++) registers += fmt::format("r{}, ", i);
    fmt::print("| 0xfe {:#04x} | {} | `{} {}stride, followers, skip, kinds` | {} |\n", row.op & 0xff,
               sysvm_insn_size(row.op), row.mnemonic, registers, row.effect);
  }
}

std::string argument(const sysvm_arg_info& a) {
  std::string name = sysvm_kind_name(a.kind);
  if (a.param) name += fmt::format("({})", a.param);
  return name;
}

void print_calls() {
  fmt::print(
      "\n## Calls\n\nThe words are those of `kmod/uapi/syscalls.inc`. Full form: the opcode, a destination "
      "and one register for\n"
      "each argument; short form: the opcode alone. An opcode of two bytes has no short form.\n\n"
      "| index | full | short | call | arguments | result | effect |\n|--:|---|---|---|---|---|---|\n");
  for (unsigned i = 0; const sysvm_syscall_info* row = sysvm_syscall_by_index(i); i++) {
    std::string arguments;
    for (int n = 0; n < row->nargs; n++) arguments += (n ? ", " : "") + argument(row->arg[n]);
    uint8_t op[2];
    std::string full = sysvm_put_call_op(op, i) == 1 ? fmt::format("{:#04x}", op[0])
                                                     : fmt::format("{:#04x} {:#04x}", op[0], op[1]);
    fmt::print("| {} | {} | {} | `{}` | {} | {} | {} |\n", i, full,
               i < SYSVM_CALL_EXTENDED ? fmt::format("{:#04x}", SYSVM_OP_CALL_SHORT + i) : "", row->name,
               arguments, sysvm_result_name(row->result), sysvm_effect_name(row->effect));
  }
}

void print_denied() {
  std::map<std::string, std::pair<std::string, std::vector<std::string>>> reasons;
#define SYSVM_REASON(word, text) reasons[#word].first = text;
#define SYSVM_DENIED(name, reason) reasons[#reason].second.push_back(#name);
#include "uapi/denied.inc"
  fmt::print("\n## Calls that the machine does not make\n\n| because it | calls |\n|---|---|\n");
  for (const auto& [word, entry] : reasons)
    fmt::print("| {} | {} |\n", entry.first, fmt::join(entry.second, ", "));
}

// --- registers against a stack
// -----------------------------------------------------------------------------------

struct Program {
  std::string name;
  std::vector<uint8_t> code;
};

struct Cost {
  int bytes = 0, insns = 0;
  void operator+=(const Cost& c) { bytes += c.bytes, insns += c.insns; }
};

// One instruction as a stack compiler sees it: which values go in, which one comes out.
struct Insn {
  std::vector<int> in;
  int out = -1;
  int immediate = 0;  // bytes
  bool is_move = false;
};

bool writes_first(const sysvm_insn& i) {
  return i.nregs && i.form != SYSVM_FORM_STORE && i.form != SYSVM_FORM_RJ && i.form != SYSVM_FORM_RRJ;
}

std::vector<Insn> take_apart(const std::vector<uint8_t>& code) {
  std::vector<Insn> out;
  for (uint32_t at = 0; at < code.size();) {
    sysvm_insn insn;
    at += sysvm_decode(code.data(), code.size(), at, &insn);
    if (insn.op == SYSVM_OP_GOON) continue;  // a prefix in both
    Insn i;
    i.is_move = insn.op == SYSVM_OP_MOV;
    i.immediate = insn.size - insn.head - insn.nregs;
    if (insn.form == SYSVM_FORM_CALL_SHORT) i.out = 0;  // user space put the arguments where they are wanted
    for (int n = 0; n < insn.nregs; n++) {
      if (n == 0 && writes_first(insn))
        i.out = insn.reg[0];
      else
        i.in.push_back(insn.reg[n]);
    }
    out.push_back(i);
  }
  return out;
}

Cost on_registers(const std::vector<uint8_t>& code) {
  return {int(code.size()), int(take_apart(code).size())};
}

int prefixes_in(const std::vector<uint8_t>& code) {
  int prefixes = 0;
  for (uint32_t at = 0; at < code.size();) {
    prefixes += code[at] == SYSVM_OP_GOON;
    at += sysvm_insn_size(sysvm_op_at(code.data(), code.size(), at));
  }
  return prefixes;
}

Cost on_stack(const std::vector<uint8_t>& code) {
  const std::vector<Insn> insns = take_apart(code);
  std::map<int, int> reads;
  for (const Insn& i : insns)
    for (int r : i.in) reads[r]++;
  Cost cost{prefixes_in(code), 0};
  int kept = -1;  // the value that the previous instruction left on the stack
  for (size_t n = 0; n < insns.size(); n++) {
    const Insn& i = insns[n];
    for (int r : i.in) {
      if (r == kept)
        kept = -1;
      else
        cost += {2, 1};  // get slot
    }
    if (!i.is_move) cost += {1 + i.immediate, 1};
    kept = -1;
    if (i.out < 0) continue;
    const bool next_only = n + 1 < insns.size() && reads[i.out] == 1 &&
                           std::count(insns[n + 1].in.begin(), insns[n + 1].in.end(), i.out) == 1;
    if (next_only)
      kept = i.out;
    else
      cost += {2, 1};  // set slot
  }
  return cost;
}

// The programs of a case file: "case NAME", then "program" and its lines.
void read_cases(const std::filesystem::path& path, std::vector<Program>& out) {
  std::ifstream in(path);
  std::string line, name, text;
  bool inside = false;
  auto finish = [&] {
    if (inside) {
      auto code = sysvm::assemble(text);
      if (code && sysvm::verify(*code)) out.push_back({name, *code});
    }
    inside = false;
    text.clear();
  };
  while (std::getline(in, line)) {
    const bool label = line.find_first_of(" \t") == std::string::npos && !line.empty() && line.back() == ':';
    if (inside && (line.empty() || line[0] == '\t' || line[0] == ' ' || label)) {
      text += line + "\n";
      continue;
    }
    finish();
    if (line.rfind("case ", 0) == 0) name = line.substr(5);
    if (line == "program") inside = true;
  }
  finish();
}

void print_comparison(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.path().extension() == ".case") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  fmt::print(
      "\n## Why registers: the same programs on a stack\n\n"
      "An answer to the first proposal held that a stack machine would be saner. The programs of "
      "`tests/cases` say this. Stack\n"
      "side: opcodes and slots of one byte, `get slot` and `set slot` of two; a value that only the next "
      "instruction uses stays\n"
      "on the stack for free (`procedures/isa_doc.cc` has the model, which favours the stack). Instructions "
      "are counted as\n"
      "written, that is as dispatched without loops.\n\n"
      "| programs | count | bytes: registers | bytes: stack | instructions: registers | instructions: stack "
      "|\n"
      "|---|--:|--:|--:|--:|--:|\n");
  Cost all_registers, all_stack;
  size_t count = 0;
  std::vector<Program> samples;
  for (const auto& file : files) {
    std::vector<Program> programs;
    read_cases(file, programs);
    Cost registers, stack;
    for (const Program& p : programs) {
      registers += on_registers(p.code);
      stack += on_stack(p.code);
    }
    if (programs.empty()) continue;
    fmt::print("| {} | {} | {} | {} | {} | {} |\n", file.stem().string(), programs.size(), registers.bytes,
               stack.bytes, registers.insns, stack.insns);
    all_registers += registers;
    all_stack += stack;
    count += programs.size();
    if (file.stem() == "real") samples = programs;
  }
  fmt::print("| **all** | {} | {} | {} | {} | {} |\n", count, all_registers.bytes, all_stack.bytes,
             all_registers.insns, all_stack.insns);
  fmt::print(
      "\nThe sequences of real calls, one by one:\n\n"
      "| program | bytes: registers | bytes: stack | instructions: registers | instructions: stack |\n"
      "|---|--:|--:|--:|--:|\n");
  for (const Program& p : samples) {
    const Cost r = on_registers(p.code), s = on_stack(p.code);
    fmt::print("| {} | {} | {} | {} | {} |\n", p.name, r.bytes, s.bytes, r.insns, s.insns);
  }
  fmt::print(
      "\nOn registers these programs take {:.0f} % of the stack's bytes and {:.0f} % of its instructions. "
      "The short form makes a lone call\n"
      "equal: one byte on either machine. The gain is in sequences: a descriptor is named by each call that "
      "uses it and\n"
      "never fetched, and results stay in the page, where user space reads them without a store "
      "instruction.\n",
      100.0 * all_registers.bytes / all_stack.bytes, 100.0 * all_registers.insns / all_stack.insns);
}

}  // namespace

int main() {
  const std::filesystem::path source = SYSVM_SOURCE_DIR;
  std::ifstream head(source / "docs" / "isa.head.md");
  if (!head) {
    fmt::print(stderr, "isa_doc: cannot read docs/isa.head.md in {}\n", source.string());
    return 1;
  }
  std::stringstream text;
  text << head.rdbuf();
  fmt::print("{}", text.str());
  print_instructions();
  print_wide();
  print_calls();
  print_denied();
  print_comparison(source / "tests" / "cases");
}
