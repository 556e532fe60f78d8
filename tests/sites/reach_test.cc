// SPDX-License-Identifier: MIT
// What lies between functions counts as code where a path leads to it: one way to lead there for each case,
// and beside it one that does not.
#include "libsysvm/sites/reach.h"

#include <gtest/gtest.h>

#include "libsysvm/sites/analyse.h"
#include "tests/sites/elf_builder.h"

namespace sysvm {
namespace {

constexpr uint32_t kGap = 16;  // where the only function's gap begins, unless it runs past its end

// The function, filled up with nops after its ret, then the gap.
BuiltElf built(Bytes function, const Bytes& gap) {
  function.push_back(0xc3);
  const auto end = static_cast<uint32_t>(function.size());
  function.resize(kGap, 0x90);
  return {.code = function + gap, .functions = {{0, end}}};
}

// An instruction at the function's beginning: opcode, and the distance to this address of the gap.
Bytes leads(Bytes opcode, uint32_t into_gap) {
  const auto end = static_cast<uint32_t>(opcode.size()) + 4;
  return opcode + words({static_cast<int32_t>(kGap + into_gap - end)});
}

const Bytes kLea{0x48, 0x8d, 0x0d}, kCall{0xe8}, kJump{0xe9}, kBranch{0x0f, 0x84};
const Bytes kSyscall{0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3};

uint32_t verdict(const BuiltElf& elf) { return analyse(built_image(elf)).object.verdict; }

TEST(Reach, WhatNothingLeadsToIsData) {
  EXPECT_EQ(verdict(built({}, kSyscall)), OBJECT_CLEAN);
  EXPECT_EQ(verdict(built({}, {0xcd, 0x80})), OBJECT_CLEAN);
  EXPECT_EQ(verdict(built({}, {0x0f, 0x34})), OBJECT_CLEAN);
}

TEST(Reach, WhatABranchLeadsToIsCode) {
  for (const Bytes& opcode : {kCall, kJump, kBranch}) {
    EXPECT_EQ(verdict(built(leads(opcode, 0), kSyscall)), OBJECT_UNSEEN);
    EXPECT_EQ(verdict(built(leads(opcode, 5), kSyscall)), OBJECT_UNSEEN);
    EXPECT_EQ(verdict(built(leads(opcode, 7), kSyscall)), OBJECT_CLEAN) << "after the call";
    EXPECT_EQ(verdict(built(leads(opcode, 0), {0xcd, 0x80, 0xc3})), OBJECT_UNSEEN);
  }
}

TEST(Reach, WhatComesAfterAFunctionThatRunsPastItsEndIsCode) {
  EXPECT_EQ(verdict({.code = Bytes{0x90} + kSyscall, .functions = {{0, 1}}}), OBJECT_UNSEEN);
  EXPECT_EQ(verdict({.code = Bytes{0xc3} + kSyscall, .functions = {{0, 1}}}), OBJECT_CLEAN);
}

TEST(Reach, WhatAnAddressInTheFileLeadsToIsCode) {
  BuiltElf pointer = built({}, kSyscall), elsewhere = pointer;
  pointer.data = words({uint64_t{0}, kText + kGap});
  EXPECT_EQ(verdict(pointer), OBJECT_UNSEEN);
  elsewhere.data = words({uint64_t{0}, kText});
  EXPECT_EQ(verdict(elsewhere), OBJECT_CLEAN);
  BuiltElf entered = built({}, kSyscall);
  entered.entry = kGap;
  EXPECT_EQ(verdict(entered), OBJECT_UNSEEN);
}

TEST(Reach, WhatAnInstructionComputesIsCode) {
  EXPECT_EQ(verdict(built(leads(kLea, 0), kSyscall)), OBJECT_UNSEEN);
  const Bytes constant = Bytes{0xbf} + words({static_cast<uint32_t>(kText + kGap)});  // mov $X,%edi
  BuiltElf fixed = built(constant, kSyscall);
  EXPECT_EQ(verdict(fixed), OBJECT_CLEAN);
  fixed.fixed = true;
  EXPECT_EQ(verdict(fixed), OBJECT_UNSEEN);
}

// A table is followed from its beginning as if it were code.
TEST(Reach, ATableIsDataFromWhereItDoesNotReadAsCode) {
  EXPECT_EQ(verdict(built(leads(kLea, 0), {0xc3, 0x0f, 0x05})), OBJECT_CLEAN) << "a return";
  EXPECT_EQ(verdict(built(leads(kLea, 0), {0x06, 0x0f, 0x05})), OBJECT_CLEAN) << "no instruction";
  EXPECT_EQ(verdict(built(leads(kLea, 0), {0xf4, 0x0f, 0x05})), OBJECT_CLEAN) << "the kernel's: hlt";
  EXPECT_EQ(verdict(built(leads(kLea, 0), {0xb8, 0x0f, 0x05, 0, 0, 0xc3})), OBJECT_CLEAN)
      << "part of a constant";
  EXPECT_EQ(verdict(built(leads(kLea, 0), {0x90, 0x0f, 0x05})), OBJECT_UNSEEN);
  EXPECT_EQ(verdict(built(leads(kLea, 0), {0xcc, 0x0f, 0x05})), OBJECT_UNSEEN)
      << "a handler may go on after int3";
}

TEST(Reach, PathsAreFollowedThroughGaps) {
  const Bytes jump{0xeb, 2, 0xc3, 0xc3};
  EXPECT_EQ(verdict(built(leads(kCall, 0), jump + kSyscall)), OBJECT_UNSEEN);
  EXPECT_EQ(verdict(built(leads(kCall, 2), jump + kSyscall)), OBJECT_CLEAN);
  const Bytes branch{0x74, 1, 0xc3};
  EXPECT_EQ(verdict(built(leads(kCall, 0), branch + kSyscall)), OBJECT_UNSEEN);
}

TEST(Reach, AfterAJumpToAComputedAddressAnythingIsCode) {
  const Bytes computed{0xff, 0xe0}, word{0xff, 0x25, 0, 0, 1, 0};  // jmp *%rax; jmp *X(%rip), as in a PLT
  EXPECT_EQ(verdict(built(leads(kCall, 0), computed + kSyscall)), OBJECT_UNSEEN);
  EXPECT_EQ(verdict(built(leads(kCall, 0), word + kSyscall)), OBJECT_CLEAN);
  EXPECT_EQ(verdict(built({}, computed + kSyscall)), OBJECT_CLEAN) << "nothing leads to the jump";
}

TEST(Reach, WithoutFramesTheBeginningIsCode) {
  BuiltElf elf = built({}, kSyscall);
  elf.frames = false;
  elf.code = kSyscall;
  EXPECT_EQ(verdict(elf), OBJECT_UNSEEN);
}

}  // namespace
}  // namespace sysvm
