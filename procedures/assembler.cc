// SPDX-License-Identifier: MIT
#include "procedures/assembler.h"

#include <array>
#include <set>

#include "procedures/assemble.h"
#include "vm/vm.h"

namespace sysvm {
namespace {

std::set<int64_t> jump_targets(std::span<const uint8_t> code) {
  std::set<int64_t> targets;
  uint32_t at = 0;
  while (at < code.size()) {
    sysvm_insn insn;
    const int size = sysvm_decode(code.data(), code.size(), at, &insn);
    if (size > 0 && sysvm_is_jump(insn.form)) targets.insert(sysvm_jump_target(at, &insn));
    at += size > 0 ? size : 1;
  }
  return targets;
}

}  // namespace

Result<std::vector<uint8_t>> assemble(std::string_view text) {
  std::vector<uint8_t> code(SYSVM_PROC_CODE_MAX);
  std::array<char, 256> message;
  size_t size = 0;
  if (sysvm_assemble(std::string(text).c_str(), code.data(), code.size(), &size, message.data(),
                     message.size()))
    return Error{message.data()};
  code.resize(size);
  return code;
}

std::string disassemble(std::span<const uint8_t> code, bool offsets) {
  const std::set<int64_t> targets = jump_targets(code);
  std::string out;
  uint32_t at = 0;
  while (at < code.size()) {
    std::array<char, 128> text;
    int size = sysvm_disasm(code.data(), code.size(), at, SYSVM_DISASM_LABELS, text.data(), text.size());
    std::string line = text.data();
    if (size <= 0) {
      line = fmt::format(".byte {:#04x}", code[at]);
      size = 1;
    }
    if (targets.count(at)) out += fmt::format("L{}:\n", at);
    out += offsets ? fmt::format("\t{:<32} ; {}\n", line, at) : fmt::format("\t{}\n", line);
    at += size;
  }
  return out;
}

Result<> verify(std::span<const uint8_t> code) {
  std::vector<uint8_t> starts(SYSVM_STARTS_SIZE(code.size()) + 1);
  std::array<char, 256> message;
  uint32_t at;
  if (sysvm_verify(code.data(), code.size(), starts.data(), &at, message.data(), message.size()))
    return Error{message.data()};
  return Unit{};
}

}  // namespace sysvm
