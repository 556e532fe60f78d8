// SPDX-License-Identifier: MIT
// The proof refuses what is not so: for each property one thing is wrong, and the rest right.
#include "libsysvm/sites/proof.h"

#include <gtest/gtest.h>

#include "libsysvm/sites/analyse.h"
#include "libsysvm/sites/frames.h"
#include "tests/sites/elf_builder.h"

namespace sysvm {
namespace {

// A site as if made by a careless analyser: the bytes from `patch` to `syscall` are copied as they are.
sysvm_site careless_site(const Bytes& code, uint32_t patch, uint32_t syscall, int hop = -1) {
  sysvm_site s{};
  s.patch = kText + patch;
  s.offset = kText + patch;
  s.syscall = kText + syscall;
  s.expect_len = static_cast<uint8_t>(syscall + 2 - patch);
  s.code_len = static_cast<uint8_t>(syscall - patch);
  std::memcpy(s.expect, &code[patch], s.expect_len);
  std::memcpy(s.code, &code[patch], s.code_len);
  if (hop >= 0) {
    s.flags |= SITE_HOP;
    s.hop = kText + static_cast<uint32_t>(hop);
    std::memcpy(s.hop_expect, &code[static_cast<size_t>(hop)], sizeof s.hop_expect);
  }
  return s;
}

void expect_doubt(const char* what, site_doubt found, site_doubt wanted) {
  EXPECT_EQ(found, wanted) << what << ": " << doubt_text(found) << ", expected: " << doubt_text(wanted);
}

// cmpb $0,0x10(%rip); je over; or $1,%eax; syscall; over: ret
const Bytes kCode{0x80, 0x3d, 0x10, 0, 0, 0, 0, 0x74, 0x05, 0x83, 0xc8, 0x01, 0x0f, 0x05, 0xc3};

struct Damage {
  const char* what;
  void (*make)(sysvm_site& s);
  site_doubt doubt;
};

const Damage kDamages[] = {
    {"nothing", [](sysvm_site&) {}, SITE_SOUND},
    {"an instruction twice",
     [](sysvm_site& s) {
       std::memcpy(s.code + 16, s.code + 13, 3);
       s.code_len = 19;
     },
     SITE_OTHER_CODE},
    {"the whole twice",
     [](sysvm_site& s) {
       s.code_len = 32;
       std::memcpy(s.code + 16, s.code, 16);
     },
     SITE_OTHER_CODE},
    {"the last one missing", [](sysvm_site& s) { s.code_len = 13; }, SITE_OTHER_CODE},
    {"the last one cut", [](sysvm_site& s) { s.code_len = 15; }, SITE_OTHER_CODE},
    {"another constant", [](sysvm_site& s) { s.code[15] = 2; }, SITE_OTHER_CODE},
    {"another register", [](sysvm_site& s) { s.code[14] = 0xc9; }, SITE_OTHER_CODE},
    {"another immediate after the displacement", [](sysvm_site& s) { s.code[6] = 1; }, SITE_OTHER_CODE},
    {"the opposite jump", [](sysvm_site& s) { s.code[8] ^= 1; }, SITE_OTHER_CODE},
    {"a displacement that is not fixed",
     [](sysvm_site& s) {
       s.fix[0] = s.fix[1];
       s.fixes = 1;
     },
     SITE_OTHER_CODE},
    {"a displacement to another address", [](sysvm_site& s) { s.fix[0].target += 1; }, SITE_OTHER_CODE},
    {"a jump to another place", [](sysvm_site& s) { s.fix[1].target -= 1; }, SITE_OTHER_CODE},
    {"a fix in the wrong place", [](sysvm_site& s) { s.fix[1].at += 1; }, SITE_OTHER_CODE},
    {"a fix relative to another end", [](sysvm_site& s) { s.fix[0].end -= 1; }, SITE_OTHER_CODE},
    {"a fix too many",
     [](sysvm_site& s) {
       s.fix[2] = {12, 16, kText};
       s.fixes = 3;
     },
     SITE_OTHER_CODE},
    {"more fixes than there is room for", [](sysvm_site& s) { s.fixes = 200; }, SITE_OTHER_CODE},
    {"more code than there is room for", [](sysvm_site& s) { s.code_len = 200; }, SITE_OTHER_BYTES},
    {"other bytes expected", [](sysvm_site& s) { s.expect[3] ^= 1; }, SITE_OTHER_BYTES},
    {"fewer bytes expected", [](sysvm_site& s) { s.expect_len -= 1; }, SITE_OTHER_BYTES},
    {"another place in the file", [](sysvm_site& s) { s.offset += 4096; }, SITE_OTHER_BYTES},
    {"a patch after the syscall", [](sysvm_site& s) { s.patch = s.syscall + 1; }, SITE_OTHER_BYTES},
    {"a syscall in no segment", [](sysvm_site& s) { s.patch += 0x100000, s.syscall += 0x100000; },
     SITE_CROSSES},
    {"a syscall that is none",
     [](sysvm_site& s) {
       s.syscall -= 3;
       s.expect_len -= 3;
     },
     SITE_OUT_OF_STEP},
};

TEST(Proof, RefusesADamagedSlot) {
  const ElfImage image = built_image({.code = kCode});
  const Analysis a = analyse(image);
  ASSERT_EQ(a.sites.size(), 1u);
  ASSERT_EQ(a.sites[0].code_len, 16);
  for (const Damage& damage : kDamages) {
    sysvm_site s = a.sites[0];
    damage.make(s);
    expect_doubt(damage.what, Proof(image).admit(s), damage.doubt);
  }
}

// mov 0(%eip),%eax; syscall: with a fix that would be right for %rip, but the address is cut to 32 bits.
TEST(Proof, RefusesADisplacementOf32BitCode) {
  const Bytes code{0x67, 0x8b, 0x05, 0, 0, 0, 0, 0x0f, 0x05, 0xc3};
  sysvm_site s = careless_site(code, 0, 7);
  s.fixes = 1;
  s.fix[0] = {3, 7, kText + 7};
  expect_doubt("%eip", Proof(built_image({.code = code})).admit(s), SITE_OTHER_CODE);
  Bytes wide = code;
  wide[0] = 0x48;
  s = careless_site(wide, 0, 7);
  s.fixes = 1;
  s.fix[0] = {3, 7, kText + 7};
  expect_doubt("%rip", Proof(built_image({.code = wide})).admit(s), SITE_SOUND);
}

struct Shape {
  const char* what;
  BuiltElf elf;
  uint32_t patch, syscall;
  int hop;  // -1: none
  uint8_t flags;
  site_doubt doubt;
};

const Shape kShapes[] = {
    {"mov; mov; syscall",
     {.code = {0xb8, 1, 0, 0, 0, 0x89, 0xd7, 0x0f, 0x05, 0xc3}},
     0,
     7,
     -1,
     0,
     SITE_SOUND},
    {"in the middle of an instruction",
     {.code = {0xb8, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}},
     1,
     6,
     -1,
     0,
     SITE_OUT_OF_STEP},
    {"a call", {.code = {0xe8, 1, 0, 0, 0, 0x90, 0x0f, 0x05, 0xc3}}, 0, 6, -1, 0, SITE_LEAVES_LINE},
    {"a jump", {.code = {0xb8, 1, 0, 0, 0, 0xeb, 0, 0x0f, 0x05, 0xc3}}, 0, 7, -1, 0, SITE_LEAVES_LINE},
    {"a loop", {.code = {0xb8, 1, 0, 0, 0, 0xe2, 0, 0x0f, 0x05, 0xc3}}, 0, 7, -1, 0, SITE_LEAVES_LINE},
    {"another system call",
     {.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x05}},
     0,
     7,
     -1,
     0,
     SITE_LEAVES_LINE},
    {"endbr64",
     {.code = {0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x44, 0, 0}},
     0,
     9,
     12,
     0,
     SITE_LEAVES_LINE},
    {"push", {.code = {0xb8, 1, 0, 0, 0, 0x50, 0x0f, 0x05, 0xc3}}, 0, 6, -1, 0, SITE_MOVES_STACK},
    {"sub $8,%rsp",
     {.code = {0x48, 0x81, 0xec, 8, 0, 0, 0, 0x0f, 0x05, 0xc3}},
     0,
     7,
     -1,
     0,
     SITE_MOVES_STACK},
    {"lea -8(%rsp),%rsp",
     {.code = {0xb8, 1, 0, 0, 0, 0x48, 0x8d, 0x64, 0x24, 0xf8, 0x0f, 0x05}},
     0,
     10,
     -1,
     0,
     SITE_MOVES_STACK},
    {"leave", {.code = {0xb8, 1, 0, 0, 0, 0xc9, 0x0f, 0x05, 0xc3}}, 0, 6, -1, 0, SITE_MOVES_STACK},
    {"another rule for unwinding in between",
     {.code = {0xb8, 1, 0, 0, 0, 0x89, 0xd7, 0x0f, 0x05, 0xc3}, .functions = {{0, 10, {5}}}},
     0,
     7,
     -1,
     0,
     SITE_UNWINDS},
    {"another rule at the syscall",
     {.code = {0xb8, 1, 0, 0, 0, 0x89, 0xd7, 0x0f, 0x05, 0xc3}, .functions = {{0, 10, {7}}}},
     0,
     7,
     -1,
     0,
     SITE_UNWINDS},
    {"another rule after it",
     {.code = {0xb8, 1, 0, 0, 0, 0x89, 0xd7, 0x0f, 0x05, 0xc3}, .functions = {{0, 10, {9}}}},
     0,
     7,
     -1,
     0,
     SITE_SOUND},
    {"another rule up to it",
     {.code = {0x90, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}, .functions = {{0, 9, {1}}}},
     1,
     6,
     -1,
     0,
     SITE_SOUND},
    {"a jump over two instructions",
     {.code = {0x89, 0xd7, 0x89, 0xd7, 0x89, 0xd0, 0x0f, 0x05, 0xc3}},
     0,
     6,
     -1,
     0,
     SITE_TOO_SHORT},
    {"a short jump over two",
     {.code = {0x90, 0x90, 0x90, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x44, 0, 0}},
     0,
     3,
     6,
     0,
     SITE_TOO_SHORT},
    {"something jumps past a prefix",
     {.code = {0xf0, 0x48, 0x0f, 0xb1, 0x0e, 0x0f, 0x05, 0x74, 0xf8, 0xc3}},
     0,
     5,
     -1,
     SITE_LEAKY,
     SITE_TARGET_INSIDE},
    {"something jumps to what is copied",
     {.code = {0xb8, 1, 0, 0, 0, 0x89, 0xd7, 0x0f, 0x05, 0x74, 0xfa, 0xc3}},
     0,
     7,
     -1,
     0,
     SITE_TARGET_INSIDE},
    {"the same, and it is marked",
     {.code = {0xb8, 1, 0, 0, 0, 0x89, 0xd7, 0x0f, 0x05, 0x74, 0xfa, 0xc3}},
     0,
     7,
     -1,
     SITE_LEAKY,
     SITE_SOUND},
    {"no .eh_frame",
     {.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}, .frames = false},
     0,
     5,
     -1,
     0,
     SITE_NO_FUNCTION},
    {"before its function",
     {.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}, .functions = {{5, 8}}},
     0,
     5,
     -1,
     0,
     SITE_NO_FUNCTION},
    {"in two functions at once",
     {.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}, .functions = {{0, 8}, {5, 8}}},
     0,
     5,
     -1,
     0,
     SITE_NO_FUNCTION},
    {"in a function that ends between",
     {.code = {0xb8, 1, 0, 0, 0, 0x90, 0x0f, 0x05, 0xc3}, .functions = {{0, 5}}},
     0,
     6,
     -1,
     0,
     SITE_NO_FUNCTION},
    {"in a function that ends at the syscall, as clone",
     {.code = {0xb8, 56, 0, 0, 0, 0x0f, 0x05}, .functions = {{0, 5}}},
     0,
     5,
     -1,
     0,
     SITE_SOUND},
    {"after what does not decode",
     {.code = {0x06, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}},
     1,
     6,
     -1,
     0,
     SITE_OUT_OF_STEP},
    {"in two segments",
     {.code = {0xb8, 1, 0, 0, 0, 0x90, 0x0f, 0x05, 0xc3}, .cut = 6},
     0,
     6,
     -1,
     0,
     SITE_CROSSES},
    {"in a segment that is writable",
     {.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}, .flags = PF_R | PF_W | PF_X},
     0,
     5,
     -1,
     0,
     SITE_CROSSES},
};

