// SPDX-License-Identifier: MIT
// The site analyser: hand-assembled functions, and the C library of this machine.
#include "libsysvm/sites/analyse.h"

#include <dlfcn.h>
#include <elf.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "libsysvm/sites/proof.h"
#include "tests/sites/elf_builder.h"

namespace sysvm {
namespace {

Analysis analyse_code(const Bytes& code) { return analyse(built_image({.code = code})); }

struct Case {
  const char* name;
  Bytes code;
  int patch;  // offset, or -1: left
  int flags;
  int nr;
  uint32_t verdict;
};

const Case kCases[] = {
    {"no syscall, its bytes inside an immediate", {0xb8, 0x0f, 0x05, 0, 0, 0xc3}, -2, 0, 0, OBJECT_CLEAN},
    {"mov $39,%eax; syscall; ret", {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3}, 0, 0, 39, OBJECT_PATCHED},
    {"mov $1,%eax; mov %rcx,%r10; syscall: the 5-byte one, not the near one",
     {0xb8, 1, 0, 0, 0, 0x49, 0x89, 0xca, 0x0f, 0x05, 0xc3},
     0,
     0,
     1,
     OBJECT_PATCHED},
    {"cmpb $0,x(%rip); je over; xor %eax,%eax; syscall: rip-relative and branch are copied",
     {0x80, 0x3d, 0x10, 0, 0, 0, 0, 0x74, 0x04, 0x31, 0xc0, 0x0f, 0x05, 0xc3},
     0,
     0,
     0,
     OBJECT_PATCHED},
    {"a jump lands between patch and syscall: leaky, and write is not harmless",
     {0xb8, 1, 0, 0, 0, 0x90, 0x0f, 0x05, 0x75, 0xfb, 0xc3},
     0,
     SITE_LEAKY,
     1,
     OBJECT_UNSEEN},
    {"the same, but the call is futex",
     {0xb8, 0xca, 0, 0, 0, 0x90, 0x0f, 0x05, 0x75, 0xfb, 0xc3},
     0,
     SITE_LEAKY | SITE_HARMLESS,
     202,
     OBJECT_PATCHED},
    {"call; syscall: nothing to overwrite",
     {0xe8, 0, 0, 0, 0, 0x0f, 0x05, 0xc3},
     -1,
     SITE_LEFT,
     -1,
     OBJECT_UNSEEN},
    {"push before the syscall changes the stack pointer",
     {0xb8, 1, 0, 0, 0, 0x53, 0x0f, 0x05, 0xc3},
     -1,
     SITE_LEFT,
     1,
     OBJECT_UNSEEN},
    {"call; mov %edx,%eax; syscall; ret; 5 bytes of padding: hop",
     {0xe8, 0, 0, 0, 0, 0x89, 0xd0, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x44, 0, 0},
     5,
     SITE_HOP,
     -1,
     OBJECT_PATCHED},
    {"the same, but something jumps to the padding",
     {0xe8, 0, 0, 0, 0, 0x89, 0xd0, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x44, 0, 0, 0xeb, 0xf9},
     -1,
     SITE_LEFT,
     -1,
     OBJECT_UNSEEN},
    {"the restorer",
     {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05},
     -1,
     SITE_LEFT | SITE_HARMLESS,
     15,
     OBJECT_PATCHED},
    {"int $0x80", {0xb8, 1, 0, 0, 0, 0xcd, 0x80, 0xc3}, -2, 0, 0, OBJECT_UNSEEN},
    {"sysenter", {0x0f, 0x34, 0xc3}, -2, 0, 0, OBJECT_UNSEEN},
};

TEST(Analyse, FindsTheSafePlaceOfEachShape) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const Analysis a = analyse_code(c.code);
    EXPECT_EQ(a.object.verdict, c.verdict);
    if (c.patch == -2) {
      EXPECT_TRUE(a.sites.empty());
      continue;
    }
    ASSERT_EQ(a.sites.size(), 1u);
    const sysvm_site& s = a.sites[0];
    EXPECT_EQ(s.flags, c.flags);
    EXPECT_EQ(s.nr, c.nr);
    if (c.patch >= 0) {
      EXPECT_EQ(s.patch, kText + static_cast<uint64_t>(c.patch));
      EXPECT_EQ(0, std::memcmp(s.expect, &c.code[static_cast<size_t>(c.patch)], s.expect_len));
      EXPECT_EQ(s.patch + s.expect_len, s.syscall + 2);
    }
  }
}

