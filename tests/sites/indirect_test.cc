// SPDX-License-Identifier: MIT
// A place that something may point into is not patched: one way to point for each case, and beside it one
// that leads elsewhere.
#include "libsysvm/sites/indirect.h"

#include <gtest/gtest.h>

#include "libsysvm/sites/proof.h"
#include "tests/sites/elf_builder.h"

namespace sysvm {
namespace {

// mov $1,%eax; mov %edx,%edi; syscall; ret: the first is overwritten, the second copied.
constexpr uint32_t kSecond = 5, kSyscall = 7, kRet = 9;
const Bytes kCode{0xb8, 1, 0, 0, 0, 0x89, 0xd7, 0x0f, 0x05, 0xc3};

Bytes pointers(std::initializer_list<uint64_t> values) { return words(values); }

// lea X(%rip),%rcx after the code, or after so many bytes more.
Bytes lea(uint64_t x, uint64_t after = 0) {
  return Bytes{0x48, 0x8d, 0x0d} + words({static_cast<int32_t>(x - (kText + kCode.size() + after + 7))});
}

Bytes table(std::initializer_list<uint64_t> targets) {
  Bytes out;
  for (const uint64_t t : targets) out = out + words({static_cast<int32_t>(t - kData)});
  return out;
}

// A table of landing pads with one call site.
Bytes pads(uint8_t pad) { return {0xff, 0xff, 1, 4, 0, 2, pad, 0}; }

// A symbol at the beginning of the text, a relocation that adds to it, and the dynamic section that says
// where they are.
BuiltElf relocated(uint64_t addend) {
  Elf64_Sym symbols[2]{};
  symbols[1].st_value = kText;
  symbols[1].st_shndx = 1;
  const Elf64_Rela rela{0, ELF64_R_INFO(1, R_X86_64_64), static_cast<Elf64_Sxword>(addend)};
  const Elf64_Dyn dynamic[] = {{DT_SYMTAB, {kData}},
                               {DT_STRTAB, {kData + sizeof symbols}},
                               {DT_RELA, {kData + sizeof symbols}},
                               {DT_RELASZ, {sizeof rela}},
                               {DT_NULL, {0}}};
  Bytes data(sizeof symbols + sizeof rela + sizeof dynamic);
  std::memcpy(data.data(), symbols, sizeof symbols);
  std::memcpy(&data[sizeof symbols], &rela, sizeof rela);
  std::memcpy(&data[sizeof symbols + sizeof rela], dynamic, sizeof dynamic);
  return {.code = kCode, .data = data, .dynamic = sizeof symbols + sizeof rela};
}

struct Case {
  const char* what;
  BuiltElf elf;
  uint8_t flags;
  site_doubt doubt;
};

TEST(Indirect, NothingIsPatchedThatSomethingMayPointInto) {
  const Bytes constant{0xbf, 2, 0x10, 0, 0};  // mov $0x1002,%edi
  const Case cases[] = {
      {"a pointer to the beginning", {.code = kCode, .data = pointers({0, kText})}, 0, SITE_SOUND},
      {"a pointer into the overwritten instruction",
       {.code = kCode, .data = pointers({0, kText + 1})},
       0,
       SITE_POINTED_INTO},
      {"the same, and it is marked",
       {.code = kCode, .data = pointers({kText + 4})},
       SITE_LEAKY,
       SITE_POINTED_INTO},
      {"a pointer to the copied one",
       {.code = kCode, .data = pointers({kText + kSecond})},
       0,
       SITE_POINTED_INTO},
      {"a pointer to the syscall",
       {.code = kCode, .data = pointers({kText + kSyscall})},
       0,
       SITE_POINTED_INTO},
      {"the same, and it is marked",
       {.code = kCode, .data = pointers({kText + kSyscall})},
       SITE_LEAKY,
       SITE_SOUND},
      {"a pointer after it", {.code = kCode, .data = pointers({kText + kRet})}, 0, SITE_SOUND},
      {"bytes of two words",
       {.code = kCode, .data = Bytes(4, 0) + pointers({kText + 1}) + Bytes(4, 0)},
       0,
       SITE_SOUND},
      {"an instruction computes it", {.code = kCode + lea(kText + 2)}, 0, SITE_POINTED_INTO},
      {"an instruction computes another", {.code = kCode + lea(kText + kRet)}, 0, SITE_SOUND},
      {"a switch table",
       {.code = kCode + lea(kData), .data = table({kText + kRet, kText + 3, 0})},
       0,
       SITE_POINTED_INTO},
      {"a switch table that leads elsewhere",
       {.code = kCode + lea(kData), .data = table({kText + kRet, kText})},
       0,
       SITE_SOUND},
      {"after the end of a switch table",
       {.code = kCode + lea(kData), .data = table({kText + kRet, kData, kText + 3})},
       0,
       SITE_SOUND},
      {"in the function, past the next table",
       {.code = kCode + lea(kData) + lea(kData + 8, 7),
        .data = table({kText + kRet, kText + kRet, kText + 3})},
       0,
       SITE_POINTED_INTO},
      {"in another function, past the next table",
       {.code = kCode + lea(kData) + lea(kData + 8, 7),
        .functions = {{0, 10}, {10, 24}},
        .data = table({kText + kRet, kText + kRet, kText + 3})},
       0,
       SITE_SOUND},
      {"a function that reads like a table",
       {.code = kCode + lea(kText + 17) + Bytes{0xf2, 0xff, 0xff, 0xff, 0xc3},
        .functions = {{0, 10}, {10, 22}}},
       0,
       SITE_SOUND},
      {"a table that nothing computes",
       {.code = kCode, .data = table({kText + 3, kText + 3})},
       0,
       SITE_SOUND},
      {"a constant, at a fixed address", {.code = kCode + constant, .fixed = true}, 0, SITE_POINTED_INTO},
      {"a constant", {.code = kCode + constant}, 0, SITE_SOUND},
      {"a landing pad",
       {.code = kCode, .functions = {{0, 10, {}, true, 0}}, .data = pads(3)},
       0,
       SITE_POINTED_INTO},
      {"a landing pad after it",
       {.code = kCode, .functions = {{0, 10, {}, true, 0}}, .data = pads(kRet)},
       0,
       SITE_SOUND},
      {"landing pads that are not understood",
       {.code = kCode, .functions = {{0, 10, {}, true, 0}}, .data = {0x1b}},
       0,
       SITE_POINTED_INTO},
      {"a table of landing pads that is cut",
       {.code = kCode, .functions = {{0, 10, {}, true, 0}}, .data = {0xff, 0xff, 1, 9, 0, 2, kRet, 0}},
       0,
       SITE_POINTED_INTO},
      {"landing pads that are nowhere",
       {.code = kCode, .functions = {{0, 10, {}, true, 7}}, .data = {0}},
       0,
       SITE_POINTED_INTO},
      {"a relocation", relocated(3), 0, SITE_POINTED_INTO},
      {"a relocation that leads elsewhere", relocated(kRet), 0, SITE_SOUND},
  };
  for (const Case& c : cases) {
    sysvm_site s{};
    s.patch = s.offset = kText;
    s.syscall = kText + kSyscall;
    s.expect_len = kSyscall + 2;
    s.code_len = kSyscall;
    s.flags = c.flags;
    std::memcpy(s.expect, kCode.data(), s.expect_len);
    std::memcpy(s.code, kCode.data(), s.code_len);
    const site_doubt found = Proof(built_image(c.elf)).admit(s);
    EXPECT_EQ(found, c.doubt) << c.what << ": " << doubt_text(found) << ", expected: " << doubt_text(c.doubt);
  }
}

}  // namespace
}  // namespace sysvm