TEST(Proof, RefusesAPlaceThatIsNotSafe) {
  for (const Shape& shape : kShapes) {
    sysvm_site s = careless_site(shape.elf.code, shape.patch, shape.syscall, shape.hop);
    s.flags |= shape.flags;
    expect_doubt(shape.what, Proof(built_image(shape.elf)).admit(s), shape.doubt);
  }
}

// mov %edx,%eax; syscall; ret; nopl 0(%rax,%rax,1); and then something
Bytes with_padding(const Bytes& before, const Bytes& after) {
  Bytes out{0x89, 0xd0, 0x0f, 0x05};
  out.insert(out.end(), before.begin(), before.end());
  for (const uint8_t b : {0x0f, 0x1f, 0x44, 0, 0}) out.push_back(b);
  out.insert(out.end(), after.begin(), after.end());
  return out;
}

TEST(Proof, RefusesPaddingThatMayBeReached) {
  const Bytes ends = with_padding({0xc3}, {0x90, 0xc3});
  const Shape shapes[] = {
      {"between two functions", {.code = ends, .functions = {{0, 5}, {10, 12}}}, 0, 2, 5, 0, SITE_SOUND},
      {"in a function that is called", {.code = ends}, 0, 2, 5, 0, SITE_SOUND},
      {"in part of a function", {.code = ends, .entry = 11}, 0, 2, 5, 0, SITE_HOP_REACHED},
      {"code, no filler", {.code = with_padding({0xc3, 0xb8, 0, 0, 0, 0}, {})}, 0, 2, 5, 0, SITE_HOP_REACHED},
      {"filler after what goes on", {.code = with_padding({0x90}, {0xc3})}, 0, 2, 5, 0, SITE_HOP_REACHED},
      {"after a call", {.code = with_padding({0xe8, 0, 0, 0, 0}, {0xc3})}, 0, 2, 9, 0, SITE_HOP_REACHED},
      {"a branch to it", {.code = with_padding({0xc3}, {0xeb, 0xf9})}, 0, 2, 5, 0, SITE_HOP_REACHED},
      {"a branch into it", {.code = with_padding({0xc3}, {0xeb, 0xfb})}, 0, 2, 5, 0, SITE_HOP_REACHED},
      {"a function begins in it",
       {.code = ends, .functions = {{0, 5}, {7, 12}}},
       0,
       2,
       5,
       0,
       SITE_HOP_REACHED},
      {"a symbol is there",
       {.code = ends, .functions = {{0, 5}, {10, 12}}, .entry = 5},
       0,
       2,
       5,
       0,
       SITE_HOP_REACHED},
      {"a switch", {.code = with_padding({0xff, 0xe0}, {0xc3})}, 0, 2, 6, 0, SITE_HOP_REACHED},
      {"a landing pad",
       {.code = ends, .functions = {{0, 12, {}, true, 0}}, .data = {0xff, 0xff, 1, 4, 0, 2, 10, 0}},
       0,
       2,
       5,
       0,
       SITE_HOP_REACHED},
      {"a part elsewhere",
       {.code = with_padding({0xeb, 5}, {0xc3, 0xc3}), .functions = {{0, 11}, {11, 13}}},
       0,
       2,
       6,
       0,
       SITE_HOP_REACHED},
      {"entered in its middle",
       {.code = with_padding({0xc3}, {0x90, 0xc3, 0xeb, 0xfc}), .functions = {{0, 12}, {12, 14}}},
       0,
       2,
       5,
       0,
       SITE_HOP_REACHED},
      {"past the end",
       {.code = {0x89, 0xd0, 0x0f, 0x05, 0xc3, 0x90, 0x90}},
       0,
       2,
       -2,
       SITE_HOP,
       SITE_OTHER_BYTES},
  };
  for (const Shape& shape : shapes) {
    sysvm_site s = careless_site(shape.elf.code, shape.patch, shape.syscall, shape.hop);
    s.flags |= shape.flags;
    if (shape.hop == -2) s.hop = kText + 5;
    expect_doubt(shape.what, Proof(built_image(shape.elf)).admit(s), shape.doubt);
  }
  sysvm_site s = careless_site(ends, 0, 2, 5);
  s.hop_expect[2] ^= 1;
  expect_doubt("other bytes", Proof(built_image({.code = ends})).admit(s), SITE_OTHER_BYTES);
  const Bytes far = with_padding(
      [] {
        Bytes b(200, 0x90);
        b.push_back(0xc3);
        return b;
      }(),
      {});
  expect_doubt("too far", Proof(built_image({.code = far})).admit(careless_site(far, 0, 2, 205)),
               SITE_HOP_REACHED);
}