TEST(Analyse, RelocatesWhatItCopies) {
  // cmpb $0,0x10(%rip); je +4; xor %eax,%eax; syscall
  const Analysis a = analyse_code({0x80, 0x3d, 0x10, 0, 0, 0, 0, 0x74, 0x04, 0x31, 0xc0, 0x0f, 0x05, 0xc3});
  ASSERT_EQ(a.sites.size(), 1u);
  const sysvm_site& s = a.sites[0];
  ASSERT_EQ(s.fixes, 2);
  EXPECT_EQ(s.fix[0].at, 2u);  // disp32, before the immediate
  EXPECT_EQ(s.fix[0].end, 7u);
  EXPECT_EQ(s.fix[0].target, kText + 7 + 0x10);
  EXPECT_EQ(s.fix[1].at, 9u);  // je rel8 has become je rel32
  EXPECT_EQ(s.fix[1].target, kText + 13);
  EXPECT_EQ(s.code_len, 7 + 6 + 2);
  EXPECT_EQ(s.code[7], 0x0f);
  EXPECT_EQ(s.code[8], 0x84);
}

std::string loaded_path(const char* name) {
  std::pair<const char*, std::string> find{name, ""};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto* f = static_cast<std::pair<const char*, std::string>*>(data);
        if (std::strstr(info->dlpi_name, f->first)) f->second = info->dlpi_name;
        return 0;
      },
      &find);
  return find.second;
}

// The proof once more, from nothing but file and table.
std::string refuted(const ElfImage& image, const Analysis& a) {
  Proof proof(image);
  std::string out;
  for (const sysvm_site& s : a.sites)
    if (!(s.flags & SITE_LEFT))
      if (const site_doubt doubt = proof.admit(s))
        out += fmt::format("{:#x}: {}\n", s.patch, doubt_text(doubt));
  return out;
}

TEST(Analyse, SeesTheCLibrary) {
  const auto image = ElfImage::open(loaded_path("libc.so.6"));
  ASSERT_TRUE(image) << image.message();
  const Analysis a = analyse(*image);
  unsigned patched = 0, hops = 0, leaky = 0, left = 0;
  for (const sysvm_site& s : a.sites) {
    patched += !(s.flags & SITE_LEFT);
    hops += (s.flags & SITE_HOP) != 0;
    leaky += (s.flags & SITE_LEAKY) != 0;
    left += (s.flags & SITE_LEFT) != 0;
  }
  std::printf("libc: %zu sites, %u patched (%u through padding, %u leaky), %u left\n", a.sites.size(),
              patched, hops, leaky, left);
  EXPECT_EQ(a.object.verdict, static_cast<uint32_t>(OBJECT_PATCHED)) << a.object.unseen << " unseen";
  EXPECT_GE(patched, 500u);
  EXPECT_EQ(refuted(*image, a), "");

  // syscall() itself.
  Dl_info info;
  ASSERT_TRUE(dladdr(reinterpret_cast<void*>(&syscall), &info));
  const uint64_t offset = reinterpret_cast<uint64_t>(&syscall) - reinterpret_cast<uint64_t>(info.dli_fbase);
  bool seen = false;
  for (const sysvm_site& s : a.sites)
    seen |= s.syscall > offset && s.syscall < offset + 64 && !(s.flags & SITE_LEFT);
  EXPECT_TRUE(seen) << "syscall() is not intercepted";
}

TEST(Analyse, SeesTheLoader) {
  const auto image = ElfImage::open(loaded_path("ld-linux"));
  ASSERT_TRUE(image) << image.message();
  const Analysis a = analyse(*image);
  EXPECT_EQ(a.object.verdict, static_cast<uint32_t>(OBJECT_PATCHED)) << a.object.unseen << " unseen";
  EXPECT_GE(a.sites.size(), 40u);
  EXPECT_EQ(refuted(*image, a), "");
}

// A place within reach of a hop is found first, then a better one: the slot once held the nearer instructions
// twice.
TEST(Analyse, StartsEachPlaceWithAnEmptyCopy) {
  // call; mov $202,%eax; xor $0x80,%sil; syscall; ret; padding
  const Bytes code{0xe8, 0,    0,    0,    0,    0xb8, 0xca, 0,    0,    0, 0x40,
                   0x80, 0xf6, 0x80, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x44, 0, 0};
  const Analysis a = analyse_code(code);
  ASSERT_EQ(a.sites.size(), 1u);
  const sysvm_site& s = a.sites[0];
  EXPECT_EQ(s.flags, 0);
  EXPECT_EQ(s.patch, kText + 5);
  ASSERT_EQ(s.code_len, 9);
  EXPECT_EQ(0, std::memcmp(s.code, &code[5], 9));
}

