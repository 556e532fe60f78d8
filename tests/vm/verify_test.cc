// SPDX-License-Identifier: MIT
// The verifier's contract: each program that it must refuse is valid but for one thing, beside the exact
// message.
#include <errno.h>
#include <gtest/gtest.h>

#include "procedures/assembler.h"
#include "vm/vm.h"

namespace sysvm {
namespace {

TEST(Verifier, AcceptsEveryInstructionInAProgramThatEnds) {
  auto code = assemble("goon openat r6, r0, r1, r2, r3\nback: jneg r6, out\nread.s\njmp back\nout: end");
  ASSERT_TRUE(code.ok()) << code.message();
  EXPECT_TRUE(verify(*code).ok()) << verify(*code).message();
  EXPECT_TRUE(verify(*assemble("a: jmp a")).ok());
}

TEST(Verifier, NamesTheByteAndQuotesTheInstruction) {
  const struct {
    const char *program, *message;
  } cases[] = {
      {".byte 0\nend", "byte 0: unknown opcode 0x00"},
      {"end\n.byte 0xff\nend", "byte 1: unknown opcode 0xff"},
      {"end\n.byte 0xfe\nend", "byte 1: unknown opcode 0xfe 0x01"},
      {"end\n.byte 0x2c\nend", "byte 1: unknown opcode 0x2c"},
      {"end\n.byte 0x96\nend", "byte 1: unknown opcode 0x96"},
      {"mov r1, r2\n.byte 7, 1, 2", "byte 3: movi64 takes 10 bytes, the code ends after 3"},
      {"end\n.byte 0x30, 1", "byte 1: read takes 5 bytes, the code ends after 2"},
      {"jeq r1, r2, +75\nend", "byte 0: jump target 80 past end 6 (jeq r1, r2, +75)"},
      {"jmp +1\nend", "byte 0: jump target 4 past end 4 (jmp +1)"},
      {"end\njz r1, -6", "byte 1: jump target -1 before the start (jz r1, -6)"},
      {"movi8 r1, 1\njmp -4\nend", "byte 3: jump target 2 inside the instruction at byte 0 (jmp -4)"},
      {"goon getpid.s\njmp -4\nend", "byte 2: jump target 1 inside the instruction at byte 0 (jmp -4)"},
      {"goon mov r1, r2\nend", "byte 1: goon stands before it, expected a call (mov r1, r2)"},
      {"goon goon getpid.s\nend", "byte 1: goon stands before it, expected a call (goon getpid.s)"},
      {"goon end", "byte 1: goon stands before it, expected a call (end)"},
      {"end\ngoon", "byte 1: goon at the end, expected a call after it"},
      {"add r1, r2, r3", "byte 0: the program runs past its end, expected end or jmp last (add r1, r2, r3)"},
      {"end\ngoon close.s", "byte 1: the program runs past its end, expected end or jmp last (goon close.s)"},
      {"a: end\njz r1, a", "byte 1: the program runs past its end, expected end or jmp last (jz r1, -5)"},
      {"goon stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 160, 1, 0, 0\nend",
       "byte 1: goon stands before it, expected a call (stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, "
       "r10, 160, 1, 0)"},
      {"end\nstat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 160, 0, 0, 0\nend",
       "byte 1: 0 followers, expected 1 to 8"},
      {"stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 65528, 9, 0, 0\nend",
       "byte 0: 9 followers, expected 1 to 8"},
      {"stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 152, 1, 0, 0\nend",
       "byte 0: records of 152 bytes, expected a multiple of 8, at least 160"},
      {"stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 164, 1, 0, 0\nend",
       "byte 0: records of 164 bytes, expected a multiple of 8, at least 160"},
      {"statx_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, 272, 2, 0, 0\nend",
       "byte 0: records of 272 bytes, expected a multiple of 8, at least 280"},
      {"stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 160, 1, 3, 0\nend",
       "byte 0: names to skip, expected 0, 1 or 2"},
      {"stat_entries r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, 160, 1, 0, 1\nend",
       "byte 0: kind 0, expected kinds 1 to 15"},
      {".byte 0xfe, 0xc2\nend", "byte 0: unknown opcode 0xfe 0xc2"},
      {"end\n.byte 0xfe, 0xc0, 1", "byte 1: stat_entries takes 18 bytes, the code ends after 3"},
      {"", "0 bytes of code, expected 1 to 16384"},
  };
  for (const auto& c : cases) {
    auto code = assemble(c.program);
    ASSERT_TRUE(code.ok()) << c.program << ": " << code.message();
    auto verdict = verify(*code);
    ASSERT_FALSE(verdict.ok()) << c.program;
    EXPECT_EQ(verdict.message(), c.message) << c.program;
  }
}

TEST(Verifier, RefusesCodeThatIsTooLong) {
  std::vector<uint8_t> code(SYSVM_PROC_CODE_MAX, SYSVM_OP_END);
  EXPECT_TRUE(verify(code).ok());
  code.push_back(SYSVM_OP_END);
  EXPECT_EQ(verify(code).message(), "16385 bytes of code, expected 1 to 16384");
}

TEST(Verifier, MarksWhereInstructionsStart) {
  auto code = assemble("movi8 r1, 1\ngoon getpid.s\nend");
  uint8_t starts[1];
  uint32_t at;
  ASSERT_EQ(sysvm_verify(code->data(), code->size(), starts, &at, nullptr, 0), 0);
  EXPECT_EQ(starts[0], 0b101001);
}

TEST(Verifier, CutsItsMessageAtTheSizeGiven) {
  auto code = assemble("jmp +1\nend");
  uint8_t starts[1];
  uint32_t at = 99;
  char message[8] = "xxxxxxx";
  EXPECT_EQ(sysvm_verify(code->data(), code->size(), starts, &at, message, sizeof message), -EINVAL);
  EXPECT_EQ(at, 0u);
  EXPECT_STREQ(message, "byte 0:");
}

}  // namespace
}  // namespace sysvm
