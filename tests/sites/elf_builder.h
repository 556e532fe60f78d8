// SPDX-License-Identifier: MIT
// Small ELF files, made byte by byte: code at kText, and an .eh_frame that names its functions.
#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "libsysvm/sites/elf_image.h"

namespace sysvm {

using Bytes = std::vector<uint8_t>;

constexpr uint64_t kText = 0x1000, kData = 0x20000;

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

template <typename T>
Bytes words(std::initializer_list<T> values) {
  Bytes out(values.size() * sizeof(T));
  std::memcpy(out.data(), values.begin(), out.size());
  return out;
}

struct BuiltFunction {
  uint32_t begin, end;  // in the code
  Bytes rows = {};      // where the rule for unwinding changes, in steps
  bool lands = false;   // has a landing pad table
  int pads = -1;        // where it is in the data; -1: where none is
};

struct BuiltElf {
  Bytes code;
  std::vector<BuiltFunction> functions = {};  // none named: one, all of the code
  bool frames = true;
  uint32_t flags = PF_R | PF_X;
  uint32_t cut = 0;      // a second executable segment begins here
  uint32_t entry = 0;    // in the code
  bool compact = false;  // no padding in the file
  Bytes data = {};       // at kData
  uint32_t dynamic = 0;  // from here on the data are the dynamic section
  bool fixed = false;    // ET_EXEC
};

inline Bytes build_elf(const BuiltElf& from) {
  constexpr uint64_t kFrames = 0x40000;
  constexpr uint32_t kCie = 28, kFde = 32;
  const uint64_t offset = from.compact ? 0x140 : kText;
  Bytes out(offset, 0);
  const auto put = [&](uint64_t at, const auto& value) {
    if (out.size() < at + sizeof value) out.resize(at + sizeof value);
    std::memcpy(&out[at], &value, sizeof value);
  };
  std::vector<BuiltFunction> functions = from.functions;
  if (functions.empty()) functions.push_back({0, static_cast<uint32_t>(from.code.size())});
  out.insert(out.end(), from.code.begin(), from.code.end());
  out.resize(from.compact ? (out.size() + 15) & ~uint64_t{15} : (out.size() + 0x1fff) & ~uint64_t{0xfff});
  const uint64_t base = out.size();  // of the frames in the file; at kFrames in memory
  const auto n = static_cast<uint32_t>(functions.size());
  const uint32_t header = 12 + 8 * n;
  // .eh_frame_hdr, then .eh_frame: a CIE ("zLR"), an FDE for each function, the end.
  put(base, uint32_t{0x3b031b01});
  put(base + 4, int32_t(header - 4));
  put(base + 8, n);
  out.resize(base + header);
  const Bytes cie{kCie - 4, 0, 0,    0,  0, 0,    0,    0,    1, 'z', 'L',  'R',
                  0,        1, 0x78, 16, 2, 0x1b, 0x1b, 0x0c, 7, 8,   0x90, 1};
  out.insert(out.end(), cie.begin(), cie.end());
  out.resize(base + header + kCie);
  for (uint32_t i = 0; i < n; ++i) {
    const BuiltFunction& f = functions[i];
    const uint64_t fde = header + kCie + uint64_t{i} * kFde;
    put(base + 12 + 8 * i, int32_t(kText + f.begin - kFrames));
    put(base + 16 + 8 * i, int32_t(fde));
    put(base + fde, kFde - 4);
    put(base + fde + 4, uint32_t(fde + 4 - header));
    put(base + fde + 8, int32_t(kText + f.begin - (kFrames + fde + 8)));
    put(base + fde + 12, f.end - f.begin);
    put(base + fde + 16, uint8_t{4});
    const uint64_t pads = f.pads < 0 ? 64 : kData + static_cast<uint32_t>(f.pads) - (kFrames + fde + 17);
    put(base + fde + 17, int32_t(f.lands ? pads : 0));
    uint64_t at = base + fde + 21;
    for (const uint8_t step : f.rows) {
      put(at++, uint8_t(0x40 | step));
      put(at++, uint8_t{0x0e});  // DW_CFA_def_cfa_offset
      put(at++, uint8_t{16});
    }
    out.resize(base + fde + kFde);
  }
  put(out.size(), uint32_t{0});

  std::vector<Elf64_Phdr> headers;
  const auto segment = [&](uint32_t type, uint32_t flags, uint64_t offset, uint64_t vaddr, uint64_t size) {
    Elf64_Phdr ph{};
    ph.p_type = type;
    ph.p_flags = flags;
    ph.p_offset = offset;
    ph.p_vaddr = vaddr;
    ph.p_filesz = ph.p_memsz = size;
    headers.push_back(ph);
  };
  const uint64_t first = from.cut ? from.cut : from.code.size();
  segment(PT_LOAD, from.flags, offset, kText, first);
  if (from.cut)
    segment(PT_LOAD, from.flags, offset + from.cut, kText + from.cut, from.code.size() - from.cut);
  if (from.frames) {
    segment(PT_LOAD, PF_R, base, kFrames, out.size() - base);
    segment(PT_GNU_EH_FRAME, PF_R, base, kFrames, header);
  }
  if (!from.data.empty()) {
    out.resize((out.size() + 15) & ~uint64_t{15});
    const uint64_t at = out.size();
    out.insert(out.end(), from.data.begin(), from.data.end());
    segment(PT_LOAD, PF_R | PF_W, at, kData, from.data.size());
    if (from.dynamic)
      segment(PT_DYNAMIC, PF_R | PF_W, at + from.dynamic, kData + from.dynamic,
              from.data.size() - from.dynamic);
  }
  Elf64_Ehdr eh{};
  std::memcpy(eh.e_ident, ELFMAG, SELFMAG);
  eh.e_ident[EI_CLASS] = ELFCLASS64;
  eh.e_machine = EM_X86_64;
  eh.e_type = from.fixed ? ET_EXEC : ET_DYN;
  eh.e_entry = kText + from.entry;
  eh.e_phoff = sizeof eh;
  eh.e_phnum = static_cast<uint16_t>(headers.size());
  eh.e_phentsize = sizeof(Elf64_Phdr);
  put(0, eh);
  for (size_t i = 0; i < headers.size(); ++i) put(sizeof eh + i * sizeof(Elf64_Phdr), headers[i]);
  return out;
}

inline ElfImage built_image(const BuiltElf& from) {
  auto image = ElfImage::from_bytes("built", build_elf(from));
  if (!image) throw std::runtime_error(image.message());
  return *std::move(image);
}

}  // namespace sysvm