// An object that is not what the loader will run, or of which it is not known what it will run.
TEST(Analyse, SaysWhyNothingIsKnown) {
  const Bytes code{0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3};
  const auto why = [](const Bytes& file) { return analyse(*ElfImage::from_bytes("built", file)).object.why; };
  EXPECT_EQ(why(build_elf({.code = code})), static_cast<uint32_t>(WHY_NOTHING));
  EXPECT_EQ(why(build_elf({.code = code, .frames = false})), static_cast<uint32_t>(WHY_SITES));
  EXPECT_EQ(why(build_elf({.code = code, .flags = PF_R | PF_W | PF_X})), static_cast<uint32_t>(WHY_WRITABLE));
  Bytes cut = build_elf({.code = code});
  cut.resize(kText + 4);
  EXPECT_EQ(why(cut), static_cast<uint32_t>(WHY_CUT));
  Bytes other = build_elf({.code = code});
  other[offsetof(Elf64_Ehdr, e_machine)] = EM_AARCH64;
  EXPECT_EQ(why(other), static_cast<uint32_t>(WHY_MACHINE));
}

TEST(Analyse, SaysWhyWithFigures) {
  const auto why = [](const BuiltElf& elf) { return why_unseen(analyse(built_image(elf))); };
  EXPECT_EQ(why({.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}}), "");
  EXPECT_EQ(why({.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}, .flags = PF_R | PF_W | PF_X}),
            "its text can be written");
  EXPECT_EQ(
      why({.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xcd, 0x80, 0xc3},
           .functions = {{0, 7}}}),
      "2 of 3 system calls cannot be seen: in no function that .eh_frame knows (1, at 0x100c), of 32-bit "
      "programs (1, at 0x100e)");
  EXPECT_EQ(why({.code = {0xb8, 1, 0, 0, 0, 0x90, 0x0f, 0x05, 0x75, 0xfb, 0xc3}}),
            "1 of 1 system calls cannot be seen: something jumps past the place where it is seen (1, at "
            "0x1006)");
}

// A `syscall` in the last two bytes of a segment, and one whose instruction lies in the segment before.
TEST(Analyse, EndsAtTheEndOfASegment) {
  const Analysis last = analyse_code({0xb8, 39, 0, 0, 0, 0x0f, 0x05});
  ASSERT_EQ(last.sites.size(), 1u);
  EXPECT_EQ(last.sites[0].flags, 0);
  for (const uint32_t cut : {5u, 6u}) {
    const Analysis a = analyse(built_image({.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}, .cut = cut}));
    for (const sysvm_site& s : a.sites) EXPECT_TRUE(s.flags & SITE_LEFT) << cut;
    EXPECT_EQ(a.sites.size(), cut == 5 ? 1u : 0u);
  }
}

TEST(ElfImageOpen, RefusesWhatIsNotElfByName) {
  const auto text = ElfImage::open("/etc/passwd");
  ASSERT_FALSE(text);
  EXPECT_NE(text.message().find("no ELF magic at byte 0"), std::string::npos) << text.message();
  EXPECT_FALSE(ElfImage::open("/nonexistent"));
  EXPECT_FALSE(ElfImage::open("/etc"));
}

TEST(ElfImageOpen, RefusesHeadersThatCannotBe) {
  struct Case {
    const char* message;
    void (*make)(Elf64_Ehdr& eh, Elf64_Phdr& ph);
  };
  const Case cases[] = {
      {"lie past the end", [](Elf64_Ehdr& eh, Elf64_Phdr&) { eh.e_phoff = 0x100000; }},
      {"lie past the end", [](Elf64_Ehdr& eh, Elf64_Phdr&) { eh.e_phoff = ~0ull - 8; }},
      {"the kernel takes", [](Elf64_Ehdr& eh, Elf64_Phdr&) { eh.e_phnum = 0xffff; }},
      {"expected 56", [](Elf64_Ehdr& eh, Elf64_Phdr&) { eh.e_phentsize = 32; }},
      {"wraps around", [](Elf64_Ehdr&, Elf64_Phdr& ph) { ph.p_vaddr = ~0ull - 2; }},
      {"wraps around", [](Elf64_Ehdr&, Elf64_Phdr& ph) { ph.p_offset = ~0ull - 2; }},
  };
  for (const Case& c : cases) {
    Bytes file = build_elf({.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}});
    c.make(*reinterpret_cast<Elf64_Ehdr*>(file.data()),
           *reinterpret_cast<Elf64_Phdr*>(file.data() + sizeof(Elf64_Ehdr)));
    const auto image = ElfImage::from_bytes("built", file);
    ASSERT_FALSE(image) << c.message;
    EXPECT_NE(image.message().find(c.message), std::string::npos) << image.message();
  }
}

// Executable segments that overlap, or more than the table holds: not known, and no more work than the file
// is large.
TEST(Analyse, GivesUpOnSegmentsThatOverlap) {
  Bytes file = build_elf({.code = Bytes(20000, 0x90), .cut = 10000});
  auto* headers = reinterpret_cast<Elf64_Phdr*>(file.data() + sizeof(Elf64_Ehdr));
  headers[0].p_filesz = headers[1].p_filesz = file.size() - headers[1].p_offset;
  headers[1].p_offset = headers[0].p_offset;
  EXPECT_EQ(analyse(*ElfImage::from_bytes("built", file)).object.why, static_cast<uint32_t>(WHY_PIECES));
}

