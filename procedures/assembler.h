// SPDX-License-Identifier: MIT
// Text to byte code and back.
//
// The assembler itself is procedures/assemble.c (plain C, so that the guest's case runner has it too); the
// text of one instruction comes from kmod/vm/disasm.c. Here they meet: disassemble() prints whole programs
// with labels, and assemble(disassemble(code)) == code for every code that the verifier accepts. Tested by
// tests/vm/assembler_test.cc.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace sysvm {

// Errors carry the line: "line 3: expected a register (r0 to r255), found 'x7'".
Result<std::vector<uint8_t>> assemble(std::string_view text);

// One instruction on a line, "L14:" before each one that a jump goes to. With offsets, each line ends in ";
// 14", the byte where it starts. Bytes that are no instruction appear as ".byte".
std::string disassemble(std::span<const uint8_t> code, bool offsets = false);

// Error message of the verifier, or nothing if it accepts the code.
Result<> verify(std::span<const uint8_t> code);

}  // namespace sysvm
