// SPDX-License-Identifier: MIT
// Assembler and disassembler against each other, for every opcode that the tables have; and each message.
#include "procedures/assembler.h"

#include <gtest/gtest.h>

#include "vm/vm.h"

namespace sysvm {
namespace {

using Bytes = std::vector<uint8_t>;

std::string one(const Bytes& code, sysvm_disasm_style style = SYSVM_DISASM_LABELS) {
  char text[128];
  return sysvm_disasm(code.data(), code.size(), 0, style, text, sizeof text) > 0 ? text : "(nothing)";
}

// Operand bytes that make a jump go forward over one END, and everything else look at the sign bit.
Bytes sample(unsigned op, int variant) {
  const sysvm_opcode_info info = sysvm_opcode_lookup(op);
  Bytes code{uint8_t(op)};
  if (op > 0xff) code = {SYSVM_OP_EXTENDED, uint8_t(op)};
  for (int i = info.head; i < info.size; i++) code.push_back(variant ? 0x80 + 7 * i : 3 * i);
  if (sysvm_is_entries(info.form)) {
    const Bytes imm = variant ? Bytes{0xf8, 0xff, 8, 2, 0xfe, 0xff} : Bytes{0x10, 1, 1, 0, 0, 0x40};
    std::copy(imm.begin(), imm.end(), code.end() - 6);
  }
  if (sysvm_is_jump(info.form)) {
    code[info.size - 2] = 1;
    code[info.size - 1] = 0;
  }
  code.push_back(SYSVM_OP_END);
  code.push_back(SYSVM_OP_END);
  return code;
}

TEST(Assembler, EveryOpcodeComesBackFromItsText) {
  int opcodes = 0, calls = 0;
  for (unsigned op = 0; op < SYSVM_OPS; op++) {
    const sysvm_opcode_info info = sysvm_opcode_lookup(op);
    if (info.form == SYSVM_FORM_BAD || op == SYSVM_OP_GOON) continue;
    opcodes++;
    calls += sysvm_is_call(info.form);
    for (int variant : {0, 1}) {
      Bytes code = sample(op, variant);
      if (sysvm_is_call(info.form) && variant) code.insert(code.begin(), SYSVM_OP_GOON);
      ASSERT_TRUE(verify(code).ok()) << one(code);
      const std::string text = disassemble(code);
      auto again = assemble(text);
      ASSERT_TRUE(again.ok()) << text << again.message();
      EXPECT_EQ(*again, code) << text;
      EXPECT_EQ(*assemble(disassemble(code, true)), code);
    }
  }
  EXPECT_EQ(calls, 2 * 102 + 73);
  EXPECT_EQ(opcodes, 44 + calls);
}

TEST(Assembler, TextOfEachForm) {
  const struct {
    const char* text;
    Bytes code;
  } cases[] = {
      {"end", {0x01}},
      {"mov r1, r255", {0x03, 1, 255}},
      {"movi8 r1, -3", {0x04, 1, 0xfd}},
      {"movi16 r1, 256", {0x05, 1, 0, 1}},
      {"movi32 r1, -2147483648", {0x06, 1, 0, 0, 0, 0x80}},
      {"movi64 r1, -9223372036854775808", {0x07, 1, 0, 0, 0, 0, 0, 0, 0, 0x80}},
      {"data r1, 65535", {0x08, 1, 0xff, 0xff}},
      {"add r1, r2, r3", {0x09, 1, 2, 3}},
      {"addi r1, r2, -8", {0x14, 1, 2, 0xf8, 0xff, 0xff, 0xff}},
      {"ld64 r1, [r2+16]", {0x19, 1, 2, 16, 0}},
      {"ld64 r1, [r2]", {0x19, 1, 2, 0, 0}},
      {"st64 [r1-1], r2", {0x20, 1, 2, 0xff, 0xff}},
      {"jmp +5", {0x21, 5, 0}},
      {"jz r9, -3", {0x22, 9, 0xfd, 0xff}},
      {"jeq r1, r2, +0", {0x26, 1, 2, 0, 0}},
      {"read r6, r1, r2, r3", {0x30, 6, 1, 2, 3}},
      {"read.s", {0x98}},
      {"goon read.s", {0x02, 0x98}},
      {"stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 160, 1, 2, 16",
       {0xfe, 0xc0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 160, 0, 1, 2, 16, 0}},
      {"statx_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, 272, 1, 0, 65534",
       {0xfe, 0xc1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 16, 1, 1, 0, 0xfe, 0xff}},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(one(c.code, SYSVM_DISASM_RELATIVE), c.text);
    auto code = assemble(c.text);
    ASSERT_TRUE(code.ok()) << c.text << ": " << code.message();
    EXPECT_EQ(*code, c.code) << c.text;
  }
}

TEST(Assembler, ReadsCommentsLabelsAndHexadecimal) {
  auto code = assemble(
      "; a comment line\n"
      "top: movi8 r1, 0x10 ; sixteen\n"
      "  movi64 r2, 0xffffffffffffffff\n"
      "\n"
      "  a: b: jz r1, done\r\n"
      "\tjmp top\n"
      "done:\n"
      "  end");
  ASSERT_TRUE(code.ok()) << code.message();
  EXPECT_EQ(disassemble(*code),
            "L0:\n\tmovi8 r1, 16\n\tmovi64 r2, -1\n\tjz r1, L20\n\tjmp L0\nL20:\n\tend\n");
}

TEST(Assembler, BytesThatAreNoInstructionAreShownAndReadAsBytes) {
  const Bytes code{0x2c, 0x00, 0x01};
  EXPECT_EQ(disassemble(code), "\t.byte 0x2c\n\t.byte 0x00\n\tend\n");
  EXPECT_EQ(*assemble(disassemble(code)), code);
  EXPECT_EQ(*assemble(".byte 0x2c, 0, 1"), code);
}

TEST(Assembler, MessagesNameTheLineAndWhatWasExpected) {
  const struct {
    const char *text, *message;
  } cases[] = {
      {"nop", "line 1: expected an instruction, found 'nop'"},
      {"end\nmov r1, x7", "line 2: expected a register (r0 to r255), found 'x7'"},
      {"mov r256, r1", "line 1: expected a register (r0 to r255), found 'r256'"},
      {"mov r1", "line 1: expected ',', found the end of the line"},
      {"mov r1 r2", "line 1: expected ',', found 'r2'"},
      {"end r1", "line 1: expected the end of the line, found 'r1'"},
      {"movi8 r1, 128", "line 1: '128' does not fit, expected -128 to 127"},
      {"movi16 r1, -32769", "line 1: '-32769' does not fit, expected -32768 to 32767"},
      {"movi64 r1, 18446744073709551616",
       "line 1: '18446744073709551616' does not fit, expected -9223372036854775808 to 18446744073709551615"},
      {"data r1, -1", "line 1: '-1' does not fit, expected 0 to 65535"},
      {"movi8 r1, r2", "line 1: expected a number, found 'r2'"},
      {"movi8 r1, 12q", "line 1: expected a number, found '12q'"},
      {"ld8 r1, r2", "line 1: expected '[', found 'r2'"},
      {"ld8 r1, [r2+40000]", "line 1: '+40000' does not fit, expected -32768 to 32767"},
      {"st8 [r1+2, r3", "line 1: expected ']', found ','"},
      {"\n\njmp out", "line 3: unknown label 'out'"},
      {"jmp 12", "line 1: expected a label or a signed distance, found '12'"},
      {"a: end\na: end", "line 2: label 'a' is on line 1 already"},
      {"read r1, r2, r3", "line 1: expected ',', found the end of the line"},
      {"read.s r1", "line 1: expected the end of the line, found 'r1'"},
      {"stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 65536, 1, 2, 16",
       "line 1: '65536' does not fit, expected 0 to 65535"},
      {"stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 160, 1",
       "line 1: expected ',', found the end of the line"},
      {".byte 256", "line 1: '256' does not fit, expected -128 to 255"},
  };
  for (const auto& c : cases) {
    auto code = assemble(c.text);
    ASSERT_FALSE(code.ok()) << c.text;
    EXPECT_EQ(code.message(), c.message) << c.text;
  }
}

TEST(Assembler, RefusesProgramsThatAreTooLong) {
  std::string longest = "jmp out\n";
  for (int i = 0; i < 16383 / 10; i++) longest += "movi64 r1, 1\n";
  EXPECT_TRUE(assemble(longest + "out: end").ok());
  const std::string message = assemble(longest + longest + "out: end").message();
  EXPECT_EQ(message, "line 1640: more than 16384 bytes of code");
}

}  // namespace
}  // namespace sysvm