TEST(Proof, GivesNoByteToTwoSites) {
  // mov %edx,%eax; syscall; mov %edx,%eax; syscall; ret; padding for one
  const Bytes code{0x89, 0xd0, 0x0f, 0x05, 0x89, 0xd0, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x44, 0, 0};
  Proof proof(built_image({.code = code}));
  expect_doubt("the first", proof.admit(careless_site(code, 0, 2, 9)), SITE_SOUND);
  expect_doubt("the first again", proof.admit(careless_site(code, 0, 2, 9)), SITE_TAKEN);
  expect_doubt("the second through the same padding", proof.admit(careless_site(code, 4, 6, 9)), SITE_TAKEN);
  const Analysis a = analyse(built_image({.code = code}));
  ASSERT_EQ(a.sites.size(), 2u);
  EXPECT_FALSE(a.sites[0].flags & SITE_LEFT);
  EXPECT_TRUE(a.sites[1].flags & SITE_LEFT);
  EXPECT_EQ(a.sites[1].doubt, SITE_TAKEN);
  EXPECT_EQ(a.object.why, static_cast<uint32_t>(WHY_SITES));
}

TEST(Proof, GivesNoPartOfASiteToAnother) {
  // mov $1,%eax; mov %edx,%edi; syscall; ret; padding
  const Bytes code{0xb8, 1, 0, 0, 0, 0x89, 0xd7, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x44, 0, 0};
  Proof proof(built_image({.code = code}));
  expect_doubt("from the first instruction", proof.admit(careless_site(code, 0, 7)), SITE_SOUND);
  expect_doubt("from the second", proof.admit(careless_site(code, 5, 7, 10)), SITE_TAKEN);
}

TEST(Frames, KnowsFunctionsAndTheirRules) {
  const ElfImage image =
      built_image({.code = Bytes(100, 0x90), .functions = {{0, 40, {1, 10, 4}}, {50, 100}}});
  const Frames frames(image);
  ASSERT_EQ(frames.functions().size(), 2u);
  const Function& f = frames.functions()[0];
  EXPECT_EQ(f.begin, kText);
  EXPECT_EQ(f.end, kText + 40);
  EXPECT_EQ(frames.at(kText + 39), &f);
  EXPECT_EQ(frames.at(kText + 40), nullptr);
  EXPECT_EQ(frames.at(kText + 50), &frames.functions()[1]);
  EXPECT_FALSE(Frames::one_rule(f, kText, kText + 1));
  EXPECT_TRUE(Frames::one_rule(f, kText + 1, kText + 10));
  EXPECT_FALSE(Frames::one_rule(f, kText + 1, kText + 11));
  EXPECT_TRUE(Frames::one_rule(f, kText + 15, kText + 39));
}

}  // namespace
}  // namespace sysvm