// Sections may overlap, and end in the middle of an instruction: what the kernel maps are segments.
TEST(Analyse, HidesNothingThatSectionsCut) {
  const auto with_sections = [](std::initializer_list<std::pair<uint64_t, uint64_t>> sections) {
    Bytes file = build_elf({.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}});
    auto* header = reinterpret_cast<Elf64_Ehdr*>(file.data());
    header->e_shoff = file.size();
    header->e_shentsize = sizeof(Elf64_Shdr);
    header->e_shnum = static_cast<uint16_t>(sections.size());
    for (const auto& [begin, end] : sections) {
      Elf64_Shdr section{};
      section.sh_type = SHT_PROGBITS;
      section.sh_flags = SHF_ALLOC | SHF_EXECINSTR;
      section.sh_addr = kText + begin;
      section.sh_size = end - begin;
      file.resize(file.size() + sizeof section);
      std::memcpy(&file[file.size() - sizeof section], &section, sizeof section);
    }
    return analyse(*ElfImage::from_bytes("built", file));
  };
  const Analysis whole = with_sections({{0, 8}});
  EXPECT_EQ(whole.object.verdict, OBJECT_PATCHED);
  // Two that overlap in the mov, and one that is all of the first two.
  const Analysis overlapping = with_sections({{0, 3}, {1, 8}, {0, 3}});
  ASSERT_EQ(overlapping.sites.size(), 1u);
  EXPECT_EQ(overlapping.sites[0].syscall, kText + 5);
  EXPECT_EQ(overlapping.object.verdict, OBJECT_UNSEEN);
  EXPECT_EQ(with_sections({{0, 6}, {6, 8}}).object.verdict, OBJECT_UNSEEN) << "a syscall in two sections";
}

// A file that was written a moment ago is not read before a later change would show in its times.
TEST(Analyse, WaitsUntilAChangeWouldShow) {
  const std::string path = ::testing::TempDir() + "/sites_fresh." + std::to_string(getpid());
  const Bytes file = build_elf({.code = {0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0xc3}});
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<long>(file.size()));
  const auto image = ElfImage::open(path);
  ASSERT_TRUE(image);
  const Analysis a = analyse(*image);
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  EXPECT_GE(static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec),
            a.object.identity.ctime_ns + 10000000u);
  EXPECT_EQ(a.object.why, static_cast<uint32_t>(WHY_NOTHING));
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<long>(file.size()));
  EXPECT_EQ(analyse(*image).object.why, static_cast<uint32_t>(WHY_CHANGED));
  unlink(path.c_str());
}

// A file cut at any of many places must not crash the analyser.
TEST(ElfImageOpen, SurvivesATruncatedFile) {
  std::ifstream in(loaded_path("ld-linux"), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  const std::string path = ::testing::TempDir() + "/sites_cut." + std::to_string(getpid());
  for (size_t size = 16; size < whole.size(); size = size * 3 / 2 + 7) {
    std::ofstream(path, std::ios::binary).write(whole.data(), static_cast<long>(size));
    if (auto image = ElfImage::open(path)) (void)analyse(*image);
  }
  unlink(path.c_str());
}

// Any byte of a small object changed: no crash, and whatever is patched is proven from the file as it is
// then.
TEST(ElfImageOpen, SurvivesAnyByteChanged) {
  const Bytes good = build_elf(
      {.code = {0xe8, 0,    0,    0,    0, 0x80, 0x3d, 0x10, 0,    0,    0,    0,    0x74, 0x04, 0x31,
                0xc0, 0x0f, 0x05, 0xc3, 0, 0x89, 0xd0, 0x0f, 0x05, 0xc3, 0x0f, 0x1f, 0x44, 0,    0},
       .functions = {{0, 19}, {20, 25, {2}}}});
  unsigned analysed = 0, patched = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    if (good[i] == 0 && i % 512 > 64) continue;  // padding
    for (const uint8_t change : {0x01, 0x04, 0x10, 0x80, 0xff}) {
      Bytes bad = good;
      bad[i] ^= change;
      const auto image = ElfImage::from_bytes("built", bad);
      if (!image) continue;
      const Analysis a = analyse(*image);
      ++analysed;
      EXPECT_EQ(refuted(*image, a), "") << "byte " << i << " ^ " << int{change};
      for (const sysvm_site& s : a.sites) patched += !(s.flags & SITE_LEFT);
    }
  }
  EXPECT_GT(analysed, 500u);
  EXPECT_GT(patched, 500u);
}

}  // namespace
}  // namespace sysvm
